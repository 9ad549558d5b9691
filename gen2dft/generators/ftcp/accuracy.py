"""How far decoded FTCP matrices are from true ones, crystal by crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.base import Reconstruction
from gen2dft.representations.ftcp import FTCP, heaviest_class


@dataclass(frozen=True, eq=False)
class MatrixErrors:
    """Errors of `n` crystals.

    Parameters
    ----------
    elements_right, sites_right, num_sites_right
        (n,) whether every element column, also every site's species, and the number of sites are
        right.
    elements_named
        (n,) whether the heaviest element of every column that is not empty is right: how the
        published code counts, which never says that a column is empty.
    length, angle
        (n,) mean absolute error of the three cell lengths and angles, percent of the true ones.
    coordinate, coordinate_periodic
        (n,) mean absolute error of the fractional coordinates of the true crystal's sites: as
        numbers, which is how the paper counts, and the short way round the cell.
    num_sites
        (n,) sites of the true crystal.
    """

    elements_right: NDArray[np.bool_]
    elements_named: NDArray[np.bool_]
    sites_right: NDArray[np.bool_]
    num_sites_right: NDArray[np.bool_]
    length: NDArray[np.float64]
    angle: NDArray[np.float64]
    coordinate: NDArray[np.float64]
    coordinate_periodic: NDArray[np.float64]
    num_sites: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.num_sites)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Errors of several chunks as one."""
        return cls(
            **{
                f.name: np.concatenate([getattr(part, f.name) for part in parts])
                for f in fields(cls)
            }
        )

    def select(self, rows: NDArray[np.int64]) -> MatrixErrors:
        """Errors of some crystals."""
        return MatrixErrors(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def figures(self) -> dict[str, float | None]:
        """Means over all crystals, coordinates over all sites; None where there are none."""
        if not len(self):
            return {}
        return {
            "elements_right": float(self.elements_right.mean()),
            "elements_named": float(self.elements_named.mean()),
            "sites_right": float(self.sites_right.mean()),
            "num_sites_right": float(self.num_sites_right.mean()),
            "length_pmae": float(self.length.mean()),
            "angle_pmae": float(self.angle.mean()),
            "coordinate_mae": float(np.average(self.coordinate, weights=self.num_sites)),
            "coordinate_mae_periodic": float(
                np.average(self.coordinate_periodic, weights=self.num_sites)
            ),
        }


def matrix_errors(
    representation: FTCP, truth: NDArray[np.float32], decoded: NDArray[np.float32]
) -> MatrixErrors:
    """Compare (n, rows, columns) matrices in physical units; the reciprocal part is not read."""
    columns = slice(0, representation.max_elements)
    both = (truth, decoded)
    weights = [m[:, representation.element_rows, columns].transpose(0, 2, 1) for m in both]
    elements = [heaviest_class(w) for w in weights]
    sites = [heaviest_class(m[:, representation.occupancy_rows, columns]) for m in both]
    lattices = [m[:, representation.lattice_rows, :3].astype(np.float64) for m in both]
    off = 100.0 * np.abs(lattices[1] / lattices[0] - 1.0).mean(axis=2)
    is_site = sites[0] > 0
    apart = (decoded - truth)[:, representation.coordinate_rows, :3].astype(np.float64)
    elements_right = (elements[0] == elements[1]).all(axis=1)
    named = weights[0].argmax(axis=2) == weights[1].argmax(axis=2)
    return MatrixErrors(
        elements_right=elements_right,
        elements_named=(named | (elements[0] == 0)).all(axis=1),
        sites_right=elements_right & (sites[0] == sites[1]).all(axis=1),
        num_sites_right=is_site.sum(axis=1) == (sites[1] > 0).sum(axis=1),
        length=off[:, 0],
        angle=off[:, 1],
        coordinate=_mean_over_sites(np.abs(apart), is_site),
        coordinate_periodic=_mean_over_sites(np.abs(apart - np.round(apart)), is_site),
        num_sites=is_site.sum(axis=1),
    )


def reconstruction_figures(
    representation: FTCP, truth: NDArray[np.float32], decoded: NDArray[np.float32]
) -> Reconstruction:
    """What a training's result keeps of `matrix_errors`."""
    if not len(truth):
        return Reconstruction(0)
    figures = matrix_errors(representation, truth, decoded).figures()
    return Reconstruction(
        num_crystals=len(truth),
        elements_right=figures["elements_right"],
        sites_right=figures["sites_right"],
        length_mape=figures["length_pmae"],
        angle_mape=figures["angle_pmae"],
        coordinate_mae=figures["coordinate_mae_periodic"],
    )


def _mean_over_sites(
    errors: NDArray[np.float64], is_site: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n,) mean of (n, sites, 3) errors over the sites that are there."""
    return np.asarray(
        (errors.mean(axis=2) * is_site).sum(axis=1) / np.maximum(is_site.sum(axis=1), 1)
    )
