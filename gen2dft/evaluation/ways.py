"""Ways of drawing latent points that are compared with each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.loop import sampling

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Way:
    """One way of sampling.

    Parameters
    ----------
    name
        For people.
    draw
        From (n, d) training latents, (k,) rows of the seeds, a number m of points and randomness to
        (m, d) points.
    """

    name: str
    draw: Callable[[Vectors, NDArray[np.int64], int, np.random.Generator], Vectors]


def all_ways(scales: Sequence[float]) -> list[Way]:
    """Local perturbation at each scale, slerp, random, mixture."""
    ways = [_local(scale) for scale in scales]
    ways.append(Way("slerp", _slerp))
    ways.append(Way("random", _random))
    ways.append(Way("mixture", _mixture))
    return ways


def _local(scale: float) -> Way:
    def draw(
        latents: Vectors, seeds: NDArray[np.int64], num_points: int, rng: np.random.Generator
    ) -> Vectors:
        spread = scale * latents.std(axis=0)
        scales = spread.astype(np.float32)
        return sampling.local(latents[seeds], num_points, scales, rng).points

    return Way(f"local, scale {scale:g}", draw)


def _slerp(
    latents: Vectors, seeds: NDArray[np.int64], num_points: int, rng: np.random.Generator
) -> Vectors:
    return sampling.slerp(latents[seeds], num_points, rng).points


def _random(
    latents: Vectors, _: NDArray[np.int64], num_points: int, rng: np.random.Generator
) -> Vectors:
    mean = latents.mean(axis=0)
    spread = latents.std(axis=0)
    return sampling.random(mean, spread, num_points, rng).points


def _mixture(
    latents: Vectors, _: NDArray[np.int64], num_points: int, rng: np.random.Generator
) -> Vectors:
    everything = np.arange(len(latents))
    return sampling.mixture(latents, everything, num_points, 1.0, rng).points
