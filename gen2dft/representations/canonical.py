"""One cell for one crystal: crystals of one structure type get the same numbers, as far as that is
possible.

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
from gen2dft.representations.indexing import places_of, row_chunks
from gen2dft.symmetry import ask_spglib

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
# Lattice (3, 3), positions (n, 3) and atomic numbers (n,) of one crystal.
Cell = tuple[Floats, Floats, NDArray[np.uint8]]

SYMPREC = 0.05  # Angstrom; published crystals carry noise of about 0.01
# Positions are compared on a grid that the usual fractions (1/2, 1/3, 1/4, 1/6, 1/8) lie on, then
# on a fine one.
COARSE, FINE = 24, 1000
METRIC_TOLERANCE = 1e-3
THINNEST = 5.0  # tolerances, between opposite faces of a cell
CHUNK = 200  # crystals per task
NEIGHBOURS = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)))


def canonical_cells(table: CrystalTable, order: Indices, symprec: float = SYMPREC) -> CrystalTable:
    """Every crystal in its canonical cell; one that spglib cannot read keeps its own lattice.

    A few milliseconds per crystal, nearly all of it in spglib; chunks run on all cores.

    Parameters
    ----------
    order
        (119,) rank of each atomic number; sites are sorted by it first.
    symprec
        Distance within which atoms count as equivalent, Angstrom.
    """
    parts = [table.select(rows) for rows in row_chunks(len(table), CHUNK)]
    task = partial(_canonical_part, order=order, symprec=symprec)
    canonical = list(map_parts(task, parts))
    return CrystalTable.concatenate(canonical)


def _canonical_part(table: CrystalTable, order: Indices, symprec: float) -> CrystalTable:
    lattices, numbers, frac = [], [], []
    for index in range(len(table)):
        sites = table.sites(index)
        cell = (table.lattices[index], table.frac[sites], table.numbers[sites])
        lattice, positions, species = canonical_cell(cell, order, symprec)
        lattices.append(lattice)
        frac.append(positions)
        numbers.append(species)
    return CrystalTable.from_arrays(np.array(lattices), numbers, frac)


def canonical_cell(cell: Cell, order: Indices, symprec: float = SYMPREC) -> Cell:
    """One crystal in its canonical cell; parameters as in `canonical_cells`."""
    lattice, frac, numbers = _standard_cell(cell, symprec)
    rank = order[numbers]
    is_origin = numbers == _rarest(numbers, order)
    settings = _settings(lattice, frac, is_origin)
    chosen = settings[_first(settings, rank)]
    x, y, z = _grid(chosen, FINE).T
    sequence = np.lexsort((z, y, x, rank))
    species = numbers[sequence].astype(np.uint8)
    return lattice, _wrapped(chosen[sequence]), species


def _standard_cell(cell: Cell, symprec: float) -> Cell:
    """The primitive standard cell, or the given one where spglib finds none or must not be asked.

    spglib 2.8 crashes on cells about as thin as its tolerance, so it never sees these.
    """
    import spglib

    lattice, frac, numbers = cell
    thickness = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0).max()
    if thickness < THINNEST * symprec:
        return cell
    given = (lattice.tolist(), frac.tolist(), numbers.tolist())
    standard = ask_spglib(spglib.standardize_cell, given, to_primitive=True, symprec=symprec)
    if standard is None:
        return cell
    lattice, frac, numbers = map(np.asarray, standard)
    return lattice, frac, numbers


def _rarest(numbers: NDArray[np.uint8], order: Indices) -> int:
    """The element with the fewest atoms; of several the one of the lowest rank."""
    species, counts = np.unique(numbers, return_counts=True)
    rank = order[species]
    first, *_ = np.lexsort((rank, counts))
    return int(species[first])


def _settings(lattice: Floats, frac: Floats, is_origin: NDArray[np.bool_]) -> Floats:
    """(m, n, 3) positions for every rotation of the lattice and every origin atom.

    A rotation R takes a row vector x to x R; then the origin moves onto an atom.
    """
    turned = frac @ _lattice_rotations(lattice)
    origins = turned[:, is_origin]
    moved = turned[:, None] - origins[:, :, None]
    return moved.reshape(-1, *frac.shape)


def _wrapped(frac: Floats) -> Floats:
    """Positions in [0, 1); rounding noise just below 1 counts as 0."""
    inside = frac - np.floor(frac)
    inside[inside >= 1.0 - 1e-9] = 0.0
    return inside


def _grid(frac: Floats, steps: int) -> Indices:
    """Positions modulo 1 on a grid."""
    nearest = np.rint(frac * steps).astype(np.int64)
    return nearest % steps


def _first(choices: Floats, rank: Indices) -> int:
    """Index of the list of positions, of (m, n, 3), that comes first when the sites of each are
    sorted by rank and position.
    """
    # The coarse grid decides; the fine one only between lists that are equal on it.
    coarse = _sorted_codes(choices, rank, COARSE)
    fine = _sorted_codes(choices, rank, FINE)
    lists = np.concatenate([coarse, fine], axis=1)
    # lexsort takes its last key first.
    order = np.lexsort(lists.T[::-1])
    return int(order[0])


def _sorted_codes(choices: Floats, rank: Indices, steps: int) -> Indices:
    """(m, n) one whole number per site, by rank, then x, y, z on a grid; sorted in each list."""
    grid = _grid(choices, steps)
    x_y_z = grid.transpose(2, 0, 1)
    codes = places_of(rank, x_y_z, steps)
    return np.sort(codes, axis=1)


def _lattice_rotations(lattice: Floats) -> Floats:
    """(m, 3, 3) proper rotations of the empty lattice onto itself, as they act on fractional row
    vectors.

    The new axes, the rows of P, are lattice vectors of the old lengths that make the old angles
    with each other: P G P^T = G with the metric G. In a primitive standard cell their components
    are -1, 0 or 1.
    """
    metric = lattice @ lattice.T
    allowed = METRIC_TOLERANCE * np.abs(metric).max()
    axes = _axes_of_same_length(metric, allowed)
    new_metrics = axes @ metric @ axes.transpose(0, 2, 1)
    change = np.abs(new_metrics - metric)
    is_symmetry = change.max(axis=(1, 2)) < allowed
    axes = axes[is_symmetry]
    is_proper = np.linalg.det(axes) > 0
    return np.linalg.inv(axes[is_proper])


def _axes_of_same_length(metric: Floats, allowed: float) -> Floats:
    """(k, 3, 3) all triples of neighbouring lattice points as far from the origin as a, b and c."""
    squares = np.einsum("ij,jk,ik->i", NEIGHBOURS, metric, NEIGHBOURS)
    choices = []
    for square in np.diag(metric):
        is_as_long = np.abs(squares - square) < allowed
        choices.append(NEIGHBOURS[is_as_long])
    sizes = [len(choice) for choice in choices]
    picks = np.indices(sizes).reshape(3, -1)
    axes = [choice[pick] for choice, pick in zip(choices, picks, strict=True)]
    return np.stack(axes, axis=1)
