"""Where to look in the latent space: local perturbation, spherical interpolation, random and
mixture draws.

Pure functions of latent vectors and a `numpy.random.Generator`. Source: Ren et al., Matter 5, 314
(2022) (arXiv:2005.07609), section on sampling; slerp: Shoemake, SIGGRAPH 1985; mixture: Ghosh et
al., ICLR 2020 (arXiv:1903.12436), section 4.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import SamplingSpec

Vectors = NDArray[np.float32]

# A component of the mixture for so many crystals, but not more than so many components. With 3,782
# crystals, 100, 200, 400 and 800 components gave 36, 45, 39 and 39 new valid crystals of 100 draws
# (random draws: 10).
CRYSTALS_PER_COMPONENT, MAX_COMPONENTS = 20, 400


@dataclass(frozen=True, eq=False)
class LatentPoints:
    """Points of the latent space and where they came from.

    Parameters
    ----------
    points
        (m, d) latent vectors.
    methods
        (m,) name of the sampling method of each point.
    parents
        (m,) rows of the seeds each point was made from; empty for random and mixture draws.
    """

    points: Vectors
    methods: tuple[str, ...]
    parents: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.points)


def local(
    seeds: Vectors, num_points: int, scale: Vectors, rng: np.random.Generator
) -> LatentPoints:
    """Gaussian perturbation of the seeds, each used equally often.

    Parameters
    ----------
    seeds
        (k, d) latent vectors of known crystals.
    num_points
        Points wanted.
    scale
        (d,) standard deviation of the noise in each dimension.
    """
    rows = np.resize(np.arange(len(seeds)), num_points)
    noise = rng.standard_normal((num_points, seeds.shape[1]), dtype=np.float32)
    return LatentPoints(
        seeds[rows] + noise * scale, ("local",) * num_points, tuple((int(r),) for r in rows)
    )


def interpolate_spherically(a: Vectors, b: Vectors, t: NDArray[np.float32]) -> Vectors:
    """slerp(a, b; t) = [sin((1-t) w) a + sin(t w) b] / sin(w), with w the angle between a and b.

    Parameters
    ----------
    a, b
        (m, d) vectors.
    t
        (m,) positions between them, 0 to 1.
    """
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.clip((a * b).sum(axis=1) / np.maximum(norms, 1e-12), -1.0, 1.0)
    angle = np.arccos(cosine)[:, None]
    t = t[:, None]
    straight = np.abs(np.sin(angle)) < 1e-4  # parallel vectors: the limit is the straight line
    sine = np.where(straight, 1.0, np.sin(angle))
    left = np.where(straight, 1 - t, np.sin((1 - t) * angle) / sine)
    right = np.where(straight, t, np.sin(t * angle) / sine)
    return (left * a + right * b).astype(np.float32)


def slerp(seeds: Vectors, num_points: int, rng: np.random.Generator) -> LatentPoints:
    """Points on great circles between random pairs of different seeds, at random positions."""
    first = rng.integers(len(seeds), size=num_points)
    step = rng.integers(1, max(len(seeds), 2), size=num_points)
    second = (first + step) % len(seeds)
    t = rng.uniform(0.1, 0.9, size=num_points).astype(np.float32)
    points = interpolate_spherically(seeds[first], seeds[second], t)
    pairs = tuple((int(i), int(j)) for i, j in zip(first, second, strict=True))
    return LatentPoints(points, ("slerp",) * num_points, pairs)


def slerp_all_pairs(
    seeds: Vectors, steps: int, num_points: int, rng: np.random.Generator
) -> LatentPoints:
    """Points at t = m / steps, m = 1 ...

    Steps - 1, between all pairs of seeds, Noh et al., Matter 1, 1370 (2019), S2.

    Equation S4 as printed lacks the bracket of sin((1 - t) w); `interpolate_spherically` has it. Of
    more than `num_points` points a random part is taken, in the same order.
    """
    first, second = np.triu_indices(len(seeds), k=1)
    chosen = np.arange(len(first) * (steps - 1))
    if len(chosen) > num_points:
        chosen = np.sort(rng.choice(chosen, size=num_points, replace=False))
    pair, step = np.divmod(chosen, steps - 1)
    t = ((step + 1) / steps).astype(np.float32)
    points = interpolate_spherically(seeds[first[pair]], seeds[second[pair]], t)
    pairs = tuple((int(i), int(j)) for i, j in zip(first[pair], second[pair], strict=True))
    return LatentPoints(points, ("slerp",) * len(points), pairs)


def random(mean: Vectors, std: Vectors, num_points: int, rng: np.random.Generator) -> LatentPoints:
    """Independent normal draws with the mean and spread, per dimension, of the training set's
    latent vectors.
    """
    noise = rng.standard_normal((num_points, len(mean)), dtype=np.float32)
    return LatentPoints(mean + noise * std, ("random",) * num_points, ((),) * num_points)


def mixture(
    latents: Vectors,
    seeds: NDArray[np.int64],
    num_points: int,
    scale: float,
    rng: np.random.Generator,
) -> LatentPoints:
    """Draws from a mixture of normal distributions fitted to the training set's latent vectors.

    These do not fill one normal cloud, so most random draws fall where no crystal was ever seen;
    the mixture follows where they do lie.

    Parameters
    ----------
    latents
        (n, d) latent vectors of the training set; components with a spread per dimension are fitted
        to all of them.
    seeds
        (k,) rows; a component is drawn from as often as these lie in it.
    scale
        Standard deviation of the draws in units of the component's.
    """
    from sklearn.mixture import GaussianMixture

    spread = latents.std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1.0
    units = latents / spread
    model = GaussianMixture(
        min(max(len(latents) // CRYSTALS_PER_COMPONENT, 1), MAX_COMPONENTS),
        covariance_type="diag",
        reg_covar=1e-3,
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # ConvergenceWarning: where components overlap, any share between them will do
        model.fit(units)
    share = model.predict_proba(units[seeds]).mean(axis=0)
    chosen = rng.choice(len(share), size=num_points, p=share / share.sum())
    noise = rng.standard_normal((num_points, latents.shape[1]))
    points = model.means_[chosen] + scale * np.sqrt(model.covariances_[chosen]) * noise
    return LatentPoints(
        (points * spread).astype(np.float32), ("mixture",) * num_points, ((),) * num_points
    )


def sample(
    specs: Sequence[SamplingSpec],
    latents: Vectors,
    rank: NDArray[np.float64],
    rng: np.random.Generator,
) -> LatentPoints:
    """Draw the points of one round.

    Parameters
    ----------
    specs
        Ways of sampling, in order.
    latents
        (n, d) latent vectors of the training set.
    rank
        (n,) merit of the training crystals; the seeds are the largest.
    rng
        Source of randomness; the same state gives the same points.
    """
    mean, std = latents.mean(axis=0), latents.std(axis=0)
    best = np.argsort(-rank, kind="stable")
    parts = []
    for spec in specs:
        rows = best[: spec.num_seeds]
        scale = (spec.scale * std).astype(np.float32)
        if spec.method == "local":
            part = local(latents[rows], spec.num_points, scale, rng)
        elif spec.method == "slerp":
            part = _slerp(latents[rows], spec, rng)
        elif spec.method == "random":
            part = random(mean, scale, spec.num_points, rng)
        else:
            part = mixture(latents, rows, spec.num_points, spec.scale, rng)
        parents = tuple(tuple(int(rows[p]) for p in pair) for pair in part.parents)
        parts.append(LatentPoints(part.points, part.methods, parents))
    return LatentPoints(
        np.concatenate([p.points for p in parts]),
        tuple(m for p in parts for m in p.methods),
        tuple(q for p in parts for q in p.parents),
    )


def _slerp(seeds: Vectors, spec: SamplingSpec, rng: np.random.Generator) -> LatentPoints:
    if spec.steps is None:
        return slerp(seeds, spec.num_points, rng)
    return slerp_all_pairs(seeds, spec.steps, spec.num_points, rng)
