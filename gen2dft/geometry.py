"""Periodic distances and covalent radii: how close atoms come in a crystal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable

# Cordero et al., Dalton Trans. 2832 (2008), Z = 1 to 96, Angstrom; sp3 carbon, low-spin Mn, Fe and
# Co.
_CORDERO = (
    0.31, 0.28, 1.28, 0.96, 0.84, 0.76, 0.71, 0.66, 0.57, 0.58,
    1.66, 1.41, 1.21, 1.11, 1.07, 1.05, 1.02, 1.06, 2.03, 1.76,
    1.70, 1.60, 1.53, 1.39, 1.39, 1.32, 1.26, 1.24, 1.32, 1.22,
    1.22, 1.20, 1.19, 1.20, 1.20, 1.16, 2.20, 1.95, 1.90, 1.75,
    1.64, 1.54, 1.47, 1.46, 1.42, 1.39, 1.45, 1.44, 1.42, 1.39,
    1.39, 1.38, 1.39, 1.40, 2.44, 2.15, 2.07, 2.04, 2.03, 2.01,
    1.99, 1.98, 1.98, 1.96, 1.94, 1.92, 1.92, 1.89, 1.90, 1.87,
    1.87, 1.75, 1.70, 1.62, 1.51, 1.44, 1.41, 1.36, 1.36, 1.32,
    1.45, 1.46, 1.48, 1.40, 1.50, 1.50, 2.60, 2.21, 2.15, 2.06,
    2.00, 1.96, 1.90, 1.87, 1.80, 1.69,
)  # fmt: skip
COVALENT_RADII = np.array(
    [np.nan, *_CORDERO, *[max(_CORDERO)] * (118 - len(_CORDERO))]
)  # indexed by atomic number

# With differences wrapped to [-1/2, 1/2], images -1, 0, 1 find every distance below 3/2 of the
# cell's least height.
_IMAGES = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
_CHUNK_VECTORS = 400_000
_HEIGHT_FOR_27_IMAGES = 2.1  # Angstrom, see `_reduced_where_thin`
_FLAT_VOLUME = 1e-3  # Angstrom^3


@dataclass(frozen=True)
class Contacts:
    """Closest contacts of `n` crystals.

    Parameters
    ----------
    distance
        (n,) shortest distance between two atoms or an atom and its own image, Angstrom.
    ratio
        (n,) smallest distance over the sum of the two radii.
    """

    distance: NDArray[np.float64]
    ratio: NDArray[np.float64]


def closest_contacts(table: CrystalTable, radii: NDArray[np.float64] | None = None) -> Contacts:
    """Closest contacts of each crystal over all periodic images.

    Infinite for an empty cell, 0 for a flat one.

    Parameters
    ----------
    radii
        (N,) radius of each site, Angstrom; the covalent radius of its element unless given.
    """
    if radii is None:
        radii = COVALENT_RADII[table.numbers]
    contacts = Contacts(np.full(len(table), np.inf), np.full(len(table), np.inf))
    sizes = table.num_sites
    lattices, frac = _reduced_where_thin(table)
    # Crystals of equal size make rectangular arrays, chunks bound the memory.
    for size in np.unique(sizes[sizes > 0]):
        rows = np.flatnonzero(sizes == size)
        first, second = np.triu_indices(size)
        vectors_per_crystal = len(first) * len(_IMAGES)
        step = max(1, _CHUNK_VECTORS // vectors_per_crystal)
        for start in range(0, len(rows), step):
            chosen = rows[start : start + step]
            first_sites = table.offsets[chosen]
            sites = first_sites[:, None] + np.arange(size)
            lengths = _pair_distances(lattices[chosen], frac[sites], first, second)
            own = radii[sites]
            sums_of_radii = own[:, first] + own[:, second]
            ratios = lengths / sums_of_radii
            contacts.distance[chosen] = lengths.min(axis=1)
            contacts.ratio[chosen] = ratios.min(axis=1)
    return contacts


def cell_heights(lattices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) distances between opposite faces of each cell, Angstrom."""
    following, last = _other_vectors(lattices)
    normals = np.cross(following, last)
    areas = np.linalg.norm(normals, axis=2)
    determinants = np.linalg.det(lattices)
    volumes = np.abs(determinants)
    heights = np.zeros_like(areas)
    np.divide(volumes[:, None], areas, out=heights, where=areas > 0)
    return heights


def cell_angles(lattices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) angles alpha, beta, gamma of each cell, degree; NaN where a vector has no length."""
    following, last = _other_vectors(lattices)
    lengths = np.linalg.norm(following, axis=2) * np.linalg.norm(last, axis=2)
    products = (following * last).sum(axis=2)
    cosines = np.full(lengths.shape, np.nan)
    np.divide(products, lengths, out=cosines, where=lengths > 0)
    # Rounding can lead a hair beyond 1, where the arc cosine is NaN.
    cosines = np.clip(cosines, -1, 1)
    angles = np.arccos(cosines)
    return np.asarray(np.degrees(angles))


def _other_vectors(
    lattices: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 3, 3) each: beside a, b, c the two other vectors, b, c, a and c, a, b."""
    following = lattices[:, [1, 2, 0]]
    last = lattices[:, [2, 0, 1]]
    return following, last


def _pair_distances(
    lattices: NDArray[np.float64],
    frac: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
) -> NDArray[np.float64]:
    """(k, pairs) shortest distance of each pair in `k` cells of equal size.

    A pair (i, i) means i and its images.
    """
    distances = np.empty((len(frac), len(first)))
    to_images = _IMAGES @ lattices
    # Vectors to all images of all pairs of a large cell would fill the memory.
    step = max(1, _CHUNK_VECTORS // (len(_IMAGES) * max(1, len(frac))))
    for start in range(0, len(first), step):
        pairs = slice(start, start + step)
        distances[:, pairs] = _shortest(lattices, frac, to_images, first[pairs], second[pairs])
    return distances


def _shortest(
    lattices: NDArray[np.float64],
    frac: NDArray[np.float64],
    to_images: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
) -> NDArray[np.float64]:
    """The same of a few pairs; `to_images` are the (k, 27, 3) vectors to the images of a cell."""
    apart = frac[:, second] - frac[:, first]
    apart -= np.round(apart)
    in_home_cell = apart[:, :, None] @ lattices[:, None]
    vectors = in_home_cell + to_images[:, None]
    squares = np.einsum("kpic,kpic->kpi", vectors, vectors)
    # An atom is not its own neighbour; its images are.
    is_itself = first == second
    home = len(_IMAGES) // 2
    squares[:, is_itself, home] = np.inf
    shortest = squares.min(axis=2)
    return np.asarray(np.sqrt(shortest))


def _reduced_where_thin(table: CrystalTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lattices and fractional coordinates, with thin cells replaced by their LLL-reduced equals.

    27 images suffice for the distances that matter (below 0.6 of two radii, 3.1 Angstrom) only in
    cells at least 2.1 Angstrom high. In a reduced cell the shortest vector is among the 27 images,
    and that vector is a contact.
    """
    heights = cell_heights(table.lattices).min(axis=1, initial=np.inf)
    is_thin = heights < _HEIGHT_FOR_27_IMAGES
    reduced = in_reduced_cells(table, np.flatnonzero(is_thin))
    return reduced.lattices, reduced.frac


def in_reduced_cells(table: CrystalTable, rows: NDArray[np.int64]) -> CrystalTable:
    """The same crystals, those at `rows` in the LLL-reduced cells of their lattices."""
    from pymatgen.core import Lattice

    lattices, frac = table.lattices.copy(), table.frac.copy()
    # A flat cell has no reduced one; its contacts are 0 anyway.
    has_volume = table.volumes > _FLAT_VOLUME
    for index in rows[has_volume[rows]].tolist():
        reduced = Lattice(lattices[index]).get_lll_reduced_lattice().matrix
        sites = table.sites(index)
        cartesian = frac[sites] @ lattices[index]
        frac[sites] = cartesian @ np.linalg.inv(reduced)
        lattices[index] = reduced
    return replace(table, lattices=lattices, frac=frac)


def distances_in_cell(
    lattice: NDArray[np.float64], frac: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, n) shortest distances, Angstrom, between the sites of one cell over all periodic images.

    On the diagonal: of a site and its own images. Exact for what is shorter than 3/2 of the cell's
    least height, as `closest_contacts`.
    """
    distances = np.zeros((len(frac), len(frac)))
    if not len(frac):
        return distances
    first, second = np.triu_indices(len(frac))
    (lengths,) = _pair_distances(lattice[None], frac[None], first, second)
    distances[first, second] = lengths
    distances[second, first] = lengths
    return distances
