"""The networks of iMatGen in training: what each reads, its loss, and its loop over epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from gen2dft.generators.epochs import EpochLoop, Inputs, LossModel, Rows, batches
from gen2dft.generators.imatgen.networks import LENGTH, SLOTS
from gen2dft.generators.imatgen.settings import ImatgenSettings

SMALLEST = 1e-7  # probability that the cross-entropy still takes the logarithm of
# Of Adam. The gradients of the classifier pass through a weight of 5e-7 and latent vectors of 1e-4;
# Keras' own, 1e-7, would leave them no step at all.
EPSILON = 1e-14
CELL, BASIS, BROAD, LABELLED = range(4)  # stages; each has a randomness of its own


def autoencoder_stage(
    encoder: Any,
    decoder: Any,
    parts: tuple[Rows, Rows],
    spec: ImatgenSettings,
    stage: int,
    seed: int,
) -> EpochLoop:
    """Training of an autoencoder by the error of its images.

    Its steps shrink to nothing along a cosine.

    Parameters
    ----------
    parts
        Images to learn from, and those that are held out.
    stage
        `CELL` or `BASIS`.
    """
    own = spec.imatgen
    image = layers.Input(encoder.input_shape[1:])
    logits = keras.Model(decoder.input, decoder.layers[-2].output)(encoder(image))
    error = image_error(image, ops.cast(logits, "float32"), own.image_loss, own.atom_weight)
    model = LossModel([image], {"reconstruction": error}, np.ones(1, dtype=np.float32))
    rate, batch = ((own.cell_rate, own.cell_batch), (own.basis_rate, own.basis_batch))[stage]
    steps = own.autoencoder_epochs * len(batches(parts[0].count, batch))
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.prepare(keras.optimizers.Adam(schedule, epsilon=EPSILON))
    return EpochLoop(model, *parts, batch, own.autoencoder_epochs, (seed, stage))


def image_error(image: Any, logits: Any, loss: str, atom_weight: float) -> Any:
    """(n,) mean over voxels of (1 + w x) times the error of (n, ..., 1) images x drawn as q =
    sigmoid(logits).

    The error is -x ln q - (1 - x) ln(1 - q), which like its square, (x - q)^2, is least at q = x.
    The square's slope in the logit has a factor q, and so vanishes where an atom is missing: in an
    image that is black but for a few voxels, networks learn to draw black, and nothing more.
    """
    error = (
        ops.square(image - ops.sigmoid(logits))
        if loss == "mse"
        else ops.softplus(logits) - image * logits
    )
    return ops.mean((1.0 + atom_weight * image) * error, axis=(1, 2, 3, 4))


@dataclass(frozen=True, eq=False)
class Samples:
    """What the materials generator learns from.

    Parameters
    ----------
    tensors
        (n, 1, 200, 6).
    classes
        (n, p) 1 or 0, NaN where not labelled.
    """

    tensors: NDArray[np.float32]
    classes: NDArray[np.float32]

    def select(self, which: NDArray[np.generic]) -> Samples:
        """Some of them."""
        return Samples(self.tensors[which], self.classes[which])

    def rows(self, latent_dim: int) -> Rows:
        """All of them, for the loop over epochs: tensor, class, mask, noise."""

        def take(rows: NDArray[np.int64], rng: np.random.Generator | None) -> Inputs:
            mask = np.isfinite(self.classes[rows])
            known = np.where(mask, self.classes[rows], 0).astype(np.float32)
            shape = (len(rows), latent_dim)
            noise = (
                np.zeros(shape, np.float32)
                if rng is None
                else rng.standard_normal(shape, dtype=np.float32)
            )
            return [self.tensors[rows], known, mask.astype(np.float32), noise]

        return Rows(len(self.tensors), take)


def generator_stage(
    networks: Mapping[str, Any],
    parts: tuple[Samples, Samples],
    spec: ImatgenSettings,
    stage: int,
    seed: int,
    epochs: int,
) -> EpochLoop:
    """Training of the materials generator: reconstruction + alpha KL + beta cross-entropy, means
    over their numbers.

    Parameters
    ----------
    parts
        Samples to learn from, and those that are held out.
    stage
        `BROAD`, without classifier, or `LABELLED`.
    """
    classes = parts[0].classes
    labelled = np.maximum(np.isfinite(classes).sum(axis=0), 1)
    weights = [1.0, spec.beta, spec.property_weight if stage == LABELLED else 0.0]
    model = _generator_model(networks, spec, (len(classes) / labelled).astype(np.float32), weights)
    model.prepare(keras.optimizers.Adam(spec.learning_rate, epsilon=EPSILON))
    train, held_out = (part.rows(spec.latent_dim) for part in parts)
    return EpochLoop(model, train, held_out, spec.batch_size, epochs, (seed, stage))


def _generator_model(
    networks: Mapping[str, Any],
    spec: ImatgenSettings,
    label_weight: NDArray[np.float32],
    weights: list[float],
) -> LossModel:
    tensor = layers.Input((1, LENGTH, SLOTS))
    known, mask = (layers.Input((len(label_weight),)) for _ in range(2))
    noise = layers.Input((spec.latent_dim,))
    mean, log_variance = networks["encoder"](tensor)
    # z = delta (mu + sigma epsilon): the prior of z is delta N(0, 1) where that of mu + sigma
    # epsilon is N(0, 1)
    latent = spec.imatgen.delta * (mean + ops.exp(0.5 * log_variance) * noise)
    terms = {
        "reconstruction": ops.mean(
            ops.square(tensor - networks["decoder"](latent)), axis=(1, 2, 3)
        ),
        "kl": 0.5 * ops.mean(ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance, axis=1),
        "property": cross_entropy(networks["classifier"](latent), known, mask, label_weight),
    }
    return LossModel([tensor, known, mask, noise], terms, np.array(weights, dtype=np.float32))


def cross_entropy(probability: Any, known: Any, mask: Any, weight: Any) -> Any:
    """(n,) -sum_p w [y ln q + (1 - y) ln(1 - q)]; where the mask is 0, no loss and no gradient."""
    probability = ops.clip(probability, SMALLEST, 1 - SMALLEST)
    loss = -(known * ops.log(probability) + (1 - known) * ops.log(1 - probability))
    return ops.sum(ops.where(mask > 0, loss, ops.zeros_like(loss)) * weight, axis=1)
