"""Stars: lattice vectors in sets that the point group maps onto themselves, the basis of the
interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNK = 100_000  # vectors times rotations at a time, to bound memory


@dataclass(frozen=True, eq=False)
class Stars:
    """Lattice vectors within a sphere, star by star, shortest first.

    The first star is the origin alone.

    Parameters
    ----------
    vectors
        (n, 3) integer coordinates, the vectors of a star together.
    sizes
        (m,) number of vectors in each star.
    lengths
        (m,) length of the vectors of each star, Angstrom.
    """

    vectors: NDArray[np.int64]
    sizes: NDArray[np.int64]
    lengths: NDArray[np.float64]

    @property
    def starts(self) -> NDArray[np.int64]:
        """(m,) index of the first vector of each star."""
        ends = np.cumsum(self.sizes)
        return ends - self.sizes

    @property
    def star_of(self) -> NDArray[np.int64]:
        """(n,) number of each vector's star."""
        numbers = np.arange(len(self.sizes))
        return np.repeat(numbers, self.sizes)

    @property
    def reach(self) -> NDArray[np.int64]:
        """(3,) largest coordinate along each lattice vector."""
        return np.abs(self.vectors).max(axis=0)


def find_stars(lattice: NDArray[np.float64], rotations: NDArray[np.int64], count: int) -> Stars:
    """About `count` stars: all lattice vectors in a sphere of `count` times the number of rotations
    cells.

    Parameters
    ----------
    lattice
        (3, 3) lattice vectors as rows, Angstrom.
    rotations
        (n, 3, 3) integers, a group that holds the inversion.
    """
    cells = count * len(rotations)
    radius = _radius(lattice, cells)
    vectors, squares = _inside(lattice, radius)
    keys = _smallest_key(vectors, rotations)
    of_star, first, star = np.unique(keys, return_index=True, return_inverse=True)
    star_squares = squares[first]
    # Vectors of one star are equally long, so sorting by the star's shortest length keeps a star
    # together.
    rounded = np.round(star_squares, 6)
    by_length = np.lexsort((of_star, rounded))
    rank = np.argsort(by_length)
    star_of = rank[star.reshape(-1)]
    order = np.argsort(star_of, kind="stable")
    sizes = np.bincount(star_of)
    lengths = np.sqrt(star_squares[by_length])
    return Stars(vectors[order], sizes, lengths)


def _radius(lattice: NDArray[np.float64], cells: int) -> float:
    """Radius of the sphere with the volume of so many cells, Angstrom."""
    volume = abs(np.linalg.det(lattice))
    # V = 4 pi r^3 / 3
    cube = 3.0 / (4.0 * np.pi) * cells * volume
    return float(cube ** (1.0 / 3.0))


def _inside(
    lattice: NDArray[np.float64], radius: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Lattice vectors shorter than the radius, and their squared lengths."""
    # The plane of vectors with coordinate i = N lies N / |b_i| from the origin, b_i without 2 pi.
    reciprocal = np.linalg.inv(lattice)
    reciprocal_lengths = np.linalg.norm(reciprocal, axis=0)
    bounds = np.ceil(radius * reciprocal_lengths).astype(int)
    ranges = [np.arange(-bound, bound + 1) for bound in bounds]
    grid = np.meshgrid(*ranges, indexing="ij")
    box = np.stack(grid, axis=-1)
    vectors = box.reshape(-1, 3)
    cartesian = vectors @ lattice
    squares = (cartesian**2).sum(axis=1)
    inside = squares < radius**2
    return vectors[inside], squares[inside]


def _smallest_key(vectors: NDArray[np.int64], rotations: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) for each vector the smallest number among those that stand for its images: the same for
    a whole star.
    """
    largest = int(np.abs(vectors).max())
    width = 2 * (largest + 1)  # more than the values that a coordinate can have
    base = np.array([width**2, width, 1])
    # base . (W R) = (base W) . R: one number per rotation and vector instead of three.
    weights = base @ rotations
    step = max(1, CHUNK // len(rotations))
    smallest = np.empty(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), step):
        end = start + step
        chunk = slice(start, end)
        keys = vectors[chunk] @ weights.T
        smallest[chunk] = keys.min(axis=1)
    return smallest
