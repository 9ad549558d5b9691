"""From cell images back to cells.

The Gaussian at the centre of a cell image, on voxels n of a grid of N^3, is exp(-n G n^T / (2 w^2
N^2)) with the metric G of the cell: its axes give the lengths, its face diagonals the angles, and a
weighted least-squares fit of G to the logarithm uses these and all voxels between them.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from gen2dft.representations.cells import lattices_from_parameters

CHUNK = 64  # images at a time
# The six numbers of a symmetric 3 x 3 matrix: place of each, and how often it counts in n G n^T.
FIRST, SECOND = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])
TIMES = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
WORST_CONDITION = 1e8  # of the fit; beyond it the image does not tell all six numbers


def read_cells(
    images: NDArray[np.float32], size: int, width: float, cut: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cells of (n, size^3) images.

    Parameters
    ----------
    size
        Voxels along an edge.
    width
        Of the Gaussian, Angstrom.
    cut
        Voxels below it are not used.

    Returns
    -------
    (n, 3, 3) lattices, a along x and b in the xy plane, the unit matrix where there is no cell;
    (n,) whether there is.
    """
    starts = range(0, len(images), CHUNK)
    parts = [_read(images[i : i + CHUNK], size, width, cut) for i in starts]
    lengths, angles = (
        np.concatenate([part[k] for part in parts]) if parts else np.zeros((0, 3)) for k in range(2)
    )
    return lattices_from_parameters(lengths, angles)


def _read(
    images: NDArray[np.float32], size: int, width: float, cut: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 3) lengths, Angstrom, and angles, degree; NaN where the image tells no cell."""
    terms, products = _quadratic_terms(size)
    with np.errstate(invalid="ignore"):
        rows, places = np.nonzero((images >= cut) & (images < 1.0))
    values = images[rows, places].astype(np.float64)
    # An error dv of the image is an error dv / v of its logarithm.
    weights = values**2
    squares = -2 * (width * size) ** 2 * np.log(values)
    normal = _sums(weights[:, None] * products[places], rows, len(images)).reshape(-1, 6, 6)
    right = _sums((weights * squares)[:, None] * terms[places], rows, len(images))
    solvable = np.linalg.cond(normal) < WORST_CONDITION
    fit = np.full((len(images), 6), np.nan)
    fit[solvable] = np.linalg.solve(normal[solvable], right[solvable][..., None])[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        lengths = np.sqrt(fit[:, :3])
        cosines = fit[:, 3:] / (lengths[:, [1, 0, 0]] * lengths[:, [2, 2, 1]])
        return lengths, np.degrees(np.arccos(cosines))


def _sums(
    values: NDArray[np.float64], rows: NDArray[np.int64], num_rows: int
) -> NDArray[np.float64]:
    """(num_rows, k) sums of (m, k) values by row, the rows in ascending order."""
    out = np.zeros((num_rows, values.shape[1]))
    present, starts = np.unique(rows, return_index=True)
    if len(present):
        out[present] = np.add.reduceat(values, starts, axis=0)
    return out


@functools.cache
def _quadratic_terms(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(size^3, 6) terms of n G n^T of every voxel, and (size^3, 36) their products."""
    steps = np.stack(
        np.meshgrid(*[np.arange(size) - size // 2] * 3, indexing="ij"), axis=-1
    ).reshape(-1, 3)
    terms: NDArray[np.float64] = TIMES * (steps[:, FIRST] * steps[:, SECOND]).astype(np.float64)
    products: NDArray[np.float64] = terms[:, :, None] * terms[:, None, :]
    return terms, products.reshape(len(terms), 36)
