"""Local maxima of many periodic images at once, to a fraction of a voxel."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = [step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)]
LEAST = 1e-3  # of the peak: what a neighbour is taken to be if it is less


@dataclass(frozen=True, eq=False)
class Peaks:
    """Local maxima, by image, the highest of each image first.

    Parameters
    ----------
    rows
        (k,) image of each.
    positions
        (k, 3) in voxels, 0 being the first voxel.
    heights
        (k,) value of the voxel.
    """

    rows: NDArray[np.int64]
    positions: NDArray[np.float64]
    heights: NDArray[np.float32]


def find_peaks(images: NDArray[np.float32], size: int, threshold: float) -> Peaks:
    """Voxels of (n, size^3) images that no neighbour of 26 exceeds, refined by a parabola through
    the logarithm.

    For a Gaussian that parabola is exact. Of equal neighbours the first one is the peak. NaN is
    none.
    """
    flat = images.reshape(-1)
    places = np.flatnonzero(flat >= threshold)
    for number, step in enumerate(NEIGHBOURS):
        other = flat[_moved(places, step, size)]
        is_later = number >= len(NEIGHBOURS) // 2
        here = flat[places]
        places = places[here >= other] if is_later else places[here > other]
    heights = flat[places]
    rows, voxels = _split(places, size)
    positions = np.stack(voxels, axis=1).astype(np.float64)
    for axis in range(3):
        step = tuple(int(axis == k) for k in range(3))
        back = tuple(-s for s in step)
        before, after = (_log(flat[_moved(places, s, size)], heights) for s in (back, step))
        centre = np.log(heights.astype(np.float64))
        curvature = 2 * centre - before - after
        offset = np.divide(
            after - before, 2 * curvature, out=np.zeros(len(places)), where=curvature > 0
        )
        positions[:, axis] += np.clip(offset, -0.5, 0.5)
    order = np.lexsort((-heights, rows))
    return Peaks(rows[order], positions[order], heights[order])


def _split(
    places: NDArray[np.int64], size: int
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Image and the three voxel numbers of flat places."""
    rest, z = np.divmod(places, size)
    rest, y = np.divmod(rest, size)
    rows, x = np.divmod(rest, size)
    return rows, [x, y, z]


def _moved(places: NDArray[np.int64], step: tuple[int, ...], size: int) -> NDArray[np.int64]:
    """Flat places of the voxels one step away, across the faces of the box where need be."""
    rows, voxels = _split(places, size)
    x, y, z = ((voxel + s) % size for voxel, s in zip(voxels, step, strict=True))
    return ((rows * size + x) * size + y) * size + z


def _log(values: NDArray[np.float32], heights: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.log(np.maximum(values, LEAST * heights).astype(np.float64))
