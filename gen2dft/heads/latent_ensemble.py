"""An ensemble of small property heads on frozen latent vectors: how sure a prediction is.

Each member is a ridge regression on the latent vector and random tanh features of it (Rahimi and
Recht, NIPS 2008), fitted in closed form to a bootstrap sample of the labelled crystals
(Lakshminarayanan et al., NIPS 2017, compare ensembles). The members' spread is scaled so that, on
crystals outside each bootstrap sample, it is as large as their errors are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.snapshot import write_archive
from gen2dft.generators.transforms import (
    as_header,
    backward,
    forward,
    from_header,
    transforms_of,
)
from gen2dft.heads.stored import damage_named, read_head
from gen2dft.properties import PROPERTIES, Property, Transform

Array = NDArray[np.float64]

FORMAT = "head-ensemble-1"
FEATURES = 128  # random features of a member
MAX_ROWS = 20_000  # of a bootstrap sample, so that large data sets cost no more
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
WIDEST = 20.0  # largest factor on the members' spread


@dataclass(frozen=True, eq=False)
class HeadEnsemble:
    """`K` heads for `p` properties of `d` latent dimensions.

    Parameters
    ----------
    properties
        Names of the properties.
    centre, scale
        (d,) mean and spread of the latent vectors it was fitted to.
    directions, offsets
        (K, d, h), (K, h) of the random features.
    weights
        (p, K, 1 + d + h) of the regressions, on the properties' transformed scale.
    factors
        (p,) by which the members' deviations from their mean are stretched.
    transforms
        (p,) scales of the regressions.
    """

    properties: tuple[str, ...]
    centre: Array
    scale: Array
    directions: Array
    offsets: Array
    weights: Array
    factors: Array
    transforms: tuple[Transform, ...]

    @classmethod
    def fit(
        cls,
        latents: NDArray[np.floating],
        labels: Array,
        properties: Sequence[str],
        rng: np.random.Generator,
        *,
        members: int = 8,
        importance: Array | None = None,
        known: Mapping[str, Property] = PROPERTIES,
        weights: Array | None = None,
    ) -> Self:
        """Fit to labelled crystals; the same latents, labels and randomness give the same ensemble.

        Parameters
        ----------
        latents
            (n, d) latent vectors.
        labels
            (n, p) labels in the properties' units, NaN where missing; each property needs one.
        importance
            (n,) how often a crystal is drawn, relative to others; all the same unless given.
        known
            What the properties are.
        weights
            (n, p) how often a label is drawn, relative to others of its property, beside the
            importance of its crystal; all the same unless given.
        """
        z = np.asarray(latents, dtype=np.float64)
        _, size = z.shape
        centre = z.mean(axis=0)
        scale = np.maximum(z.std(axis=0), 1e-6)
        shape = (members, size, FEATURES)
        directions = rng.standard_normal(shape) / np.sqrt(size)
        offsets = rng.uniform(-1.0, 1.0, (members, FEATURES))
        x = (z - centre) / scale
        features = _features_of_members(x, directions, offsets)
        counts = _counts(labels, importance, weights)
        transforms = transforms_of(properties, known)
        fits: list[Array] = []
        factors: list[float] = []
        for column, often, transform in zip(labels.T, counts.T, transforms, strict=True):
            learnt = forward(column, transform)
            fit, factor = _fit_one(features, learnt, often, rng)
            fits.append(fit)
            factors.append(factor)
        return cls(
            properties=tuple(properties),
            centre=centre,
            scale=scale,
            directions=directions,
            offsets=offsets,
            weights=np.array(fits),
            factors=np.array(factors),
            transforms=transforms,
        )

    def predict(self, latents: NDArray[np.floating]) -> dict[str, Array]:
        """Property to (K, n) predictions of the members, in its unit, for (n, d) latent vectors."""
        z = np.asarray(latents, dtype=np.float64)
        x = (z - self.centre) / self.scale
        features = _features_of_members(x, self.directions, self.offsets)
        found: dict[str, Array] = {}
        for i, name in enumerate(self.properties):
            raw = _products(features, self.weights[i])
            mean = raw.mean(axis=0)
            deviations = raw - mean
            stretched = mean + self.factors[i] * deviations
            found[name] = backward(stretched, self.transforms[i])
        return found

    def to_bytes(self) -> bytes:
        """The ensemble as bytes; equal ensembles give equal bytes."""
        names = ("centre", "scale", "directions", "offsets", "weights", "factors")
        arrays = {name: getattr(self, name) for name in names}
        properties = list(self.properties)
        header = {"format": FORMAT, "properties": properties}
        header |= as_header(self.properties, self.transforms)
        return write_archive(header, arrays)

    @classmethod
    def from_bytes(cls, data: bytes, origin: str) -> Self:
        """Inverse of `to_bytes`.

        SnapshotError if it is damaged or of another format, `origin` is named.
        """
        with damage_named(origin):
            header, arrays = read_head(data, origin, FORMAT)
            names = tuple(header["properties"])
            transforms = from_header(names, header)
            return cls(names, transforms=transforms, **arrays)


def _features_of_members(x: Array, directions: Array, offsets: Array) -> list[Array]:
    """For each member (n, 1 + d + h): constant, standardised latent vector, tanh of random
    projections.
    """
    number = len(x)
    constant = np.ones((number, 1))
    features: list[Array] = []
    for direction, offset in zip(directions, offsets, strict=True):
        projected = np.tanh(x @ direction + offset)
        feature = np.concatenate([constant, x, projected], axis=1)
        features.append(feature)
    return features


def _products(features: Sequence[Array], weights: Sequence[Array] | Array) -> Array:
    """(K, ...) product of each member's features and weights."""
    products = []
    for part, weight in zip(features, weights, strict=True):
        product = part @ weight
        products.append(product)
    return np.array(products)


def _counts(labels: Array, importance: Array | None, weights: Array | None) -> Array:
    """(n, p) how often each label is drawn, relative to others of its property."""
    counts = np.ones(labels.shape)
    if weights is not None:
        counts = counts * weights
    if importance is not None:
        counts = counts * np.asarray(importance, dtype=np.float64)[:, None]
    return counts


def _fit_one(
    features: Sequence[Array], labels: Array, importance: Array, rng: np.random.Generator
) -> tuple[Array, float]:
    """(K, f) weights of all members for one property, and the factor on their spread."""
    rows = np.flatnonzero(np.isfinite(labels))
    size = min(len(rows), MAX_ROWS)
    share = importance[rows]
    share = share / share.sum()
    fits: list[Array] = []  # (r, f) of each member, one row per ridge
    outside: list[NDArray[np.int64]] = []
    for part in features:
        drawn = rng.choice(rows, size=size, p=share)
        fit = _ridge(part[drawn], labels[drawn])
        unseen = np.setdiff1d(rows, drawn)
        fits.append(fit)
        outside.append(unseen)
    best = _best_ridge(features, fits, labels, outside)
    weights = np.array([fit[best] for fit in fits])
    factor = _factor(features, weights, labels, outside)
    return weights, factor


def _best_ridge(
    features: Sequence[Array],
    fits: Sequence[Array],
    labels: Array,
    outside: Sequence[NDArray[np.int64]],
) -> int:
    """Index of the ridge whose members err least on crystals that they did not see."""
    unseen = np.concatenate(outside)
    if not len(unseen):
        return len(RIDGES) - 1  # nothing to go by: the stiffest
    theirs = [part[rows] for part, rows in zip(features, outside, strict=True)]
    errors = []
    for i in range(len(RIDGES)):
        weights = [fit[i] for fit in fits]
        predicted = [part @ weight for part, weight in zip(theirs, weights, strict=True)]
        missed = np.concatenate(predicted) - labels[unseen]
        error = np.mean(missed**2)
        errors.append(error)
    return int(np.argmin(errors))


def _ridge(features: Array, labels: Array) -> Array:
    """(r, f) weights w of min |features w - labels|^2 + n ridge |w without the constant|^2, for
    each ridge.
    """
    varying = features[:, 1:]
    centre = varying.mean(axis=0)
    mean = labels.mean()
    x = varying - centre
    y = labels - mean
    n = len(y)
    covariance = x.T @ x / n
    values, vectors = np.linalg.eigh(covariance)
    turned = vectors.T @ (x.T @ y / n)
    positive = np.maximum(values, 0.0)
    slopes = []
    for ridge in RIDGES:
        shrunk = turned / (positive + ridge)
        slopes.append(vectors @ shrunk)
    stacked = np.array(slopes)
    constants = mean - stacked @ centre
    return np.concatenate([constants[:, None], stacked], axis=1)


def _factor(
    features: Sequence[Array], weights: Array, labels: Array, outside: Sequence[NDArray[np.int64]]
) -> float:
    """How much the members' spread must be stretched to be as large as their error on crystals they
    did not see.
    """
    predicted = _products(features, weights)
    unseen = np.zeros(predicted.shape, dtype=bool)
    for k, rows in enumerate(outside):
        unseen[k, rows] = True
    count = unseen.sum(axis=0)
    # One member's value has no spread.
    rows = np.flatnonzero(count >= 2)
    if not len(rows):
        return 1.0
    blind = np.where(unseen, predicted, 0.0)
    total = blind[:, rows].sum(axis=0)
    missed = total / count[rows] - labels[rows]
    error = np.mean(missed**2)
    variances = predicted[:, rows].var(axis=0, ddof=1)
    spread = max(variances.mean(), 1e-12)
    ratio = np.sqrt(error / spread)
    return float(np.clip(ratio, 1.0, WIDEST))
