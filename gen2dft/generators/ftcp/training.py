"""Training of the FTCP networks: their data, loss and optimiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.base import OnEpoch
from gen2dft.generators.checkpoint import CheckpointFile, History
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
from gen2dft.generators.ftcp import losses
from gen2dft.generators.ftcp.networks import Networks
from gen2dft.generators.ftcp.scalers import MatrixScaler
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.representations.ftcp import FTCP


@dataclass(frozen=True, eq=False)
class Samples:
    """Training data.

    Matrices are written when they are needed, so memory does not grow with their number.

    Parameters
    ----------
    crystals
        Crystals in the cells that the networks see.
    labels
        (n, p) scaled properties, NaN where not labelled.
    representation, scaler
        Turn crystals into scaled matrices.
    weights
        (n, p) how much each label counts.
    """

    crystals: CrystalTable
    labels: NDArray[np.float32]
    representation: FTCP
    scaler: MatrixScaler
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.crystals)

    def matrices(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(m, rows, columns) scaled matrices of some crystals."""
        chosen = self.crystals.select(rows)
        matrices = self.representation.encode(chosen)
        return self.scaler.scale(self.representation, matrices)

    def take(self, rows: NDArray[np.int64], rng: Randomness, latent_dim: int) -> Inputs:
        """Inputs of the trainer for some rows: matrix, labels, mask, and noise, which is 0 without
        randomness.
        """
        matrices = self.matrices(rows)
        labels, mask = masked_labels(self.labels[rows], self.weights[rows])
        noise = standard_noise(len(rows), latent_dim, rng)
        return [matrices, labels, mask, noise]

    def rows(self, latent_dim: int) -> Rows:
        """All of them, for the loop over epochs."""

        def take(rows: NDArray[np.int64], rng: Randomness) -> Inputs:
            return self.take(rows, rng, latent_dim)

        return Rows(len(self), take)


@dataclass(frozen=True, eq=False)
class Trainer:
    """Networks, loss and optimiser of one training.

    Parameters
    ----------
    networks
        Trained in place.
    spec
        Batch size, rates and weights.
    make_optimizer
        See `Variant.optimizer`.
    samples
        The training part.
    seed
        Order of crystals and noise of epoch `e` follow from (seed, e) alone.
    epochs
        Length of the training and of its learning-rate schedule.
    rate
        Factor on the learning rate.
    """

    networks: Networks
    spec: FTCPSettings
    make_optimizer: Callable[[FTCPSettings, float, int], Any]
    samples: Samples
    seed: int
    epochs: int
    rate: float

    def run(
        self, held_out: Samples, checkpoints: CheckpointFile, on_epoch: OnEpoch | None
    ) -> History:
        """Train all epochs that are still to do.

        One row of losses per epoch, `val_` for held-out crystals.
        """
        spec = self.spec
        train = self.samples.rows(spec.latent_dim)
        kept = held_out.rows(spec.latent_dim)
        model = self._compiled()
        loop = EpochLoop(model, train, kept, spec.batch_size, self.epochs, (self.seed,))
        return loop.run(checkpoints, on_epoch)

    def _compiled(self) -> LossModel:
        model = self._loss_model()
        steps_per_epoch = len(batches(len(self.samples), self.spec.batch_size))
        steps = self.epochs * steps_per_epoch
        optimizer = self.make_optimizer(self.spec, self.rate, steps)
        model.prepare(optimizer)
        return model

    def _loss_model(self) -> LossModel:
        """Model of (matrix, labels, mask, noise) that any backend of Keras can train.

        See `losses` for the terms.
        """
        networks = self.networks
        spec = self.spec
        weight = label_weights(self.samples.labels)
        num_properties = len(weight)
        matrix = layers.Input(self.samples.representation.shape)
        labels = layers.Input((num_properties,))
        mask = layers.Input((num_properties,))
        noise = layers.Input((spec.latent_dim,))
        mean, log_variance = networks.encoder(matrix)
        # z = mu + sigma * epsilon, the reparametrisation of Kingma & Welling, arXiv:1312.6114.
        sigma = ops.exp(0.5 * log_variance)
        latent = mean + sigma * noise
        reconstruction = networks.reconstruction(matrix, latent)
        divergence = losses.divergence(mean, log_variance)
        predicted = networks.head(latent)
        error = networks.property_error(predicted, labels, mask, weight)
        terms = {"reconstruction": reconstruction, "kl": divergence, "property": error}
        term_weights = np.array([1.0, spec.beta, spec.property_weight], dtype=np.float32)
        return LossModel([matrix, labels, mask, noise], terms, term_weights)
