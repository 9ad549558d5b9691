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

from gen2dft.crystals import CrystalTable
from gen2dft.errors import SnapshotError
from gen2dft.generators.base import LatentGenerator
from gen2dft.generators.snapshot import DAMAGED, read_archive, write_archive
from gen2dft.generators.transforms import (
    as_header,
    backward,
    forward,
    from_header,
    transforms_of,
)
from gen2dft.heads.base import Prediction
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
        """
        z = np.asarray(latents, dtype=np.float64)
        centre, scale = z.mean(axis=0), np.maximum(z.std(axis=0), 1e-6)
        directions = rng.standard_normal((members, z.shape[1], FEATURES)) / np.sqrt(z.shape[1])
        offsets = rng.uniform(-1.0, 1.0, (members, FEATURES))
        x = (z - centre) / scale
        features = [_features(x, directions[k], offsets[k]) for k in range(members)]
        drawn = np.ones(len(z)) if importance is None else np.asarray(importance, dtype=np.float64)
        transforms = transforms_of(properties, known)
        fitted = [
            _fit_one(features, forward(labels[:, i], transform), drawn, rng)
            for i, transform in enumerate(transforms)
        ]
        weights = np.array([w for w, _ in fitted])
        factors = np.array([factor for _, factor in fitted])
        return cls(
            tuple(properties), centre, scale, directions, offsets, weights, factors, transforms
        )

    def predict(self, latents: NDArray[np.floating]) -> dict[str, Array]:
        """Property to (K, n) predictions of the members, in its unit, for (n, d) latent vectors."""
        x = (np.asarray(latents, dtype=np.float64) - self.centre) / self.scale
        features = [_features(x, *part) for part in zip(self.directions, self.offsets, strict=True)]
        found = {}
        for i, name in enumerate(self.properties):
            raw = np.array([f @ w for f, w in zip(features, self.weights[i], strict=True)])
            mean = raw.mean(axis=0)
            stretched = mean + self.factors[i] * (raw - mean)
            found[name] = backward(stretched, self.transforms[i])
        return found

    def to_bytes(self) -> bytes:
        """The ensemble as bytes; equal ensembles give equal bytes."""
        names = ("centre", "scale", "directions", "offsets", "weights", "factors")
        header = {
            "format": FORMAT,
            "properties": list(self.properties),
            **as_header(self.properties, self.transforms),
        }
        return write_archive(header, {name: getattr(self, name) for name in names})

    @classmethod
    def from_bytes(cls, data: bytes, origin: str) -> Self:
        """Inverse of `to_bytes`.

        SnapshotError if it is damaged or of another format, `origin` is named.
        """
        try:
            header, arrays = read_archive(data)
            if header["format"] != FORMAT:
                raise SnapshotError(
                    f"{origin} is of format {header['format']!r}, not {FORMAT!r}: train again"
                )
            names = tuple(header["properties"])
            return cls(names, transforms=from_header(names, header), **arrays)
        except DAMAGED as err:
            raise SnapshotError(
                f"{origin} is damaged ({type(err).__name__}: {err}): restore it from a backup"
            ) from err


def _features(x: Array, directions: Array, offsets: Array) -> Array:
    """(n, 1 + d + h) constant, standardised latent vector, tanh of random projections."""
    return np.concatenate([np.ones((len(x), 1)), x, np.tanh(x @ directions + offsets)], axis=1)


def _fit_one(
    features: Sequence[Array], labels: Array, importance: Array, rng: np.random.Generator
) -> tuple[Array, float]:
    """(K, f) weights of all members for one property, and the factor on their spread."""
    rows = np.flatnonzero(np.isfinite(labels))
    share = importance[rows] / importance[rows].sum()
    fits, outside = [], []
    for part in features:
        drawn = rng.choice(rows, size=min(len(rows), MAX_ROWS), p=share)
        fits.append(_ridge(part[drawn], labels[drawn]))  # (r, f), one row per ridge
        outside.append(np.setdiff1d(rows, drawn))
    errors = [
        np.concatenate(
            [
                part[out] @ w[i] - labels[out]
                for part, w, out in zip(features, fits, outside, strict=True)
            ]
        )
        for i in range(len(RIDGES))
    ]
    best = (
        int(np.argmin([np.mean(e**2) if len(e) else 0.0 for e in errors]))
        if len(errors[0])
        else len(RIDGES) - 1
    )
    weights = np.array([w[best] for w in fits])
    return weights, _factor(features, weights, labels, outside)


def _ridge(features: Array, labels: Array) -> Array:
    """(r, f) weights w of min |features w - labels|^2 + n ridge |w without the constant|^2, for
    each ridge.
    """
    centre, mean = features[:, 1:].mean(axis=0), labels.mean()
    x, n = features[:, 1:] - centre, len(labels)
    values, vectors = np.linalg.eigh(x.T @ x / n)
    turned = vectors.T @ (x.T @ (labels - mean) / n)
    slopes = np.array([vectors @ (turned / (np.maximum(values, 0.0) + ridge)) for ridge in RIDGES])
    return np.concatenate([(mean - slopes @ centre)[:, None], slopes], axis=1)


def _factor(
    features: Sequence[Array], weights: Array, labels: Array, outside: Sequence[NDArray[np.int64]]
) -> float:
    """How much the members' spread must be stretched to be as large as their error on crystals they
    did not see.
    """
    predicted = np.array([part @ w for part, w in zip(features, weights, strict=True)])
    unseen = np.zeros(predicted.shape, dtype=bool)
    for k, rows in enumerate(outside):
        unseen[k, rows] = True
    count = unseen.sum(axis=0)
    rows = np.flatnonzero(count >= 2)
    if not len(rows):
        return 1.0
    mean = np.where(unseen, predicted, 0.0)[:, rows].sum(axis=0) / count[rows]
    spread = predicted[:, rows].var(axis=0, ddof=1).mean()
    error = np.mean((mean - labels[rows]) ** 2)
    return float(np.clip(np.sqrt(error / max(spread, 1e-12)), 1.0, WIDEST))


@dataclass(frozen=True, eq=False)
class LatentHead:
    """A head that reads a generator's latent space; a `Head`.

    Parameters
    ----------
    generator
        Encodes crystals and predicts from latent vectors.
    ensemble
        Tells how sure a prediction is; None: nothing does.
    """

    generator: LatentGenerator
    ensemble: HeadEnsemble | None

    @classmethod
    def fit(
        cls,
        generator: LatentGenerator,
        crystals: CrystalTable,
        labels: Array,
        properties: Sequence[str],
        rng: np.random.Generator,
        *,
        members: int = 8,
        known: Mapping[str, Property] = PROPERTIES,
    ) -> Self:
        """Fit the ensemble to the latent vectors of labelled crystals."""
        latents = generator.encode(crystals)
        ensemble = HeadEnsemble.fit(latents, labels, properties, rng, members=members, known=known)
        return cls(generator, ensemble)

    @property
    def properties(self) -> tuple[str, ...]:
        """Properties that it predicts."""
        return self.generator.properties

    def predict(self, crystals: CrystalTable) -> Prediction:
        """Predictions for n crystals."""
        latents = self.generator.encode(crystals)
        predicted = self.generator.predict(latents)
        values = {name: predicted[:, column] for column, name in enumerate(self.properties)}
        members = {} if self.ensemble is None else self.ensemble.predict(latents)
        return Prediction(values, members)

    def to_bytes(self) -> bytes:
        """The ensemble as bytes; the generator is stored as a snapshot."""
        return b"" if self.ensemble is None else self.ensemble.to_bytes()
