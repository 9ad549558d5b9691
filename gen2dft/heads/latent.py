"""A head that reads a crystal's latent vector: the generator predicts, the ensemble knows how sure
that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.base import LatentGenerator, require_latent
from gen2dft.generators.snapshot import from_bytes, to_bytes, write_archive
from gen2dft.heads.base import Prediction
from gen2dft.heads.latent_ensemble import HeadEnsemble
from gen2dft.heads.stored import damage_named, read_head
from gen2dft.properties import PROPERTIES, Property

FORMAT = "latent-head-1"


@dataclass(frozen=True, eq=False)
class LatentHead:
    """A trained generator and an ensemble on its latent vectors.

    Parameters
    ----------
    generator
        Encodes crystals, and predicts the values.
    ensemble
        Predicts the members; None if nothing tells how sure the values are.
    """

    generator: LatentGenerator
    ensemble: HeadEnsemble | None = None

    @classmethod
    def fit(
        cls,
        generator: LatentGenerator,
        crystals: CrystalTable,
        labels: NDArray[np.float64],
        properties: Sequence[str],
        rng: np.random.Generator,
        *,
        members: int = 8,
        known: Mapping[str, Property] = PROPERTIES,
        weights: NDArray[np.float64] | None = None,
    ) -> Self:
        """Fit the ensemble to the latent vectors of labelled crystals.

        Parameters
        ----------
        labels, properties
            (n, p) labels in the units of the p properties, NaN where missing.
        members, known, weights
            As `HeadEnsemble.fit`.
        """
        latents = generator.encode(crystals)
        fitted = HeadEnsemble.fit(
            latents, labels, properties, rng, members=members, known=known, weights=weights
        )
        return cls(generator, fitted)

    @property
    def properties(self) -> tuple[str, ...]:
        """Properties that the generator predicts."""
        return self.generator.properties

    def predict(self, crystals: CrystalTable) -> Prediction:
        """Predictions for n crystals."""
        latents = self.generator.encode(crystals)
        predicted = self.generator.predict(latents)
        values = {name: predicted[:, i] for i, name in enumerate(self.properties)}
        if self.ensemble is None:
            return Prediction(values)
        members = self.ensemble.predict(latents)
        return Prediction(values, members)

    def to_bytes(self) -> bytes:
        """Generator and ensemble in one archive."""
        parts = {"generator": to_bytes(self.generator)}
        if self.ensemble is not None:
            parts["ensemble"] = self.ensemble.to_bytes()
        arrays = {name: np.frombuffer(part, dtype=np.uint8) for name, part in parts.items()}
        return write_archive({"format": FORMAT}, arrays)

    @classmethod
    def from_bytes(cls, data: bytes, origin: str) -> Self:
        """Inverse of `to_bytes`; SnapshotError if the data are damaged or of another format."""
        with damage_named(origin):
            _, arrays = read_head(data, origin, FORMAT)
            stored = from_bytes(arrays["generator"].tobytes(), f"generator of {origin}")
            generator = require_latent(stored, "a head that reads latent vectors")
            if "ensemble" not in arrays:
                return cls(generator)
            part = arrays["ensemble"].tobytes()
            ensemble = HeadEnsemble.from_bytes(part, f"ensemble of {origin}")
            return cls(generator, ensemble)
