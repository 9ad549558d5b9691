"""The images that an autoencoder learns from: drawn batch by batch, of crystals a little
deformed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.epochs import Inputs, Rows
from gen2dft.representations.image_placing import EDGE, extremes
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

    def take(rows: NDArray[np.int64], rng: np.random.Generator | None) -> Inputs:
        owner, channel = np.divmod(rows, per_crystal)
        chosen = crystals.select(owner)
        images = draw(chosen if rng is None else deformed(chosen, rng, strain, shift))
        return [images.dense(np.arange(len(rows)) * per_crystal + channel).reshape(-1, *shape)]

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
    change = strain * rng.standard_normal((len(table), 3, 3))
    change = np.triu(change) + np.triu(change, 1).transpose(0, 2, 1)
    lattices = table.lattices + table.lattices @ change
    owner = np.repeat(np.arange(len(table)), table.num_sites)
    step = shift * rng.standard_normal((len(owner), 3))
    frac = (
        table.frac
        - np.floor(table.frac + EDGE)
        + np.einsum("ni,nij->nj", step, np.linalg.inv(lattices)[owner])
    )
    lowest, _ = extremes(frac, table.offsets)
    return CrystalTable(lattices, table.numbers, frac - lowest[owner], table.offsets)
