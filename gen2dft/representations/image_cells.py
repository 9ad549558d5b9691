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
from gen2dft.representations.indexing import voxels_of

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

CHUNK = 64  # images at a time
# The six numbers of a symmetric 3 x 3 matrix: place of each, and how often it counts in n G n^T.
FIRST, SECOND = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])
TIMES = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
WORST_CONDITION = 1e8  # of the fit; beyond it the image does not determine all six numbers


def read_cells(
    images: NDArray[np.float32], size: int, width: float, cut: float
) -> tuple[Floats, NDArray[np.bool_]]:
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
    lengths = np.zeros((len(images), 3))
    angles = np.zeros((len(images), 3))
    for start in range(0, len(images), CHUNK):
        rows = slice(start, start + CHUNK)
        metrics = _fitted_metrics(images[rows], size, width, cut)
        lengths[rows], angles[rows] = _parameters(metrics)
    return lattices_from_parameters(lengths, angles)


def _fitted_metrics(images: NDArray[np.float32], size: int, width: float, cut: float) -> Floats:
    """(n, 6) numbers of G, Angstrom^2, by least squares; NaN where the image does not tell them."""
    rows, places, values = _used_voxels(images, cut)
    terms, products = _quadratic_terms(size)
    # -2 w^2 N^2 ln(image) = n G n^T
    scale = -2 * (width * size) ** 2
    squares = scale * np.log(values)
    # An error dv of the image is an error dv / v of its logarithm.
    weights = values**2
    weighted_products = weights[:, None] * products[places]
    weighted = weights * squares
    weighted_squares = weighted[:, None] * terms[places]
    normal = _sums(weighted_products, rows, len(images))
    right = _sums(weighted_squares, rows, len(images))
    return _solved(normal.reshape(-1, 6, 6), right)


def _used_voxels(images: NDArray[np.float32], cut: float) -> tuple[Indices, Indices, Floats]:
    """(k,) image, place and value of the voxels that tell of the cell.

    The centre, where the image is 1, tells nothing.
    """
    with np.errstate(invalid="ignore"):
        is_used = (images >= cut) & (images < 1.0)
    rows, places = np.nonzero(is_used)
    values = images[rows, places].astype(np.float64)
    return rows, places, values


def _solved(normal: Floats, right: Floats) -> Floats:
    """(n, 6) solutions of (n, 6, 6) normal equations; NaN where they are ill-conditioned."""
    fit = np.full(right.shape, np.nan)
    is_solvable = np.linalg.cond(normal) < WORST_CONDITION
    columns = right[is_solvable][..., None]
    solutions = np.linalg.solve(normal[is_solvable], columns)
    fit[is_solvable] = solutions[..., 0]
    return fit


def _parameters(metrics: Floats) -> tuple[Floats, Floats]:
    """(n, 3) lengths, Angstrom, and angles, degree, of (n, 6) numbers of G; NaN where there is no
    such cell.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        lengths = np.sqrt(metrics[:, :3])
        a, b, c = lengths.T
        # alpha lies between b and c, beta between a and c, gamma between a and b.
        edges = np.stack([b * c, a * c, a * b], axis=1)
        cosines = metrics[:, 3:] / edges
        angles = np.degrees(np.arccos(cosines))
    return lengths, angles


def _sums(values: Floats, rows: Indices, num_rows: int) -> Floats:
    """(num_rows, k) sums of (m, k) values by row, the rows in ascending order."""
    out = np.zeros((num_rows, values.shape[1]))
    present, starts = np.unique(rows, return_index=True)
    if len(present):
        out[present] = np.add.reduceat(values, starts, axis=0)
    return out


@functools.cache
def _quadratic_terms(size: int) -> tuple[Floats, Floats]:
    """(size^3, 6) terms of n G n^T of every voxel, and (size^3, 36) their products."""
    everywhere = np.arange(size**3)
    _, voxels = voxels_of(everywhere, size)
    steps = np.stack(voxels, axis=1) - size // 2
    first = steps[:, FIRST]
    second = steps[:, SECOND]
    terms = TIMES * (first * second)
    products = terms[:, :, None] * terms[:, None, :]
    products = products.reshape(-1, 36)
    return terms, products
