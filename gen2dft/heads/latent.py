"""A head that reads a crystal's latent vector: the generator predicts, the ensemble knows how sure
that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from gen2dft.crystals import CrystalTable
from gen2dft.generators.base import Generator
from gen2dft.generators.snapshot import from_bytes, to_bytes, write_archive
from gen2dft.heads.base import Prediction
from gen2dft.heads.latent_ensemble import HeadEnsemble
from gen2dft.heads.stored import damage_named, read_head

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

    generator: Generator
    ensemble: HeadEnsemble | None = None

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
        return Prediction(values, self.ensemble.predict(latents))

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
            generator = from_bytes(arrays["generator"].tobytes(), f"generator of {origin}")
            if "ensemble" not in arrays:
                return cls(generator)
            part = arrays["ensemble"].tobytes()
            ensemble = HeadEnsemble.from_bytes(part, f"ensemble of {origin}")
            return cls(generator, ensemble)
