"""Local maxima of many periodic images at once, to a fraction of a voxel."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.representations.indexing import places_of, voxels_of

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Indices = NDArray[np.int64]
Step = tuple[int, int, int]

CUBE: list[Step] = [(x, y, z) for x, y, z in itertools.product((-1, 0, 1), repeat=3)]
CENTRE = len(CUBE) // 2
EARLIER, LATER = CUBE[:CENTRE], CUBE[CENTRE + 1 :]  # neighbours, as voxels are numbered
ALONG: tuple[Step, Step, Step] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
LEAST = 1e-3  # of the peak: lower neighbours count as this high, which bounds their logarithm


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

    rows: Indices
    positions: Floats
    heights: Singles


def find_peaks(images: Singles, size: int, threshold: float) -> Peaks:
    """Voxels of (n, size^3) images that no neighbour of 26 exceeds, refined by a parabola through
    the logarithm.

    For a Gaussian that parabola is exact. Of equal neighbours the first one is the peak. NaN is
    none.
    """
    flat = images.reshape(-1)
    places = _maxima(flat, size, threshold)
    heights = flat[places]
    rows, voxels = voxels_of(places, size)
    nearest = np.stack(voxels, axis=1)
    positions = nearest.astype(np.float64)
    for axis, step in enumerate(ALONG):
        positions[:, axis] += _offset(flat, places, step, size)
    order = np.lexsort((-heights, rows))
    return Peaks(rows[order], positions[order], heights[order])


def _maxima(flat: Singles, size: int, threshold: float) -> Indices:
    """Places of voxels of at least the threshold, above all earlier neighbours and not below any
    later one.
    """
    places = np.flatnonzero(flat >= threshold)
    for step in EARLIER:
        neighbours = flat[_moved(places, step, size)]
        places = places[flat[places] > neighbours]
    for step in LATER:
        neighbours = flat[_moved(places, step, size)]
        places = places[flat[places] >= neighbours]
    return places


def _offset(flat: Singles, places: Indices, step: Step, size: int) -> Floats:
    """(k,) voxels from each place to the top of the parabola through it and its two neighbours."""
    heights = flat[places]
    x, y, z = step
    behind = _moved(places, (-x, -y, -z), size)
    ahead = _moved(places, step, size)
    before = _log(flat[behind], heights)
    after = _log(flat[ahead], heights)
    centre = _log(heights, heights)
    rise = after - before
    curvature = 2 * centre - before - after
    offset = np.zeros(len(places))
    is_curved = curvature > 0  # else the three are equal, and the place is the top
    np.divide(rise, 2 * curvature, out=offset, where=is_curved)
    return np.clip(offset, -0.5, 0.5)


def _moved(places: Indices, step: Step, size: int) -> Indices:
    """Places of the voxels one step away, across the faces of the box where need be."""
    rows, voxels = voxels_of(places, size)
    moved = []
    for voxel, change in zip(voxels, step, strict=True):
        moved.append((voxel + change) % size)
    return places_of(rows, moved, size)


def _log(values: Singles, heights: Singles) -> Floats:
    bounded = np.maximum(values, LEAST * heights)
    return np.log(bounded.astype(np.float64))
