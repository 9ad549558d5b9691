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
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]])

    @property
    def star_of(self) -> NDArray[np.int64]:
        """(n,) number of each vector's star."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

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
    radius = (3.0 / (4.0 * np.pi) * cells * abs(np.linalg.det(lattice))) ** (1.0 / 3.0)
    vectors, squares = _inside(lattice, radius)
    keys = _smallest_key(vectors, rotations)
    # Vectors of one star are equally long, so sorting by the star's shortest length keeps a star
    # together.
    _, first, star = np.unique(keys, return_index=True, return_inverse=True)
    by_length = np.lexsort((keys[first], np.round(squares[first], 6)))
    rank = np.empty_like(by_length)
    rank[by_length] = np.arange(len(by_length))
    star = rank[star.reshape(-1)]
    order = np.argsort(star, kind="stable")
    return Stars(vectors[order], np.bincount(star), np.sqrt(squares[first][by_length]))


def _inside(
    lattice: NDArray[np.float64], radius: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Lattice vectors shorter than the radius, and their squared lengths."""
    # The plane of vectors with coordinate i = N lies N / |b_i| from the origin, b_i without 2 pi.
    bounds = np.ceil(radius * np.linalg.norm(np.linalg.inv(lattice), axis=0)).astype(int)
    ranges = [np.arange(-b, b + 1) for b in bounds]
    vectors = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    squares = ((vectors @ lattice) ** 2).sum(axis=1)
    inside = squares < radius**2
    return vectors[inside], squares[inside]


def _smallest_key(vectors: NDArray[np.int64], rotations: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) for each vector the smallest number among those that stand for its images: the same for
    a whole star.
    """
    half = int(np.abs(vectors).max()) + 1
    base = np.array([(2 * half) ** 2, 2 * half, 1])
    step = max(1, CHUNK // len(rotations))
    smallest = np.empty(len(vectors), dtype=np.int64)
    # base . (W R) = (base W) . R: one number per rotation and vector instead of three.
    weights = base @ rotations
    for start in range(0, len(vectors), step):
        smallest[start : start + step] = (vectors[start : start + step] @ weights.T).min(axis=1)
    return smallest
