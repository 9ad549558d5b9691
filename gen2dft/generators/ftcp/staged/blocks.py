"""What an FTCP matrix says, block by block, in the form that the staged networks read and write.

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
    columns = slice(0, rep.max_elements)
    present = ops.transpose(matrix[:, rep.element_rows, columns], (0, 2, 1))
    site_columns = matrix[:, rep.occupancy_rows, columns]
    numbers = ops.sum(site_columns, axis=1)
    lengths, angles = (
        matrix[:, rep.lattice_rows.start, :3],
        matrix[:, rep.lattice_rows.start + 1, :3],
    )
    angle_class = ops.clip(ops.round((angles - FIRST_ANGLE) / ANGLE_STEP), 0, ANGLE_CLASSES - 1)
    positions = matrix[:, rep.coordinate_rows, :3]
    steps = ops.round(positions * POSITION_CLASSES)
    total = ops.maximum(ops.sum(numbers, axis=1, keepdims=True), 1.0)
    return Blocks(
        elements=ops.concatenate([1.0 - ops.sum(present, axis=2, keepdims=True), present], axis=2),
        counts=ops.one_hot(ops.cast(ops.round(numbers), "int32"), rep.max_sites + 1),
        fractions=numbers / total,
        lengths=log_lengths(lengths, angles, total),
        angle_classes=ops.one_hot(ops.cast(angle_class, "int32"), ANGLE_CLASSES),
        angle_rests=(angles - FIRST_ANGLE) / ANGLE_STEP - angle_class,
        positions=positions,
        position_classes=ops.one_hot(ops.cast(steps, "int32") % POSITION_CLASSES, POSITION_CLASSES),
        position_rests=2.0 * (positions * POSITION_CLASSES - steps),
        is_site=ops.sum(site_columns, axis=2),
        site_columns=site_columns,
        factors=ops.transpose(
            matrix[:, rep.g_row : rep.property_rows.stop, rep.real_columns :], (0, 2, 1)
        ),
    )


def log_lengths(lengths: Any, angles: Any, num_sites: Any) -> Any:
    """(n, 4) log volume per atom and log relative lengths of (n, 3) cells with (n, 1) sites."""
    cosines = ops.cos(angles * (np.pi / 180.0))
    # V = abc (1 - cos^2 alpha - cos^2 beta - cos^2 gamma + 2 cos alpha cos beta cos gamma)^1/2
    flat = (
        1.0
        - ops.sum(ops.square(cosines), axis=1, keepdims=True)
        + 2.0 * ops.prod(cosines, axis=1, keepdims=True)
    )
    logs = ops.log(ops.maximum(lengths, 1e-2))
    volume = ops.sum(logs, axis=1, keepdims=True) + 0.5 * ops.log(ops.maximum(flat, 1e-6))
    return ops.concatenate([volume - ops.log(num_sites), logs - volume / 3.0], axis=1)


def waves(positions: Any, harmonics: int) -> Any:
    """(..., 6 * harmonics) sines and cosines of fractional positions, which do not see whole
    cells.
    """
    parts = []
    for order in range(1, harmonics + 1):
        phase = (2.0 * np.pi * order) * positions
        parts += [ops.sin(phase), ops.cos(phase)]
    return ops.concatenate(parts, axis=-1)
