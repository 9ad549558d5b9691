"""The content of an FTCP matrix in blocks, as the staged networks read and write it.

Angles and positions are classes with a remainder: a network that is unsure between two sites
chooses one of them, where a squared error would put the atom in the middle. The classes' centres
are the values that symmetry prefers: multiples of 5 degree, multiples of 1/24.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from gen2dft.representations.ftcp import FTCP

POSITION_CLASSES = 24
ANGLE_CLASSES, FIRST_ANGLE, ANGLE_STEP = 25, 30.0, 5.0
# Relative lengths vary less than anything else that the encoder reads.
LENGTH_GAIN = 3.0


@dataclass(frozen=True)
class Blocks:
    """One batch; C element columns, K elements, S sites.

    Parameters
    ----------
    elements
        (n, C, K + 1) one-hot, class 0 being "no element".
    counts
        (n, C, S + 1) one-hot numbers of sites of each element.
    fractions
        (n, C) shares of the atoms.
    lengths
        (n, 4) log of the volume per atom (Angstrom^3), and of each cell length over the cube root
        of the volume.
    angle_classes, angle_rests
        (n, 3, 25) one-hot and (n, 3) distance to the class's centre in steps, -0.5 to 0.5.
    positions
        (n, S, 3) fractional.
    position_classes, position_rests
        (n, S, 3, 24) one-hot and (n, S, 3) distance to the class's centre in half steps, -1 to 1.
    is_site
        (n, S) 1 where there is an atom.
    site_columns
        (n, S, C) one-hot element column of each site.
    factors
        (n, 59, 93) scaled abs(g) and structure factors.
    """

    elements: Any
    counts: Any
    fractions: Any
    lengths: Any
    angle_classes: Any
    angle_rests: Any
    positions: Any
    position_classes: Any
    position_rests: Any
    is_site: Any
    site_columns: Any
    factors: Any


def read_blocks(rep: FTCP, matrix: Any) -> Blocks:
    """The blocks of (n, rows, columns) matrices whose reciprocal part is scaled."""
    site_columns = rep.occupancy(matrix)
    numbers = ops.sum(site_columns, axis=1)
    num_sites = ops.sum(numbers, axis=1, keepdims=True)
    num_sites = ops.maximum(num_sites, 1.0)
    lengths = rep.lengths(matrix)
    angles = rep.angles(matrix)
    angle_classes, angle_rests = _angle_classes(angles)
    positions = rep.coordinates(matrix)
    position_classes, position_rests = _position_classes(positions)
    elements = _elements(rep, matrix)
    counts = _one_hot(ops.round(numbers), rep.max_sites + 1)
    factors = rep.reciprocal_part(matrix)
    return Blocks(
        elements=elements,
        counts=counts,
        fractions=numbers / num_sites,
        lengths=log_lengths(lengths, angles, num_sites),
        angle_classes=angle_classes,
        angle_rests=angle_rests,
        positions=positions,
        position_classes=position_classes,
        position_rests=position_rests,
        is_site=ops.sum(site_columns, axis=2),
        site_columns=site_columns,
        factors=ops.transpose(factors, (0, 2, 1)),
    )


def _elements(rep: FTCP, matrix: Any) -> Any:
    """(n, C, K + 1) one-hot, class 0 where a column holds no element."""
    columns = rep.element_columns(matrix)
    present = ops.transpose(columns, (0, 2, 1))
    absent = 1.0 - ops.sum(present, axis=2, keepdims=True)
    return ops.concatenate([absent, present], axis=2)


def _angle_classes(angles: Any) -> tuple[Any, Any]:
    """`angle_classes` and `angle_rests` of `Blocks`."""
    steps = (angles - FIRST_ANGLE) / ANGLE_STEP
    last = ANGLE_CLASSES - 1
    nearest = ops.clip(ops.round(steps), 0, last)
    classes = _one_hot(nearest, ANGLE_CLASSES)
    return classes, steps - nearest


def _position_classes(positions: Any) -> tuple[Any, Any]:
    """`position_classes` and `position_rests` of `Blocks`."""
    steps = positions * POSITION_CLASSES
    nearest = ops.round(steps)
    # Positions are periodic: what is rounded up to 1 is in the class of 0.
    classes = _one_hot(nearest % POSITION_CLASSES, POSITION_CLASSES)
    return classes, 2.0 * (steps - nearest)


def _one_hot(classes: Any, depth: int) -> Any:
    """(..., depth) of (...) whole numbers, which are floats in a matrix."""
    indices = ops.cast(classes, "int32")
    return ops.one_hot(indices, depth)


def log_lengths(lengths: Any, angles: Any, num_sites: Any) -> Any:
    """(n, 4) log volume per atom and log relative lengths of (n, 3) cells with (n, 1) sites."""
    logs = ops.log(ops.maximum(lengths, 1e-2))
    cuboid = ops.sum(logs, axis=1, keepdims=True)
    factor = 0.5 * ops.log(_volume_factor_squared(angles))
    volume = cuboid + factor
    per_atom = volume - ops.log(num_sites)
    relative = logs - volume / 3.0
    return ops.concatenate([per_atom, relative], axis=1)


def _volume_factor_squared(angles: Any) -> Any:
    """(n, 1) (V / abc)^2 = 1 - cos^2 alpha - cos^2 beta - cos^2 gamma
    + 2 cos alpha cos beta cos gamma, at least 1e-6.
    """
    radians = angles * (np.pi / 180.0)
    cosines = ops.cos(radians)
    squares = ops.square(cosines)
    sum_of_squares = ops.sum(squares, axis=1, keepdims=True)
    product = ops.prod(cosines, axis=1, keepdims=True)
    factor = 1.0 - sum_of_squares + 2.0 * product
    return ops.maximum(factor, 1e-6)


def waves(positions: Any, harmonics: int) -> Any:
    """(..., 6 * harmonics) sines and cosines of fractional positions, the same in every cell."""
    parts = []
    for order in range(1, harmonics + 1):
        phase = (2.0 * np.pi * order) * positions
        parts.append(ops.sin(phase))
        parts.append(ops.cos(phase))
    return ops.concatenate(parts, axis=-1)
