"""A trained iMatGen generator at rest: its seven networks, and the maps it offers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
from gen2dft.generators.weights import set_weights, weights_of
from gen2dft.representations.base import DecodeResult
from gen2dft.representations.images import CrystalImages
from gen2dft.representations.indexing import row_chunks
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
# Crystals that are too large for their images are encoded as far as these go, so they are not
# refused: a candidate that grew while it was relaxed must not stop a campaign.
REFUSED = ("foreign_element", "missing_element", "too_many_sites")
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Classes:
    """The two classes of crystals that the classifier distinguishes, per property.

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
        thresholds = np.nanmedian(labels, axis=0)
        for place, name in enumerate(properties):
            thresholds[place] = given.get(name, thresholds[place])
        means = np.empty((len(properties), 2))
        for place, threshold in enumerate(thresholds):
            column = labels[:, place]
            known = column[np.isfinite(column)]
            is_first = known <= threshold
            means[place, 0] = _mean(known[is_first], threshold)
            means[place, 1] = _mean(known[~is_first], threshold)
        return cls(properties, thresholds, means)

    def of(self, labels: NDArray[np.float64]) -> Array:
        """(n, p) 1 for the first class, 0 for the other, NaN where not labelled."""
        is_first = labels <= self.thresholds
        classes = is_first.astype(np.float32)
        classes[np.isnan(labels)] = np.nan
        return classes

    def expected(self, probabilities: Array) -> NDArray[np.float64]:
        """(n, p) expected property, in its unit, of (n, p) probabilities of the first class."""
        p = probabilities.astype(np.float64)
        first, other = self.means.T
        return p * first + (1 - p) * other


def _mean(labels: NDArray[np.float64], threshold: float) -> float:
    """Mean label of one class; an empty class is at the threshold."""
    if not len(labels):
        return threshold
    return labels.mean()


@dataclass(frozen=True, eq=False)
class TrainedImatgen:
    """All that a training leaves behind.

    Parameters
    ----------
    representation, spec, seed
        Images, settings and seed of the training.
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
        rep = self.representation
        rep.check(table, REFUSED)
        cell = self._codes("cell", rep.cell_images(table))
        basis = self._codes("basis", rep.basis_images(table))
        by_element = basis.reshape(-1, len(rep.elements), networks.BASIS_CODE)
        return tensors_of(cell, by_element)

    def _codes(self, part: str, images: SparseRows) -> Array:
        """(n, code) codes of n images, a few of them in memory at a time."""
        encoder = self.networks[f"{part}_encoder"]
        _, size = encoder.output_shape
        shape = encoder.input_shape[1:]
        encode = _at_rest(encoder)
        codes = np.empty((len(images), size), dtype=np.float32)
        for rows in row_chunks(len(images), CHUNK_IMAGES):
            dense = images.dense(rows)
            cubes = dense.reshape(-1, *shape)
            codes[rows] = in_chunks(encode, cubes, size, chunk=CHUNK_IMAGES)
        return codes

    def image_errors(self, part: str, images: SparseRows) -> Array:
        """(n,) mean squared error per voxel of the `cell` or `basis` images that the autoencoder
        makes of n images.
        """
        errors = np.empty(len(images), dtype=np.float32)
        for rows in row_chunks(len(images), CHUNK_IMAGES):
            redrawn = self.redrawn(part, images.select(rows))
            error = redrawn - images.dense(rows)
            squares = np.square(error)
            errors[rows] = squares.mean(axis=1)
        return errors

    def redrawn(self, part: str, images: SparseRows) -> Array:
        """(n, voxels^3) `cell` or `basis` images as the autoencoder reproduces them.

        Dense, so keep n small.
        """
        codes = self._codes(part, images)
        return self._images(part, codes)

    def _images(self, part: str, codes: Array) -> Array:
        """(n, voxels^3) images of (n, code) codes."""
        decoder = self.networks[f"{part}_decoder"]
        _, *shape = decoder.output_shape
        decode = _at_rest(decoder)
        images = in_chunks(decode, codes, *shape, chunk=CHUNK_IMAGES)
        voxels = math.prod(shape)
        return images.reshape(-1, voxels)

    def encode(self, table: CrystalTable) -> Array:
        """(n, d) latent means delta * mu."""
        return self.encode_tensors(self.tensors(table))

    def encode_tensors(self, tensors: Array) -> Array:
        """(n, d) latent means of (n, 1, 200, 6) tensors."""
        encoder = _at_rest(self.networks["encoder"])

        def mean_of(part: Array) -> Any:
            mean, _ = encoder(part)
            return mean

        delta = np.float32(self.spec.imatgen.delta)
        return in_chunks(mean_of, tensors, self.spec.latent_dim) * delta

    def decode_tensors(self, latents: NDArray[np.floating]) -> Array:
        """(n, 1, 200, 6) tensors of (n, d) latent vectors."""
        decoder = _at_rest(self.networks["decoder"])
        points = np.asarray(latents, dtype=np.float32)
        return in_chunks(decoder, points, 1, networks.LENGTH, networks.SLOTS)

    def decode(self, latents: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, d) latent vectors, mended, a few images in memory at a time."""
        tensors = self.decode_tensors(latents)
        cell, basis = codes_of(tensors, len(self.representation.elements))
        parts = []
        for rows in row_chunks(len(latents), CHUNK_IMAGES):
            crystals = self._crystals(cell[rows], basis[rows])
            parts.append(crystals)
        return DecodeResult.concatenate(parts)

    def _crystals(self, cell: Array, basis: Array) -> DecodeResult:
        """Crystals of (n, 20) and (n, E, 200) codes."""
        count, num_elements, size = basis.shape
        cell_images = self._images("cell", cell)
        basis_images = self._images("basis", basis.reshape(-1, size))
        by_element = basis_images.reshape(count, num_elements, -1)
        drawn = self.representation.read(cell_images, by_element)
        mended = mend(drawn.crystals)
        reasons = list(drawn.reasons)
        for row in drawn.kept[~mended.valid]:
            reasons[row] = "oxidation_state"
        crystals = mended.crystals.select(mended.valid)
        kept = drawn.kept[mended.valid]
        decoded = DecodeResult(crystals, kept, reasons, repairs=mended.counts)
        return self.representation.fitting(decoded)

    def probabilities(self, latents: NDArray[np.floating]) -> Array:
        """(n, p) probabilities that each property is at or below its threshold."""
        classifier = _at_rest(self.networks["classifier"])
        points = np.asarray(latents, dtype=np.float32)
        return in_chunks(classifier, points, len(self.classes.properties))

    def predict(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, p) expected properties: the classes' mean labels, weighted with their
        probabilities.
        """
        probabilities = self.probabilities(latents)
        return self.classes.expected(probabilities)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything numeric by name."""
        return {
            **weights_of({name: self.networks[name] for name in NAMES}),
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
        thresholds = arrays["thresholds"]
        means = arrays["class_means"]
        classes = Classes(properties, thresholds, means)
        return cls(
            representation=representation_of(spec),
            spec=spec,
            seed=config["seed"],
            classes=classes,
            networks=built,
            latent_mean=arrays["latent_mean"],
            latent_std=arrays["latent_std"],
            training_set_hash=config["training_set_hash"],
            versions=config["versions"],
        )

    def content_hash(self) -> str:
        """Hash of all numbers; 16 hexadecimal digits."""
        return hash_of_arrays(self.arrays())


def _at_rest(network: Any) -> Callable[[Array], Any]:
    """The network without dropout, with the batch statistics of its training."""

    def call(rows: Array) -> Any:
        return network(rows, training=False)

    return call


def representation_of(spec: ImatgenSettings) -> CrystalImages:
    """The images that a spec asks for."""
    own = spec.imatgen
    return CrystalImages(own.elements, own.max_sites, own.least_peak)


def build_networks(spec: ImatgenSettings, num_properties: int) -> dict[str, keras.Model]:
    """Fresh networks by the names in `NAMES`; their weights depend on Keras' seed."""
    own = spec.imatgen
    latent_dim = spec.latent_dim
    channels, precision = own.channels, own.precision
    normalised = own.normalised_codes
    # Weights are initialised in the order of these lines.
    cell = networks.cell_autoencoder(channels, precision, normalised=normalised)
    basis = networks.basis_autoencoder(channels, precision, normalised=normalised)
    encoder = networks.materials_encoder(latent_dim)
    decoder = networks.materials_decoder(latent_dim)
    classifier = networks.classifier(latent_dim, num_properties)
    built = (*cell, *basis, encoder, decoder, classifier)
    return dict(zip(NAMES, built, strict=True))
