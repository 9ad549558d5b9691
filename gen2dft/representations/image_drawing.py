"""Drawing of cell and basis images, as sparse rows."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.geometry import cell_heights
from gen2dft.representations.image_grids import (
    BASIS_VOXELS,
    BOX,
    CELL_VOXELS,
    CUT,
    REACH,
    VOXEL,
    WIDTH,
    steps_from_centre,
)
from gen2dft.representations.image_placing import centred_positions, standard_lattices
from gen2dft.representations.indexing import places_of, site_owners
from gen2dft.representations.sparse import SparseRows

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float64)
WINDOW = np.arange(-3, 4)  # voxels about an atom that its Gaussian can reach: 3.6 of them


def draw_cells(table: CrystalTable) -> SparseRows:
    """Cell images, one row of 32^3 per crystal."""
    lattices, _ = standard_lattices(table.lattices)
    places = [np.zeros(0, np.int64)]
    values = [np.zeros(0)]
    counts = []
    for lattice, extent in zip(lattices, _extents(lattices), strict=True):
        own_places, own_values = _cell_gaussian(lattice, extent)
        places.append(own_places)
        values.append(own_values)
        counts.append(len(own_places))
    rows = np.repeat(np.arange(len(table)), counts)
    all_places = np.concatenate(places)
    all_values = np.concatenate(values)
    return SparseRows.from_entries(len(table), CELL_VOXELS**3, rows, all_places, all_values)


def _extents(lattices: Floats) -> Indices:
    """(n, 3) voxels from the centre that the Gaussian can reach along each axis.

    These are 32 reach / height of the cell, less than half of the image.
    """
    reach = CELL_VOXELS * REACH / cell_heights(lattices)
    most = CELL_VOXELS // 2 - 1
    extents = np.minimum(np.floor(reach), most)
    return extents.astype(np.int64)


def _cell_gaussian(lattice: Floats, extent: Indices) -> tuple[Indices, Floats]:
    """(k,) places and values of the voxels of one cell image that are not 0.

    exp(-d^2 / 2 w^2) with d^2 = n G n^T / 32^2, n whole voxels from the centre, G the metric.
    """
    steps = steps_from_centre(extent)
    vectors = (steps / CELL_VOXELS) @ lattice
    squares = (vectors**2).sum(axis=1)
    is_near = squares <= REACH**2
    voxels = steps[is_near] + CELL_VOXELS // 2
    places = places_of(0, voxels.T, CELL_VOXELS)
    squares = squares[is_near]
    values = np.exp(-squares / (2 * WIDTH**2))
    return places, values


def draw_atoms(table: CrystalTable, elements: NDArray[np.uint8]) -> SparseRows:
    """Basis images, one row of 64^3 per crystal and element, elements of one crystal side by
    side.
    """
    places, values = _atom_gaussians(_positions_in_box(table))
    is_drawn = values >= CUT
    image = _image_of_atoms(table, elements)
    rows = np.repeat(image, is_drawn.sum(axis=(1, 2, 3)))
    num_rows = len(table) * len(elements)
    drawn_places = places[is_drawn]
    drawn_values = values[is_drawn]
    return SparseRows.from_entries(num_rows, BASIS_VOXELS**3, rows, drawn_places, drawn_values)


def _positions_in_box(table: CrystalTable) -> Floats:
    """(N, 3) positions, Angstrom, the mean of each crystal in the centre of the box."""
    lattices, _ = standard_lattices(table.lattices)
    return centred_positions(table, lattices) + BOX / 2


def _image_of_atoms(table: CrystalTable, elements: NDArray[np.uint8]) -> Indices:
    """(N,) row of the basis image in which each atom is drawn."""
    is_element = table.numbers[:, None] == elements
    channel = is_element.argmax(axis=1)
    return site_owners(table) * len(elements) + channel


def _atom_gaussians(positions: Floats) -> tuple[Indices, Floats]:
    """(N, 7, 7, 7) places and values of the voxels about each atom.

    exp(-(dx^2 + dy^2 + dz^2) / 2 w^2) is a product of three factors, each on seven voxels.
    """
    nearest = np.rint(positions / VOXEL).astype(np.int64)
    voxels = nearest[:, :, None] + WINDOW
    apart = voxels * VOXEL - positions[:, :, None]
    squares = apart**2
    factors = np.exp(-squares / (2 * WIDTH**2))
    x, y, z = _along_axes(factors)
    values = x * y * z
    in_box = _along_axes(voxels % BASIS_VOXELS)
    places = places_of(0, in_box, BASIS_VOXELS)
    return places, values


def _along_axes(windows: NDArray[Number]) -> tuple[NDArray[Number], ...]:
    """(N, 3, 7) numbers of x, y and z as three arrays that broadcast to (N, 7, 7, 7)."""
    x = windows[:, 0, :, None, None]
    y = windows[:, 1, None, :, None]
    z = windows[:, 2, None, None, :]
    return x, y, z
