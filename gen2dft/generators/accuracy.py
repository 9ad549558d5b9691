"""How well decoded matrices agree with true ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.base import Reconstruction
from gen2dft.representations.ftcp import FTCP


def reconstruction_figures(
    representation: FTCP, truth: NDArray[np.float32], decoded: NDArray[np.float32]
) -> Reconstruction:
    """Compare (n, rows, columns) matrices in physical units; see `Reconstruction` for the figures."""
    if not len(truth):
        return Reconstruction(0)
    columns = slice(0, representation.max_elements)
    elements = [_classes(m[:, representation.element_rows, columns], axis=1) for m in (truth, decoded)]
    sites = [_classes(m[:, representation.occupancy_rows, columns], axis=2) for m in (truth, decoded)]
    elements_right = (elements[0] == elements[1]).all(axis=1)
    lattices = [m[:, representation.lattice_rows, :3].astype(np.float64) for m in (truth, decoded)]
    off = 100 * np.abs(lattices[1] / lattices[0] - 1).mean(axis=(0, 2))
    apart = (decoded - truth)[:, representation.coordinate_rows, :3][sites[0] > 0]
    return Reconstruction(
        num_crystals=len(truth),
        elements_right=float(elements_right.mean()),
        sites_right=float((elements_right & (sites[0] == sites[1]).all(axis=1)).mean()),
        length_mape=float(off[0]),
        angle_mape=float(off[1]),
        coordinate_mae=float(np.abs(apart - np.round(apart)).mean()),
    )


def _classes(weights: NDArray[np.float32], axis: int) -> NDArray[np.int64]:
    """Heaviest class along an axis, 0 being "empty", which weighs 1 minus the sum of the others."""
    empty = 1 - weights.sum(axis=axis, keepdims=True)
    return np.concatenate([empty, weights], axis=axis).argmax(axis=axis)
