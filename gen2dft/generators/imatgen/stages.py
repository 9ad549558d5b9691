"""The networks of iMatGen in training: their inputs, losses and loops over epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from gen2dft.generators.epochs import (
    EpochLoop,
    Inputs,
    LossModel,
    Randomness,
    Rows,
    batches,
    label_weights,
    masked_labels,
    standard_noise,
)
from gen2dft.generators.imatgen.networks import LENGTH, SLOTS
from gen2dft.generators.imatgen.settings import ImatgenSettings

SMALLEST = 1e-7  # probability; the cross-entropy takes no logarithm of less
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
    rate, batch_size = own.cell_rate, own.cell_batch
    if stage == BASIS:
        rate, batch_size = own.basis_rate, own.basis_batch
    train, held_out = parts
    model = _image_model(encoder, decoder, own.image_loss, own.atom_weight)
    epochs = own.autoencoder_epochs
    steps_per_epoch = len(batches(train.count, batch_size))
    steps = epochs * steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = keras.optimizers.Adam(schedule, epsilon=EPSILON)
    model.prepare(optimizer)
    return EpochLoop(model, train, held_out, batch_size, epochs, (seed, stage))


def _image_model(encoder: Any, decoder: Any, loss: str, atom_weight: float) -> LossModel:
    image = layers.Input(encoder.input_shape[1:])
    # The loss takes logits, which are the input of the decoder's last layer.
    before_sigmoid = decoder.layers[-2].output
    draw = keras.Model(decoder.input, before_sigmoid)
    logits = draw(encoder(image))
    logits = ops.cast(logits, "float32")
    error = image_error(image, logits, loss, atom_weight)
    weights = np.ones(1, dtype=np.float32)
    return LossModel([image], {"reconstruction": error}, weights)


def image_error(image: Any, logits: Any, loss: str, atom_weight: float) -> Any:
    """(n,) mean over voxels of (1 + w x) times the error of (n, ..., 1) images x drawn as q =
    sigmoid(logits).

    The error is -x ln q - (1 - x) ln(1 - q), which like its square, (x - q)^2, is least at q = x.
    The square's slope in the logit has a factor q, and so vanishes where an atom is missing: in an
    image that is black but for a few voxels, networks learn to draw black, and nothing more.
    """
    if loss == "mse":
        drawn = ops.sigmoid(logits)
        error = ops.square(image - drawn)
    else:
        error = ops.softplus(logits) - image * logits
    weight = 1.0 + atom_weight * image
    weighted = weight * error
    return ops.mean(weighted, axis=(1, 2, 3, 4))


@dataclass(frozen=True, eq=False)
class Samples:
    """Training data of the materials generator.

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
        tensors = self.tensors[which]
        classes = self.classes[which]
        return Samples(tensors, classes)

    def split(self, is_learnt: NDArray[np.bool_]) -> tuple[Samples, Samples]:
        """Those to learn from, and the others."""
        learnt = self.select(is_learnt)
        others = self.select(~is_learnt)
        return learnt, others

    def rows(self, latent_dim: int) -> Rows:
        """All of them, for the loop over epochs: tensor, class, mask, noise."""

        def take(rows: NDArray[np.int64], rng: Randomness) -> Inputs:
            chosen = self.select(rows)
            known, mask = masked_labels(chosen.classes)
            noise = standard_noise(len(rows), latent_dim, rng)
            return [chosen.tensors, known, mask, noise]

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
    train, held_out = parts
    class_weight = spec.property_weight if stage == LABELLED else 0.0
    weights = np.array([1.0, spec.beta, class_weight], dtype=np.float32)
    per_label = label_weights(train.classes)
    model = _generator_model(networks, spec, per_label, weights)
    optimizer = keras.optimizers.Adam(spec.learning_rate, epsilon=EPSILON)
    model.prepare(optimizer)
    rows = train.rows(spec.latent_dim)
    kept_rows = held_out.rows(spec.latent_dim)
    return EpochLoop(model, rows, kept_rows, spec.batch_size, epochs, (seed, stage))


def _generator_model(
    networks: Mapping[str, Any],
    spec: ImatgenSettings,
    label_weight: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> LossModel:
    num_properties = len(label_weight)
    tensor = layers.Input((1, LENGTH, SLOTS))
    known = layers.Input((num_properties,))
    mask = layers.Input((num_properties,))
    noise = layers.Input((spec.latent_dim,))
    mean, log_variance = networks["encoder"](tensor)
    # z = delta (mu + sigma epsilon): the prior of z is delta N(0, 1) where that of mu + sigma
    # epsilon is N(0, 1)
    sigma = ops.exp(0.5 * log_variance)
    drawn = mean + sigma * noise
    latent = spec.imatgen.delta * drawn
    error = tensor - networks["decoder"](latent)
    squares = ops.square(error)
    reconstruction = ops.mean(squares, axis=(1, 2, 3))
    divergence = _mean_divergence(mean, log_variance)
    probability = networks["classifier"](latent)
    class_error = cross_entropy(probability, known, mask, label_weight)
    terms = {"reconstruction": reconstruction, "kl": divergence, "property": class_error}
    return LossModel([tensor, known, mask, noise], terms, weights)


def _mean_divergence(mean: Any, log_variance: Any) -> Any:
    """(n,) KL(q(z|x) || N(0, 1)) per latent dimension, 1/2 [mu^2 + sigma^2 - 1 - ln sigma^2]."""
    variance = ops.exp(log_variance)
    squares = ops.square(mean)
    per_dimension = squares + variance - 1.0 - log_variance
    return 0.5 * ops.mean(per_dimension, axis=1)


def cross_entropy(probability: Any, known: Any, mask: Any, weight: Any) -> Any:
    """(n,) -sum_p w [y ln q + (1 - y) ln(1 - q)]; where the mask is 0, no loss and no gradient."""
    bounded = ops.clip(probability, SMALLEST, 1 - SMALLEST)
    first_class = known * ops.log(bounded)
    is_other = 1 - known
    other_class = is_other * ops.log(1 - bounded)
    loss = -(first_class + other_class)
    nothing = ops.zeros_like(loss)
    masked = ops.where(mask > 0, loss, nothing)
    return ops.sum(masked * weight, axis=1)
