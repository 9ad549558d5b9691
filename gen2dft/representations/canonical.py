"""One cell for one crystal: crystals of one structure type come out with the same numbers, as far
as that goes.

A crystal can be written down in endless ways. A network that sees many of them learns blurred
averages, so each crystal is brought to one: the primitive cell of the space group's standard
setting (spglib, Togo & Tanaka, arXiv:1808.01590), positions idealised by symmetry; then, among the
origins on the atoms of the rarest element and the rotations of the lattice onto itself, the one
whose sorted list of positions comes first.
"""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.parallel import map_parts
from gen2dft.symmetry import ask_spglib

SYMPREC = 0.05  # Angstrom; published crystals carry noise of about 0.01
# Positions are compared on a grid that the usual fractions (1/2, 1/3, 1/4, 1/6, 1/8) lie on, then
# on a fine one.
COARSE, FINE = 24, 1000
METRIC_TOLERANCE = 1e-3
THINNEST = 5.0  # tolerances, between opposite faces of a cell
CHUNK = 200  # crystals per task
NEIGHBOURS = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)))


def canonical_cells(
    table: CrystalTable, order: NDArray[np.int64], symprec: float = SYMPREC
) -> CrystalTable:
    """Every crystal in its canonical cell; one that spglib cannot read keeps its own lattice.

    Some milliseconds per crystal, nearly all of it spglib's, shared out among the cores.

    Parameters
    ----------
    order
        (119,) rank of each atomic number; sites are sorted by it first.
    symprec
        Distance within which atoms count as equivalent, Angstrom.
    """
    starts = range(0, len(table), CHUNK)
    parts = [table.select(np.arange(i, min(i + CHUNK, len(table)))) for i in starts]
    return CrystalTable.concatenate(
        list(map_parts(partial(_canonical_part, order=order, symprec=symprec), parts))
    )


def _canonical_part(table: CrystalTable, order: NDArray[np.int64], symprec: float) -> CrystalTable:
    cells = []
    for i in range(len(table)):
        sites = table.sites(i)
        cells.append(
            canonical_cell(
                table.lattices[i], table.frac[sites], table.numbers[sites], order, symprec
            )
        )
    lattices, frac, numbers = zip(*cells, strict=True) if cells else ((), (), ())
    return CrystalTable.from_arrays(np.array(lattices), numbers, frac)


def canonical_cell(
    lattice: NDArray[np.float64],
    frac: NDArray[np.float64],
    numbers: NDArray[np.uint8],
    order: NDArray[np.int64],
    symprec: float = SYMPREC,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """Lattice (3, 3), positions (n, 3) and atomic numbers (n,) of one crystal in its canonical
    cell.
    """
    lattice, frac, numbers = _standard_cell(lattice, frac, numbers, symprec)
    rotations = _lattice_rotations(lattice)
    species, counts = np.unique(numbers, return_counts=True)
    rarest = min(zip(counts, order[species], species, strict=True))[2]
    rank = order[numbers]
    # x' = x R for every rotation, then every atom of the rarest element as origin.
    turned = frac @ rotations
    origins = turned[:, numbers == rarest]
    moved = turned[:, None] - origins[:, :, None]
    moved = moved.reshape(-1, *frac.shape)
    best = moved[_first(moved, rank)]
    key = _grid(best, FINE)
    sequence = np.lexsort((key[:, 2], key[:, 1], key[:, 0], rank))
    best = best[sequence] - np.floor(best[sequence])
    best[best >= 1.0 - 1e-9] = 0.0
    return lattice, best, numbers[sequence].astype(np.uint8)


def _standard_cell(
    lattice: NDArray[np.float64],
    frac: NDArray[np.float64],
    numbers: NDArray[np.uint8],
    symprec: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """The primitive standard cell.

    The cell as it is where spglib finds none or is not to be asked.
    """
    import spglib

    thickness = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0).max()
    if (
        thickness < THINNEST * symprec
    ):  # spglib 2.8 does not survive cells about as thin as its tolerance
        return lattice, frac, numbers
    cell = (lattice.tolist(), frac.tolist(), numbers.tolist())
    standard = ask_spglib(spglib.standardize_cell, cell, to_primitive=True, symprec=symprec)
    if standard is None:
        return lattice, frac, numbers
    return np.asarray(standard[0]), np.asarray(standard[1]), np.asarray(standard[2])


def _grid(frac: NDArray[np.float64], steps: int) -> NDArray[np.int64]:
    """Positions modulo 1 on a grid."""
    return np.rint(frac * steps).astype(np.int64) % steps


def _first(choices: NDArray[np.float64], rank: NDArray[np.int64]) -> int:
    """Which of (m, n, 3) lists of positions comes first when its sites are sorted by rank and
    position.
    """
    codes = []
    for steps in (COARSE, FINE):
        grid = _grid(choices, steps)
        code = (grid[..., 0] * steps + grid[..., 1]) * steps + grid[..., 2]
        codes.append(np.sort(code + rank.astype(np.int64) * steps**3, axis=1))
    lists = np.concatenate(codes, axis=1)
    return int(np.lexsort(lists.T[::-1])[0])


def _lattice_rotations(
    lattice: NDArray[np.float64], tolerance: float = METRIC_TOLERANCE
) -> NDArray[np.float64]:
    """(m, 3, 3) proper rotations of the empty lattice onto itself, as they act on fractional row
    vectors.

    The new axes are lattice vectors of the old lengths that make the old angles with each other: P
    G P^T = G. In a primitive standard cell their components are -1, 0 or 1.
    """
    metric = lattice @ lattice.T
    allowed = tolerance * np.abs(metric).max()
    lengths = np.einsum("ij,jk,ik->i", NEIGHBOURS, metric, NEIGHBOURS)
    choices = [NEIGHBOURS[np.abs(lengths - metric[axis, axis]) < allowed] for axis in range(3)]
    places = np.indices([len(choice) for choice in choices]).reshape(3, -1)
    axes = np.stack([choice[place] for choice, place in zip(choices, places, strict=True)], axis=1)
    same = np.abs(axes @ metric @ axes.transpose(0, 2, 1) - metric).max(axis=(1, 2)) < allowed
    axes = axes[same]
    return np.linalg.inv(axes[np.linalg.det(axes) > 0])
