"""How far decoded FTCP matrices are from true ones, crystal by crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.base import Reconstruction
from gen2dft.representations.ftcp import FTCP, heaviest_class

Matrices = NDArray[np.float32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]

# Figure to the field of `MatrixErrors` whose mean it is: over crystals, and over sites.
CRYSTAL_MEANS = {
    "elements_right": "elements_right",
    "elements_named": "elements_named",
    "sites_right": "sites_right",
    "num_sites_right": "num_sites_right",
    "length_pmae": "length",
    "angle_pmae": "angle",
}
SITE_MEANS = {
    "coordinate_mae": "coordinate",
    "coordinate_mae_periodic": "coordinate_periodic",
}


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

    elements_right: Flags
    elements_named: Flags
    sites_right: Flags
    num_sites_right: Flags
    length: Floats
    angle: Floats
    coordinate: Floats
    coordinate_periodic: Floats
    num_sites: Indices

    def __len__(self) -> int:
        return len(self.num_sites)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Errors of several chunks as one."""
        joined = {}
        for field in fields(cls):
            columns = [getattr(part, field.name) for part in parts]
            joined[field.name] = np.concatenate(columns)
        return cls(**joined)

    def select(self, rows: Indices) -> MatrixErrors:
        """Errors of some crystals."""
        chosen = {}
        for field in fields(self):
            column = getattr(self, field.name)
            chosen[field.name] = column[rows]
        return MatrixErrors(**chosen)

    def figures(self) -> dict[str, float | None]:
        """Means over all crystals, coordinates over all sites; nothing without crystals."""
        figures: dict[str, float | None] = {}
        if not len(self):
            return figures
        for name, field in CRYSTAL_MEANS.items():
            values = getattr(self, field)
            figures[name] = float(values.mean())
        for name, field in SITE_MEANS.items():
            values = getattr(self, field)
            figures[name] = float(np.average(values, weights=self.num_sites))
        return figures


@dataclass(frozen=True, eq=False)
class _Content:
    """The parts of (n, rows, columns) matrices that are compared."""

    heaviest: Indices  # (n, C) heaviest element of each column, whether or not it is empty
    elements: Indices  # (n, C) 0 where empty
    sites: Indices  # (n, S) element column of each site, 0 where empty
    lengths: Floats
    angles: Floats
    coordinates: Matrices

    @classmethod
    def of(cls, representation: FTCP, matrices: Matrices) -> Self:
        weights = representation.element_columns(matrices).transpose(0, 2, 1)
        heaviest = weights.argmax(axis=2)
        elements = heaviest_class(weights)
        sites = heaviest_class(representation.occupancy(matrices))
        lengths = representation.lengths(matrices).astype(np.float64)
        angles = representation.angles(matrices).astype(np.float64)
        coordinates = representation.coordinates(matrices)
        return cls(heaviest, elements, sites, lengths, angles, coordinates)


def matrix_errors(representation: FTCP, truth: Matrices, decoded: Matrices) -> MatrixErrors:
    """Compare (n, rows, columns) matrices in physical units; the reciprocal part is not read."""
    true = _Content.of(representation, truth)
    found = _Content.of(representation, decoded)
    elements_right = _all_equal(true.elements, found.elements)
    is_named = true.heaviest == found.heaviest
    is_empty = true.elements == 0
    elements_named = np.all(is_named | is_empty, axis=1)
    sites_right = elements_right & _all_equal(true.sites, found.sites)
    is_site = true.sites > 0
    num_sites = is_site.sum(axis=1)
    num_sites_right = num_sites == np.count_nonzero(found.sites, axis=1)
    length_error = _percent_off(true.lengths, found.lengths)
    angle_error = _percent_off(true.angles, found.angles)
    difference = found.coordinates - true.coordinates
    apart = difference.astype(np.float64)
    short_way = apart - np.round(apart)
    return MatrixErrors(
        elements_right=elements_right,
        elements_named=elements_named,
        sites_right=sites_right,
        num_sites_right=num_sites_right,
        length=length_error,
        angle=angle_error,
        coordinate=_mean_over_sites(apart, is_site),
        coordinate_periodic=_mean_over_sites(short_way, is_site),
        num_sites=num_sites,
    )


def reconstruction_figures(
    representation: FTCP, truth: Matrices, decoded: Matrices
) -> Reconstruction:
    """The figures of `matrix_errors` that the result of a training keeps."""
    if not len(truth):
        return Reconstruction(0)
    errors = matrix_errors(representation, truth, decoded)
    figures = errors.figures()
    return Reconstruction(
        num_crystals=len(truth),
        elements_right=figures["elements_right"],
        sites_right=figures["sites_right"],
        length_mape=figures["length_pmae"],
        angle_mape=figures["angle_pmae"],
        coordinate_mae=figures["coordinate_mae_periodic"],
    )


def _all_equal(first: Indices, second: Indices) -> Flags:
    """(n,) whether all of (n, k) numbers are the same."""
    is_equal = first == second
    return is_equal.all(axis=1)


def _percent_off(truth: Floats, found: Floats) -> Floats:
    """(n,) mean absolute error of (n, 3) numbers, percent."""
    relative = np.abs(found / truth - 1.0)
    return 100.0 * relative.mean(axis=1)


def _mean_over_sites(apart: Floats, is_site: Flags) -> Floats:
    """(n,) mean absolute value of (n, sites, 3) numbers over the sites that are there."""
    per_site = np.abs(apart).mean(axis=2)
    total = (per_site * is_site).sum(axis=1)
    num_sites = np.maximum(is_site.sum(axis=1), 1)
    return np.asarray(total / num_sites)
