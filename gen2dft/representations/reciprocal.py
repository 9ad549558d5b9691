"""The 59 reciprocal lattice points of an FTCP matrix."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
from numpy.typing import NDArray

NUM_HKL = 59
MOST_STEPS = 3  # of |h| + |k| + |l|: 62 points, of which the last three are left out
Point = tuple[int, ...]  # h, k, l
Points = NDArray[np.int64]


@cache
def reciprocal_points() -> Points:
    """(59, 3) Miller indices nearest the origin, by |h|+|k|+|l|, then -h, -k, -l.

    The origin is left out. The array is shared between callers and read-only.
    """
    span = range(-MOST_STEPS, MOST_STEPS + 1)
    near = []
    for point in itertools.product(span, repeat=3):
        if 0 < _steps(point) <= MOST_STEPS:
            near.append(point)
    near.sort(key=_from_origin)
    points = np.array(near[:NUM_HKL], dtype=np.int64)
    points.flags.writeable = False
    return points


@cache
def without_friedel_mates() -> tuple[Points, Points]:
    """Points of which no two are each other's inverse, and the place among them of the value of
    each of the 59 points.

    abs(F(-h)) = abs(F(h)) for real Z, and so is abs(g): half of the work can be saved.
    """
    points = reciprocal_points()
    mates = -points
    # Of each pair the one that comes later in the order of tuples stands for both.
    pairs = zip(points.tolist(), mates.tolist(), strict=True)
    upper = [max(pair) for pair in pairs]
    unique, place = np.unique(upper, axis=0, return_inverse=True)
    return unique, place.reshape(-1)


def all_points() -> tuple[Points, Points]:
    """The 59 points, each in its own place; for values that differ between Friedel mates."""
    return reciprocal_points(), np.arange(NUM_HKL)


def _steps(point: Point) -> int:
    return sum(map(abs, point))


def _from_origin(point: Point) -> Point:
    h, k, m = point
    return _steps(point), -h, -k, -m
