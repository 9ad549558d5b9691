"""Lattice vectors to lengths and angles and back, for many cells at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.geometry import cell_angles

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Square of volume / (a b c), below which a cell is too flat to be used.
MIN_VOLUME_FACTOR_SQUARED = 1e-6
LENGTH_RANGE = (0.5, 500.0)  # Angstrom


def lattice_parameters(lattices: Floats) -> tuple[Floats, Floats]:
    """Lengths a, b, c (Angstrom) and angles alpha, beta, gamma (degree), each (n, 3), of (n, 3, 3)
    row vectors.

    A left-handed cell gets the parameters of its mirror image, which has the same distances.
    """
    return np.linalg.norm(lattices, axis=2), cell_angles(lattices)


def lattices_from_parameters(lengths: Floats, angles: Floats) -> tuple[Floats, Flags]:
    """Row vectors of cells, a along x and b in the xy plane.

    Parameters
    ----------
    lengths, angles
        (n, 3) in Angstrom and degree; any content is allowed.

    Returns
    -------
    lattices
        (n, 3, 3), the unit matrix where the parameters form no cell.
    is_cell
        (n,) whether they do: all finite, lengths between 0.5 and 500 Angstrom, angles between 0
        and 180 degree, volume above a thousandth of a * b * c.
    """
    in_range = _in_range(lengths, angles)
    # Refused rows are computed as cubes of edge 1, so that nothing overflows on the way.
    usable_angles = angles.copy()
    usable_angles[~in_range] = 90.0
    cosines = np.cos(np.radians(usable_angles))
    squared = _volume_factor_squared(cosines)
    is_cell = in_range & (squared > MIN_VOLUME_FACTOR_SQUARED)
    usable_lengths = lengths.copy()
    usable_lengths[~is_cell] = 1.0
    lattices = _unit_vectors(cosines, squared)
    lattices *= usable_lengths[:, :, None]
    lattices[~is_cell] = np.eye(3)
    return lattices, is_cell


def _in_range(lengths: Floats, angles: Floats) -> Flags:
    """(n,) whether all six numbers are in their ranges; NaN and infinity never are."""
    low, high = LENGTH_RANGE
    good_lengths = (lengths > low) & (lengths < high)
    good_angles = (angles > 0) & (angles < 180)
    return np.asarray((good_lengths & good_angles).all(axis=1))


def _volume_factor_squared(cosines: Floats) -> Floats:
    """(n,) (V / abc)^2 = 1 - cos^2 alpha - cos^2 beta - cos^2 gamma
    + 2 cos alpha cos beta cos gamma.
    """
    cos_a, cos_b, cos_g = cosines.T
    squares = (cosines**2).sum(axis=1)
    product = 2 * cos_a * cos_b * cos_g
    return np.asarray(1 - squares + product)


def _unit_vectors(cosines: Floats, squared: Floats) -> Floats:
    """(n, 3, 3) lattice vectors of length 1; NaN where (V / abc)^2, `squared`, is negative."""
    cos_a, cos_b, cos_g = cosines.T
    sin_g = np.sqrt(1 - cos_g**2)
    vectors = np.zeros((len(cosines), 3, 3))
    vectors[:, 0, 0] = 1.0
    vectors[:, 1, 0] = cos_g
    vectors[:, 1, 1] = sin_g
    vectors[:, 2, 0] = cos_b
    with np.errstate(invalid="ignore", divide="ignore"):
        vectors[:, 2, 1] = (cos_a - cos_b * cos_g) / sin_g
        vectors[:, 2, 2] = np.sqrt(squared) / sin_g
    return vectors
