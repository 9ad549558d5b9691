"""The images that an autoencoder learns from: drawn batch by batch, of crystals a little
deformed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.epochs import Inputs, Randomness, Rows
from gen2dft.representations.image_placing import EDGE, extremes
from gen2dft.representations.indexing import site_owners
from gen2dft.representations.sparse import SparseRows

Draw = Callable[[CrystalTable], SparseRows]


def image_rows(
    crystals: CrystalTable,
    draw: Draw,
    per_crystal: int,
    shape: tuple[int, ...],
    strain: float,
    shift: float,
) -> Rows:
    """Rows for the loop over epochs; deformed, as in `deformed`, where the loop gives a randomness.

    Parameters
    ----------
    draw
        Images of crystals, `per_crystal` of each side by side.
    shape
        Of one image as the network reads it.
    """

    def take(rows: NDArray[np.int64], rng: Randomness) -> Inputs:
        owner, channel = np.divmod(rows, per_crystal)
        chosen = crystals.select(owner)
        if rng is not None:
            chosen = deformed(chosen, rng, strain, shift)
        # Each row's crystal is drawn with all its elements; one of these images is the row's.
        drawn = draw(chosen)
        first = np.arange(len(rows)) * per_crystal
        images = drawn.dense(first + channel)
        return [images.reshape(-1, *shape)]

    return Rows(len(crystals) * per_crystal, take)


def deformed(
    table: CrystalTable, rng: np.random.Generator, strain: float, shift: float
) -> CrystalTable:
    """The crystals with cells strained and atoms shifted at random.

    An atom on a lower face of its cell must not jump to the upper one, where it would be drawn: the
    lowest coordinate of each axis is 0 afterwards.

    Parameters
    ----------
    strain
        Standard deviation of the six numbers of the strain.
    shift
        Standard deviation of each Cartesian coordinate, Angstrom.
    """
    noise = rng.standard_normal((len(table), 3, 3))
    change = strain * _symmetric(noise)
    lattices = table.lattices + table.lattices @ change
    owner = site_owners(table)
    step = shift * rng.standard_normal((len(owner), 3))
    inverse = np.linalg.inv(lattices)
    fractional_step = np.einsum("ni,nij->nj", step, inverse[owner])
    frac = table.frac - np.floor(table.frac + EDGE)
    frac += fractional_step
    lowest, _ = extremes(frac, table.offsets)
    from_lowest = frac - lowest[owner]
    return CrystalTable(lattices, table.numbers, from_lowest, table.offsets)


def _symmetric(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3, 3) matrices whose lower triangles are replaced by their mirrored upper ones."""
    upper = np.triu(matrices)
    above_diagonal = np.triu(matrices, 1)
    return upper + above_diagonal.transpose(0, 2, 1)
