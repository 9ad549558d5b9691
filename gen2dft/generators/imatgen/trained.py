"""A trained iMatGen generator at rest: its seven networks, and the maps it offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.chunks import in_chunks
from gen2dft.generators.imatgen import networks
from gen2dft.generators.imatgen.mend import mend
from gen2dft.generators.imatgen.settings import ImatgenSettings
from gen2dft.generators.imatgen.tensor import codes_of, tensors_of
from gen2dft.generators.outer import hash_of_arrays
from gen2dft.representations.base import DecodeResult
from gen2dft.representations.images import CrystalImages
from gen2dft.representations.sparse import SparseRows

# Networks always see this many rows, so that a row's result does not depend on its company.
CHUNK_IMAGES = 16
NAMES = (
    "cell_encoder",
    "cell_decoder",
    "basis_encoder",
    "basis_decoder",
    "encoder",
    "decoder",
    "classifier",
)
# What has no images for want of room, not of elements or sites, is encoded as far as its images go:
# a candidate that grew while it was relaxed must not stop a campaign.
REFUSED = ("foreign_element", "missing_element", "too_many_sites")
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Classes:
    """What the classifier tells apart, per property.

    Parameters
    ----------
    properties
        Names of the columns.
    thresholds
        (p,) values, in the property's unit, at or below which a crystal is of the first class.
    means
        (p, 2) mean label of the training crystals of the first class, and of the others.
    """

    properties: tuple[str, ...]
    thresholds: NDArray[np.float64]
    means: NDArray[np.float64]

    @classmethod
    def fit(
        cls, labels: NDArray[np.float64], properties: tuple[str, ...], given: Mapping[str, float]
    ) -> Self:
        """Thresholds as given, or the medians of (n, p) labels; NaN where not labelled."""
        medians = np.nanmedian(labels, axis=0)
        thresholds = np.array(
            [given.get(name, medians[place]) for place, name in enumerate(properties)]
        )
        means = np.empty((len(properties), 2))
        for place, threshold in enumerate(thresholds):
            known = labels[np.isfinite(labels[:, place]), place]
            for side, part in enumerate((known[known <= threshold], known[known > threshold])):
                means[place, side] = part.mean() if len(part) else threshold
        return cls(properties, thresholds, means)

    def of(self, labels: NDArray[np.float64]) -> Array:
        """(n, p) 1 for the first class, 0 for the other, NaN where not labelled."""
        return np.where(np.isnan(labels), np.nan, labels <= self.thresholds).astype(np.float32)

    def expected(self, probabilities: Array) -> NDArray[np.float64]:
        """(n, p) expected property, in its unit, of (n, p) probabilities of the first class."""
        p = probabilities.astype(np.float64)
        return p * self.means[:, 0] + (1 - p) * self.means[:, 1]


@dataclass(frozen=True, eq=False)
class TrainedImatgen:
    """All that a training leaves behind.

    Parameters
    ----------
    representation, spec, seed
        What was trained, and how.
    classes
        Fitted on the training part of the first training; a warm start keeps them.
    networks
        By the names in `NAMES`.
    latent_mean, latent_std
        (d,) of the training part.
    training_set_hash
        Content hash of the dataset.
    versions
        Of the packages it was trained with.
    """

    representation: CrystalImages
    spec: ImatgenSettings
    seed: int
    classes: Classes
    networks: Mapping[str, Any]
    latent_mean: Array
    latent_std: Array
    training_set_hash: str
    versions: Mapping[str, str] = field(default_factory=dict)

    def tensors(self, table: CrystalTable) -> Array:
        """(n, 1, 200, 6) tensors of crystals.

        DatasetError names those with wrong elements or sites, by index.
        """
        self.representation.check(table, REFUSED)
        cell = self._codes("cell", self.representation.cell_images(table))
        basis = self._codes("basis", self.representation.basis_images(table))
        return tensors_of(
            cell, basis.reshape(len(table), len(self.representation.elements), networks.BASIS_CODE)
        )

    def _codes(self, part: str, images: SparseRows) -> Array:
        """(n, code) codes of n images, a few of them in memory at a time."""
        encoder = self.networks[f"{part}_encoder"]
        encode = lambda chunk: encoder(chunk, training=False)  # noqa: E731
        size = encoder.output_shape[1]
        parts = [np.zeros((0, size), dtype=np.float32)]
        for rows in _chunks(len(images)):
            dense = images.dense(rows).reshape(-1, *encoder.input_shape[1:])
            parts.append(in_chunks(encode, dense, size, chunk=CHUNK_IMAGES))
        return np.concatenate(parts)

    def image_errors(self, part: str, images: SparseRows) -> Array:
        """(n,) mean squared error per voxel of the `cell` or `basis` images that the autoencoder
        makes of n images.
        """
        drawn = [
            np.square(self.redrawn(part, images.select(rows)) - images.dense(rows)).mean(axis=1)
            for rows in _chunks(len(images))
        ]
        return np.concatenate([np.zeros(0, dtype=np.float32), *drawn])

    def redrawn(self, part: str, images: SparseRows) -> Array:
        """(n, voxels^3) what the autoencoder makes of n `cell` or `basis` images.

        Dense, so keep n small.
        """
        return self._images(part, self._codes(part, images))

    def _images(self, part: str, codes: Array) -> Array:
        """(n, voxels^3) images of (n, code) codes."""
        decoder = self.networks[f"{part}_decoder"]
        size = decoder.output_shape[1]
        decoded = in_chunks(
            lambda chunk: decoder(chunk, training=False),
            codes,
            size,
            size,
            size,
            1,
            chunk=CHUNK_IMAGES,
        )
        return decoded.reshape(len(codes), size**3)

    def encode(self, table: CrystalTable) -> Array:
        """(n, d) latent means delta * mu."""
        return self.encode_tensors(self.tensors(table))

    def encode_tensors(self, tensors: Array) -> Array:
        """(n, d) latent means of (n, 1, 200, 6) tensors."""
        delta = np.float32(self.spec.imatgen.delta)
        encode = lambda part: self.networks["encoder"](part, training=False)[0]  # noqa: E731
        return in_chunks(encode, tensors, self.spec.latent_dim) * delta

    def decode_tensors(self, latents: NDArray[np.floating]) -> Array:
        """(n, 1, 200, 6) tensors of (n, d) latent vectors."""
        decode = lambda part: self.networks["decoder"](part, training=False)  # noqa: E731
        shape = (1, networks.LENGTH, networks.SLOTS)
        return in_chunks(decode, np.asarray(latents, dtype=np.float32), *shape)

    def decode(self, latents: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, d) latent vectors, mended, a few images in memory at a time."""
        cell, basis = codes_of(self.decode_tensors(latents), len(self.representation.elements))
        return DecodeResult.concatenate(
            [self._crystals(cell[rows], basis[rows]) for rows in _chunks(len(latents))]
        )

    def _crystals(self, cell: Array, basis: Array) -> DecodeResult:
        """Crystals of (n, 20) and (n, E, 200) codes."""
        images = self._images("basis", basis.reshape(-1, networks.BASIS_CODE))
        drawn = self.representation.read(
            self._images("cell", cell), images.reshape(*basis.shape[:2], -1)
        )
        mended = mend(drawn.crystals)
        reasons = list(drawn.reasons)
        for row, valid in zip(drawn.kept, mended.valid, strict=True):
            reasons[row] = None if valid else "oxidation_state"
        crystals = mended.crystals.select(np.flatnonzero(mended.valid))
        return self.representation.fitting(
            DecodeResult(crystals, drawn.kept[mended.valid], reasons, repairs=mended.counts)
        )

    def probabilities(self, latents: NDArray[np.floating]) -> Array:
        """(n, p) probabilities that each property is at or below its threshold."""
        classify = lambda part: self.networks["classifier"](part, training=False)  # noqa: E731
        return in_chunks(
            classify, np.asarray(latents, dtype=np.float32), len(self.classes.properties)
        )

    def predict(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, p) expected properties: the classes' mean labels, weighted with their
        probabilities.
        """
        return self.classes.expected(self.probabilities(latents))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything numeric by name."""
        return {
            **{
                f"{name}.{place:02d}": np.asarray(value)
                for name in NAMES
                for place, value in enumerate(self.networks[name].get_weights())
            },
            "thresholds": self.classes.thresholds,
            "class_means": self.classes.means,
            "latent_mean": self.latent_mean,
            "latent_std": self.latent_std,
        }

    def config(self) -> dict[str, Any]:
        """Everything else, as JSON-able values."""
        return {
            "spec": self.spec.model_dump(mode="json"),
            "properties": list(self.classes.properties),
            "seed": self.seed,
            "training_set_hash": self.training_set_hash,
            "versions": dict(self.versions),
        }

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of `config` and `arrays`.

        KeyError, TypeError or ValueError if something is missing or misfits.
        """
        spec = ImatgenSettings.model_validate(config["spec"])
        properties = tuple(config["properties"])
        built = build_networks(spec, len(properties))
        set_weights(built, arrays)
        return cls(
            representation=representation_of(spec),
            spec=spec,
            seed=config["seed"],
            classes=Classes(properties, arrays["thresholds"], arrays["class_means"]),
            networks=built,
            latent_mean=arrays["latent_mean"],
            latent_std=arrays["latent_std"],
            training_set_hash=config["training_set_hash"],
            versions=config["versions"],
        )

    def content_hash(self) -> str:
        """Hash of all numbers; 16 hexadecimal digits."""
        return hash_of_arrays(self.arrays())


def _chunks(total: int) -> list[NDArray[np.int64]]:
    return [np.arange(i, min(i + CHUNK_IMAGES, total)) for i in range(0, total, CHUNK_IMAGES)]


def representation_of(spec: ImatgenSettings) -> CrystalImages:
    """The images that a spec asks for."""
    return CrystalImages(spec.imatgen.elements, spec.imatgen.max_sites, spec.imatgen.least_peak)


def build_networks(spec: ImatgenSettings, num_properties: int) -> dict[str, keras.Model]:
    """Fresh networks by the names in `NAMES`; their weights depend on Keras' seed."""
    own = spec.imatgen
    cell, basis = (
        build(own.channels, own.precision, normalised=own.normalised_codes)
        for build in (networks.cell_autoencoder, networks.basis_autoencoder)
    )
    rest = (
        networks.materials_encoder(spec.latent_dim),
        networks.materials_decoder(spec.latent_dim),
        networks.classifier(spec.latent_dim, num_properties),
    )
    return dict(zip(NAMES, (*cell, *basis, *rest), strict=True))


def set_weights(built: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Set all weights; KeyError or ValueError if one is missing or has another shape."""
    for name, network in built.items():
        network.set_weights(
            [arrays[f"{name}.{place:02d}"] for place in range(len(network.weights))]
        )
