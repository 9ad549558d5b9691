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
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import SamplingSpec

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

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
    every_seed = np.arange(len(seeds))
    rows = np.resize(every_seed, num_points)
    dimension = seeds.shape[1]
    noise = rng.standard_normal((num_points, dimension), dtype=np.float32)
    points = seeds[rows] + noise * scale
    methods = ("local",) * num_points
    parents = tuple((int(row),) for row in rows)
    return LatentPoints(points, methods, parents)


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
    products = (a * b).sum(axis=1)
    cosine = products / np.maximum(norms, 1e-12)
    cosine = np.clip(cosine, -1.0, 1.0)
    angle = np.arccos(cosine)[:, None]
    t = t[:, None]
    sine = np.sin(angle)
    straight = np.abs(sine) < 1e-4  # parallel vectors: the limit is the straight line
    sine = np.where(straight, 1.0, sine)
    arc_left = np.sin((1 - t) * angle) / sine
    arc_right = np.sin(t * angle) / sine
    left = np.where(straight, 1 - t, arc_left)
    right = np.where(straight, t, arc_right)
    points = left * a + right * b
    return points.astype(np.float32)


def slerp(seeds: Vectors, num_points: int, rng: np.random.Generator) -> LatentPoints:
    """Points on great circles between random pairs of different seeds, at random positions."""
    number = len(seeds)
    first = rng.integers(number, size=num_points)
    # A step of at least one keeps the partners different; a lone seed is its own partner.
    most = max(number, 2)
    step = rng.integers(1, most, size=num_points)
    second = (first + step) % number
    position = rng.uniform(0.1, 0.9, size=num_points)
    t = position.astype(np.float32)
    return _between(seeds, first, second, t)


def slerp_all_pairs(
    seeds: Vectors, steps: int, num_points: int, rng: np.random.Generator
) -> LatentPoints:
    """Points at t = m / steps, for m from 1 to steps - 1, between all pairs of seeds.

    Source: Noh et al., Matter 1, 1370 (2019), S2.

    Equation S4 as printed lacks the bracket of sin((1 - t) w); `interpolate_spherically` has it. Of
    more than `num_points` points a random part is taken, in the same order.
    """
    first, second = np.triu_indices(len(seeds), k=1)
    number = len(first) * (steps - 1)
    chosen = np.arange(number)
    if number > num_points:
        drawn = rng.choice(chosen, size=num_points, replace=False)
        chosen = np.sort(drawn)
    pair, step = np.divmod(chosen, steps - 1)
    position = (step + 1) / steps
    t = position.astype(np.float32)
    return _between(seeds, first[pair], second[pair], t)


def _between(
    seeds: Vectors, first: NDArray[np.int64], second: NDArray[np.int64], t: NDArray[np.float32]
) -> LatentPoints:
    """Points at (m,) positions `t` between the seeds of (m,) rows `first` and `second`."""
    points = interpolate_spherically(seeds[first], seeds[second], t)
    methods = ("slerp",) * len(points)
    pairs = zip(first.tolist(), second.tolist(), strict=True)
    return LatentPoints(points, methods, tuple(pairs))


def random(mean: Vectors, std: Vectors, num_points: int, rng: np.random.Generator) -> LatentPoints:
    """Independent normal draws with the mean and spread, per dimension, of the training set's
    latent vectors.
    """
    dimension = len(mean)
    noise = rng.standard_normal((num_points, dimension), dtype=np.float32)
    points = mean + noise * std
    methods = ("random",) * num_points
    no_parents = ((),) * num_points
    return LatentPoints(points, methods, no_parents)


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
    spread = latents.std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1.0
    units = latents / spread
    model = _fitted_mixture(units, rng)
    probabilities = model.predict_proba(units[seeds])
    share = probabilities.mean(axis=0)
    share = share / share.sum()
    chosen = rng.choice(len(share), size=num_points, p=share)
    dimension = latents.shape[1]
    noise = rng.standard_normal((num_points, dimension))
    deviations = np.sqrt(model.covariances_[chosen])
    drawn = model.means_[chosen] + scale * deviations * noise
    points = (drawn * spread).astype(np.float32)
    methods = ("mixture",) * num_points
    no_parents = ((),) * num_points
    return LatentPoints(points, methods, no_parents)


def _fitted_mixture(units: NDArray[np.float64], rng: np.random.Generator) -> GaussianMixture:
    """Mixture of normal distributions fitted to (n, d) latent vectors in units of their spread."""
    from sklearn.mixture import GaussianMixture

    number = max(len(units) // CRYSTALS_PER_COMPONENT, 1)
    seed = int(rng.integers(2**31))
    model = GaussianMixture(
        min(number, MAX_COMPONENTS), covariance_type="diag", reg_covar=1e-3, random_state=seed
    )
    with warnings.catch_warnings():
        # ConvergenceWarning: where components overlap, any share between them will do.
        warnings.simplefilter("ignore")
        model.fit(units)
    return model


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
    best = np.argsort(-rank, kind="stable")
    points: list[Vectors] = []
    methods: list[str] = []
    parents: list[tuple[int, ...]] = []
    for spec in specs:
        rows = best[: spec.num_seeds]
        part = _points_of(spec, latents, rows, rng)
        points.append(part.points)
        methods.extend(part.methods)
        # A method numbers its parents among the seeds; outside they are rows of the training set.
        for pair in part.parents:
            known = tuple(int(rows[place]) for place in pair)
            parents.append(known)
    return LatentPoints(np.concatenate(points), tuple(methods), tuple(parents))


def _points_of(
    spec: SamplingSpec, latents: Vectors, rows: NDArray[np.int64], rng: np.random.Generator
) -> LatentPoints:
    """Points drawn in one way; their parents are places among the (k,) seed rows."""
    if spec.method == "mixture":
        return mixture(latents, rows, spec.num_points, spec.scale, rng)
    if spec.method == "slerp":
        return _slerp(latents[rows], spec, rng)
    std = latents.std(axis=0)
    scale = (spec.scale * std).astype(np.float32)
    if spec.method == "local":
        return local(latents[rows], spec.num_points, scale, rng)
    mean = latents.mean(axis=0)
    return random(mean, scale, spec.num_points, rng)


def _slerp(seeds: Vectors, spec: SamplingSpec, rng: np.random.Generator) -> LatentPoints:
    if spec.steps is None:
        return slerp(seeds, spec.num_points, rng)
    return slerp_all_pairs(seeds, spec.steps, spec.num_points, rng)
