"""Where crystals lie in their images: orientation, origin, extent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.representations.cells import lattice_parameters, lattices_from_parameters
from gen2dft.representations.indexing import site_owners

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

EDGE = 1e-6  # fractional; what lies less than this below a cell's upper face is on the lower one


def standard_lattices(lattices: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """(n, 3, 3) cells with a along x and b in the xy plane, the orientation in which images are
    drawn; (n,) whether each is a cell.
    """
    lengths, angles = lattice_parameters(lattices)
    return lattices_from_parameters(lengths, angles)


def centred_positions(table: CrystalTable, lattices: Floats) -> Floats:
    """(N, 3) Cartesian positions, Angstrom, of the atoms in their cells, relative to the mean of
    each crystal.
    """
    owner = site_owners(table)
    cell = np.floor(table.frac + EDGE)
    frac = table.frac - cell
    cartesian = np.einsum("ni,nij->nj", frac, lattices[owner])
    sums = np.zeros((len(table), 3))
    for axis, along in enumerate(cartesian.T):
        sums[:, axis] = np.bincount(owner, weights=along, minlength=len(table))
    sizes = np.maximum(table.num_sites, 1)  # a crystal without sites has no mean
    means = sums / sizes[:, None]
    centre = means[owner]
    return cartesian - centre


def from_lowest(table: CrystalTable) -> CrystalTable:
    """The same crystals, the origin moved to the lowest fractional coordinate of each axis."""
    lowest, _ = extremes(table.frac, table.offsets)
    owner = site_owners(table)
    frac = table.frac - lowest[owner]
    frac -= np.floor(frac)
    return CrystalTable(table.lattices, table.numbers, frac, table.offsets)


def extremes(values: Floats, offsets: Indices) -> tuple[Floats, Floats]:
    """(n, 3) least and greatest of each crystal's (N, 3) values; 0 for a crystal without sites."""
    lowest = _reduced(np.minimum, values, offsets)
    highest = _reduced(np.maximum, values, offsets)
    return lowest, highest


def _reduced(reduce: np.ufunc, values: Floats, offsets: Indices) -> Floats:
    found = np.zeros((len(offsets) - 1, 3))
    has_sites = np.diff(offsets) > 0
    starts = offsets[:-1][has_sites]
    # reduceat gives nonsense for empty groups, and refuses an empty array.
    if len(starts):
        found[has_sites] = reduce.reduceat(values, starts, axis=0)
    return found


def longest_of_image(lattices: Floats) -> Floats:
    """(n,) longest of three edges and, for each face, its shorter diagonal, Angstrom; a cell image
    must have room for all of these.
    """
    following = lattices[:, [1, 2, 0]]
    edges = np.linalg.norm(lattices, axis=2)
    sums = np.linalg.norm(lattices + following, axis=2)
    differences = np.linalg.norm(lattices - following, axis=2)
    diagonals = np.minimum(sums, differences)
    lengths = np.concatenate([edges, diagonals], axis=1)
    return lengths.max(axis=1, initial=0.0)
