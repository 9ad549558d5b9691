"""Which candidates make up a batch: by value, spread out, and some at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import LearningSpec


@dataclass(frozen=True, eq=False)
class Batch:
    """Candidates chosen for validation: rows, and for each whether the acquisition or the audit
    chose it.
    """

    rows: tuple[int, ...]
    chosen_by: tuple[str, ...]


def choose_batch(
    value: NDArray[np.float64],
    latents: NDArray[np.float32],
    spec: LearningSpec,
    size: int,
    rng: np.random.Generator,
) -> Batch:
    """Choose `size` candidates: greedily by value plus distance to those already chosen, then an
    audit at random.

    Parameters
    ----------
    value
        (r, m) acquisition values, larger is better; the j-th choice goes by row j mod r.
    latents
        (m, d) latent vectors; distances count in units of their mean distance from the centre.
    spec
        Gives the weight of diversity and the share of the audit.
    size
        Candidates wanted; fewer come back when there are fewer.
    rng
        Draws the audit.
    """
    number = value.shape[1]
    size = min(size, number)
    num_audit = round(spec.audit * size)
    free = np.ones(number, dtype=bool)
    chosen: list[int] = []
    if value.size:
        num_chosen = size - num_audit
        chosen = _greedily(value, latents, spec.diversity, num_chosen)
    free[chosen] = False
    unchosen = np.flatnonzero(free)
    drawn = rng.choice(unchosen, size=num_audit, replace=False)
    audit = sorted(int(row) for row in drawn)
    by_acquisition = ("acquisition",) * len(chosen)
    by_audit = ("audit",) * len(audit)
    return Batch((*chosen, *audit), by_acquisition + by_audit)


def _greedily(
    value: NDArray[np.float64], latents: NDArray[np.float32], diversity: float, number: int
) -> list[int]:
    """Rows of `number` candidates, each the best by value plus distance to those before it."""
    chosen: list[int] = []
    free = np.ones(value.shape[1], dtype=bool)
    radius = _mean_radius(latents)
    unit = radius or 1.0
    nearest = np.full(value.shape[1], radius)
    for place in range(number):
        # Beyond two radii a candidate is an outlier: further away is no gain.
        distance = np.minimum(nearest / unit, 2.0)
        gain = value[place % len(value)] + diversity * distance
        gain[~free] = -np.inf
        best = int(np.argmax(gain))
        chosen.append(best)
        free[best] = False
        to_best = np.linalg.norm(latents - latents[best], axis=1)
        nearest = np.minimum(nearest, to_best)
    return chosen


def _mean_radius(latents: NDArray[np.float32]) -> float:
    """Mean distance of (m, d) latent vectors from their centre."""
    centre = latents.mean(axis=0)
    distances = np.linalg.norm(latents - centre, axis=1)
    return float(distances.mean())
