"""A trained FTCP generator at rest: its parts, and the three maps it offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.chunks import CHUNK, in_chunks
from gen2dft.generators.ftcp.networks import Networks
from gen2dft.generators.ftcp.scalers import MatrixScaler, PropertyScaler
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.generators.ftcp.variants import load_variant
from gen2dft.generators.outer import hash_of_arrays
from gen2dft.generators.transforms import as_header, from_header
from gen2dft.representations.base import DecodeResult
from gen2dft.representations.ftcp import FTCP
from gen2dft.representations.indexing import row_chunks

MATRICES_IN_MEMORY = 16 * CHUNK


@dataclass(frozen=True, eq=False)
class TrainedFTCP:
    """All that a training leaves behind.

    Parameters
    ----------
    representation, spec, seed
        Layout of the matrices, settings and seed of the training.
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

    @property
    def properties(self) -> tuple[str, ...]:
        """Properties that `predict` gives, in the order of its columns."""
        return self.property_scaler.properties

    def encode(self, table: CrystalTable) -> NDArray[np.float32]:
        """(n, d) latent means; DatasetError gives the indices of crystals that do not fit."""
        self.representation.check(table)
        variant = load_variant(self.spec.variant)
        cells = variant.prepare(self.representation, table)
        return self.encode_cells(cells)

    def encode_cells(self, table: CrystalTable) -> NDArray[np.float32]:
        """(n, d) latent means of crystals that are in the cells the networks see."""
        width = self.spec.latent_dim
        out = np.empty((len(table), width), dtype=np.float32)
        for rows in row_chunks(len(table), CHUNK):
            cells = table.select(rows)
            matrices = self.representation.encode(cells)
            scaled = self.matrix_scaler.scale(self.representation, matrices)
            out[rows] = in_chunks(self._mean, scaled, width)
        return out

    def _mean(self, scaled: NDArray[np.float32]) -> Any:
        mean, _ = self.networks.encoder(scaled, training=False)
        return mean

    def decode_matrices(self, latents: NDArray[np.floating]) -> NDArray[np.float32]:
        """(n, rows, columns) matrices in physical units, without the reciprocal part, of (n, d)
        latent vectors.
        """
        points = np.asarray(latents, dtype=np.float32)
        rows, columns = self.representation.shape
        return in_chunks(self.networks.make, points, rows, columns)

    def decode(self, latents: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, d) latent vectors, a few thousand matrices in memory at a time."""
        parts = []
        for rows in row_chunks(len(latents), MATRICES_IN_MEMORY):
            matrices = self.decode_matrices(latents[rows])
            parts.append(self.representation.decode(matrices))
        return DecodeResult.concatenate(parts)

    def predict(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, p) properties, in their units, of (n, d) latent vectors."""
        points = np.asarray(latents, dtype=np.float32)
        width = len(self.properties)
        scaled = in_chunks(self._head, points, width)
        return self.property_scaler.unscale(scaled)

    def _head(self, points: NDArray[np.float32]) -> Any:
        return self.networks.head(points, training=False)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything numeric by name."""
        scaler = self.property_scaler
        weights = self.networks.weights()
        return {
            **weights,
            **self.matrix_scaler.arrays(),
            "property_low": scaler.low,
            "property_high": scaler.high,
            "latent_mean": self.latent_mean,
            "latent_std": self.latent_std,
            "features": self.representation.features,
        }

    def config(self) -> dict[str, Any]:
        """Everything else, as JSON-able values."""
        layout = self.representation
        return {
            "elements": list(layout.elements),
            "max_elements": layout.max_elements,
            "max_sites": layout.max_sites,
            "spec": self.spec.model_dump(mode="json"),
            "properties": list(self.properties),
            **as_header(self.properties, self.property_scaler.transforms),
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
        features = arrays["features"]
        representation = _stored_representation(config, features)
        spec = FTCPSettings.model_validate(config["spec"])
        properties = tuple(config["properties"])
        scaler = variant.scaler.from_arrays(arrays)
        networks = variant.build(representation, spec, len(properties), scaler)
        networks.set_weights(arrays)
        low = arrays["property_low"]
        high = arrays["property_high"]
        transforms = from_header(properties, config)
        property_scaler = PropertyScaler(properties, low, high, transforms)
        return cls(
            representation=representation,
            spec=spec,
            seed=config["seed"],
            matrix_scaler=scaler,
            property_scaler=property_scaler,
            networks=networks,
            latent_mean=arrays["latent_mean"],
            latent_std=arrays["latent_std"],
            training_set_hash=config["training_set_hash"],
            versions=config["versions"],
        )

    def content_hash(self) -> str:
        """Hash of all numbers; 16 hexadecimal digits."""
        return hash_of_arrays(self.arrays())


def _stored_representation(config: Mapping[str, Any], features: NDArray[np.float32]) -> FTCP:
    elements = tuple(config["elements"])
    fourier = config["spec"]["fourier"]
    return FTCP(
        elements, config["max_elements"], config["max_sites"], fourier=fourier, features=features
    )
