"""Lattice vectors to lengths and angles and back, for many cells at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.geometry import cell_angles

# 1 - cos^2 alpha - cos^2 beta - cos^2 gamma + 2 cos alpha cos beta cos gamma of a cell flat beyond
# use.
MIN_VOLUME_FACTOR_SQUARED = 1e-6
LENGTH_RANGE = (0.5, 500.0)


def lattice_parameters(
    lattices: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lengths a, b, c (Angstrom) and angles alpha, beta, gamma (degree), each (n, 3), of (n, 3, 3)
    row vectors.

    A left-handed cell gets the parameters of its mirror image, which has the same distances.
    """
    return np.linalg.norm(lattices, axis=2), cell_angles(lattices)


def lattices_from_parameters(
    lengths: NDArray[np.float64], angles: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Row vectors of cells, a along x and b in the xy plane, and whether the parameters form a
    cell.

    Parameters
    ----------
    lengths, angles
        (n, 3) in Angstrom and degree; any content is allowed.

    Returns
    -------
    (n, 3, 3) lattices, the unit matrix where there is no cell; (n,) whether there is one: all
    finite, lengths between 0.5 and 500 Angstrom, angles between 0 and 180 degree, volume above a
    thousandth of a * b * c.
    """
    finite = np.isfinite(lengths).all(axis=1) & np.isfinite(angles).all(axis=1)
    low, high = LENGTH_RANGE
    in_range = np.all((lengths > low) & (lengths < high) & (angles > 0) & (angles < 180), axis=1)
    cosines = np.cos(np.radians(np.where(in_range[:, None], angles, 90.0)))
    cos_a, cos_b, cos_g = cosines.T
    squared = 1 - (cosines**2).sum(axis=1) + 2 * cos_a * cos_b * cos_g
    is_cell = finite & in_range & (squared > MIN_VOLUME_FACTOR_SQUARED)
    safe_lengths = np.where(is_cell[:, None], lengths, 1.0)
    sin_g = np.sqrt(1 - cos_g**2)
    zero, one = np.zeros_like(cos_a), np.ones_like(cos_a)
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = [
            np.stack([one, zero, zero], axis=1),
            np.stack([cos_g, sin_g, zero], axis=1),
            np.stack([cos_b, (cos_a - cos_b * cos_g) / sin_g, np.sqrt(squared) / sin_g], axis=1),
        ]
    lattices = np.stack(rows, axis=1) * safe_lengths[:, :, None]
    return np.where(is_cell[:, None, None], lattices, np.eye(3)), is_cell
