"""A trained FTCP generator at rest: what it is made of, and the three maps it offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.chunks import CHUNK, in_chunks
from gen2dft.generators.ftcp.networks import Networks, load_variant
from gen2dft.generators.ftcp.scalers import MatrixScaler, PropertyScaler
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.generators.outer import hash_of_arrays
from gen2dft.generators.transforms import as_header, from_header
from gen2dft.representations.base import DecodeResult
from gen2dft.representations.ftcp import FTCP


@dataclass(frozen=True, eq=False)
class TrainedFTCP:
    """All that a training leaves behind.

    Parameters
    ----------
    representation, spec, seed
        What was trained, and how.
    matrix_scaler, property_scaler
        Fitted on the training part of the first training; a warm start keeps them.
    networks
        Encoder, decoder and head.
    latent_mean, latent_std
        (d,) of the training part.
    training_set_hash
        Content hash of the dataset.
    versions
        Of the packages it was trained with.
    """

    representation: FTCP
    spec: FTCPSettings
    seed: int
    matrix_scaler: MatrixScaler
    property_scaler: PropertyScaler
    networks: Networks
    latent_mean: NDArray[np.float32]
    latent_std: NDArray[np.float32]
    training_set_hash: str
    versions: Mapping[str, str]

    def encode(self, table: CrystalTable) -> NDArray[np.float32]:
        """(n, d) latent means; DatasetError names crystals that do not fit, by index."""
        self.representation.check(table)
        return self.encode_cells(
            load_variant(self.spec.variant).prepare(self.representation, table)
        )

    def encode_cells(self, table: CrystalTable) -> NDArray[np.float32]:
        """(n, d) latent means of crystals that are in the cells the networks see."""
        parts = [np.zeros((0, self.spec.latent_dim), dtype=np.float32)]
        for start in range(0, len(table), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(table)))
            matrices = self.representation.encode(table.select(rows))
            scaled = self.matrix_scaler.scale(self.representation, matrices)
            encode = lambda part: self.networks.encoder(part, training=False)[0]  # noqa: E731
            parts.append(in_chunks(encode, scaled, self.spec.latent_dim))
        return np.concatenate(parts)

    def decode_matrices(self, latents: NDArray[np.floating]) -> NDArray[np.float32]:
        """(n, rows, columns) matrices in physical units, without the reciprocal part, of (n, d)
        latent vectors.
        """
        latents = np.asarray(latents, dtype=np.float32)
        return in_chunks(self.networks.make, latents, *self.representation.shape)

    def decode(self, latents: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, d) latent vectors, a few thousand matrices in memory at a time."""
        starts = range(0, len(latents), 16 * CHUNK)
        return DecodeResult.concatenate(
            [
                self.representation.decode(self.decode_matrices(latents[i : i + 16 * CHUNK]))
                for i in starts
            ]
        )

    def predict(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, p) properties, in their units, of (n, d) latent vectors."""
        latents = np.asarray(latents, dtype=np.float32)
        width = len(self.property_scaler.properties)
        return self.property_scaler.unscale(
            in_chunks(lambda part: self.networks.head(part, training=False), latents, width)
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything numeric by name."""
        return {
            **self.networks.weights(),
            **self.matrix_scaler.arrays(),
            "property_low": self.property_scaler.low,
            "property_high": self.property_scaler.high,
            "latent_mean": self.latent_mean,
            "latent_std": self.latent_std,
            "features": self.representation.features,
        }

    def config(self) -> dict[str, Any]:
        """Everything else, as JSON-able values."""
        return {
            "elements": list(self.representation.elements),
            "max_elements": self.representation.max_elements,
            "max_sites": self.representation.max_sites,
            "spec": self.spec.model_dump(mode="json"),
            "properties": list(self.property_scaler.properties),
            **as_header(self.property_scaler.properties, self.property_scaler.transforms),
            "seed": self.seed,
            "training_set_hash": self.training_set_hash,
            "versions": dict(self.versions),
        }

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of `config` and `arrays`.

        KeyError, TypeError or ValueError if something is missing or misfits.
        """
        variant = load_variant(config["spec"]["variant"])
        representation = FTCP(
            tuple(config["elements"]),
            config["max_elements"],
            config["max_sites"],
            config["spec"]["fourier"],
            arrays["features"],
        )
        spec = FTCPSettings.model_validate(config["spec"])
        properties = tuple(config["properties"])
        scaler = variant.scaler.from_arrays(arrays)
        networks = variant.build(representation, spec, len(properties), scaler)
        networks.set_weights(arrays)
        return cls(
            representation=representation,
            spec=spec,
            seed=config["seed"],
            matrix_scaler=scaler,
            property_scaler=PropertyScaler(
                properties,
                arrays["property_low"],
                arrays["property_high"],
                from_header(properties, config),
            ),
            networks=networks,
            latent_mean=arrays["latent_mean"],
            latent_std=arrays["latent_std"],
            training_set_hash=config["training_set_hash"],
            versions=config["versions"],
        )

    def content_hash(self) -> str:
        """Hash of all numbers; 16 hexadecimal digits."""
        return hash_of_arrays(self.arrays())
