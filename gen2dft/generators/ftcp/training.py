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
from gen2dft.generators.epochs import EpochLoop, Inputs, LossModel, Rows, batches
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
        What makes matrices of crystals.
    """

    crystals: CrystalTable
    labels: NDArray[np.float32]
    representation: FTCP
    scaler: MatrixScaler

    def __len__(self) -> int:
        return len(self.crystals)

    def matrices(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(m, rows, columns) scaled matrices of some crystals."""
        return self.scaler.scale(
            self.representation, self.representation.encode(self.crystals.select(rows))
        )

    def take(
        self, rows: NDArray[np.int64], rng: np.random.Generator | None, latent_dim: int
    ) -> Inputs:
        """Inputs of the trainer for some rows: matrix, labels, mask, and noise, which is 0 without
        randomness.
        """
        labels = self.labels[rows]
        mask = np.isfinite(labels)
        shape = (len(rows), latent_dim)
        noise = (
            np.zeros(shape, dtype=np.float32)
            if rng is None
            else rng.standard_normal(shape, dtype=np.float32)
        )
        return [
            self.matrices(rows),
            np.where(mask, labels, 0).astype(np.float32),
            mask.astype(np.float32),
            noise,
        ]

    def rows(self, latent_dim: int) -> Rows:
        """All of them, for the loop over epochs."""
        return Rows(len(self), lambda rows, rng: self.take(rows, rng, latent_dim))


class Trainer:
    """Networks, loss and optimiser of one training.

    Parameters
    ----------
    networks
        What is trained, in place.
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

    def __init__(
        self,
        networks: Networks,
        spec: FTCPSettings,
        make_optimizer: Callable[[FTCPSettings, float, int], Any],
        samples: Samples,
        seed: int,
        epochs: int,
        rate: float,
    ) -> None:
        self.spec, self.epochs, self.samples, self.seed = spec, epochs, samples, seed
        steps = epochs * len(batches(len(samples), spec.batch_size))
        weights = np.array([1.0, spec.beta, spec.property_weight], dtype=np.float32)
        labelled = np.isfinite(samples.labels).sum(axis=0)
        label_weight = (len(samples) / np.maximum(labelled, 1)).astype(np.float32)
        self.model = _loss_model(
            networks, samples.representation, spec.latent_dim, label_weight, weights
        )
        self.model.prepare(make_optimizer(spec, rate, steps))

    def run(
        self, held_out: Samples, checkpoints: CheckpointFile, on_epoch: OnEpoch | None
    ) -> History:
        """Train all epochs that are still to do.

        One row of losses per epoch, `val_` for held-out crystals.
        """
        train, kept = (part.rows(self.spec.latent_dim) for part in (self.samples, held_out))
        loop = EpochLoop(self.model, train, kept, self.spec.batch_size, self.epochs, (self.seed,))
        return loop.run(checkpoints, on_epoch)


def _loss_model(
    networks: Networks,
    representation: FTCP,
    latent_dim: int,
    label_weight: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> LossModel:
    """Model of (matrix, labels, mask, noise) that any backend of Keras can train.

    See `losses` for the terms.
    """
    matrix = layers.Input(representation.shape)
    labels, mask = (layers.Input((len(label_weight),)) for _ in range(2))
    noise = layers.Input((latent_dim,))
    mean, log_variance = networks.encoder(matrix)
    # z = mu + sigma * epsilon, the reparametrisation of Kingma & Welling, arXiv:1312.6114.
    latent = mean + ops.exp(0.5 * log_variance) * noise
    terms = {
        "reconstruction": networks.reconstruction(matrix, latent),
        "kl": losses.divergence(mean, log_variance),
        "property": networks.property_error(networks.head(latent), labels, mask, label_weight),
    }
    return LossModel([matrix, labels, mask, noise], terms, weights)
