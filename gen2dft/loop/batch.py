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
    size = min(size, value.shape[1])
    num_audit = round(spec.audit * size)
    chosen: list[int] = []
    free = np.ones(value.shape[1], dtype=bool)
    radius = (
        float(np.linalg.norm(latents - latents.mean(axis=0), axis=1).mean()) if value.size else 1.0
    )
    nearest = np.full(value.shape[1], radius)
    for place in range(size - num_audit):
        gain = value[place % len(value)] + spec.diversity * np.minimum(
            nearest / (radius or 1.0), 2.0
        )
        best = int(np.argmax(np.where(free, gain, -np.inf)))
        chosen.append(best)
        free[best] = False
        nearest = np.minimum(nearest, np.linalg.norm(latents - latents[best], axis=1))
    audit = sorted(int(i) for i in rng.choice(np.flatnonzero(free), size=num_audit, replace=False))
    return Batch((*chosen, *audit), ("acquisition",) * len(chosen) + ("audit",) * len(audit))
