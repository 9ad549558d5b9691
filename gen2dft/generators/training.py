"""Training of the FTCP networks: a plain loop over epochs that can stop and go on as if it had not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from gen2dft.campaign import GeneratorSpec
from gen2dft.crystals import CrystalTable
from gen2dft.generators import losses
from gen2dft.generators.base import OnEpoch
from gen2dft.generators.checkpoint import Checkpoint, CheckpointFile, History
from gen2dft.generators.networks import Networks
from gen2dft.generators.scalers import MatrixScaler
from gen2dft.representations.ftcp import FTCP

TERMS = ("reconstruction", "kl", "property")
CHECKPOINT_SECONDS = 20.0


@dataclass(frozen=True, eq=False)
class Samples:
    """Training data. Matrices are written when they are needed, so memory does not grow with their number.

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
        return self.scaler.scale(self.representation, self.representation.encode(self.crystals.select(rows)))

    def take(self, rows: NDArray[np.int64], noise: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Inputs of the trainer for some rows: matrix, labels, mask, noise."""
        labels = self.labels[rows]
        mask = np.isfinite(labels)
        return [self.matrices(rows), np.where(mask, labels, 0).astype(np.float32), mask.astype(np.float32), noise]


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
        spec: GeneratorSpec,
        make_optimizer: Callable[[GeneratorSpec, float, int], Any],
        samples: Samples,
        seed: int,
        epochs: int,
        rate: float,
    ) -> None:
        self.networks, self.spec, self.epochs, self.samples, self.seed = networks, spec, epochs, samples, seed
        steps = epochs * len(_batches(len(samples), spec.batch_size))
        self.weights = np.array([1.0, spec.beta, spec.property_weight], dtype=np.float32)
        labelled = np.isfinite(samples.labels).sum(axis=0)
        label_weight = (len(samples) / np.maximum(labelled, 1)).astype(np.float32)
        self.model = _loss_model(networks, samples.representation, spec.latent_dim, label_weight, self.weights)
        # JAX knows no other way to compile a step; TensorFlow's graph does without XLA, which may round differently.
        jit = keras.backend.backend() == "jax"
        self.model.compile(optimizer=make_optimizer(spec, rate, steps), jit_compile=jit)
        self.model.optimizer.build(self.model.trainable_variables)

    def run(self, held_out: Samples, checkpoints: CheckpointFile, on_epoch: OnEpoch | None) -> History:
        """Train all epochs that are still to do; one row of losses per epoch, `val_` for held-out crystals."""
        history: History = []
        stored = checkpoints.load()
        if stored is not None and self._restore(stored):
            history = stored.history
        last_saved = time.monotonic()
        for epoch in range(len(history) + 1, self.epochs + 1):
            row = {"epoch": float(epoch)} | self._epoch(epoch) | self._evaluate(held_out)
            history.append(row)
            if on_epoch is not None:
                on_epoch(epoch, row)
            if time.monotonic() - last_saved > CHECKPOINT_SECONDS and epoch < self.epochs:
                checkpoints.save(Checkpoint(history, self._state()))
                last_saved = time.monotonic()
        return history

    def _epoch(self, epoch: int) -> dict[str, float]:
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(len(self.samples))
        self.model.reset_metrics()
        logs: dict[str, Any] = {}
        for part in _batches(len(order), self.spec.batch_size):
            rows = order[part]
            noise = rng.standard_normal((len(rows), self.spec.latent_dim), dtype=np.float32)
            logs = self.model.train_on_batch(self.samples.take(rows, noise), return_dict=True)
        return self._row(logs)

    def _evaluate(self, samples: Samples) -> dict[str, float]:
        """Losses at the latent means."""
        if not len(samples):
            return {}
        self.model.reset_metrics()
        logs: dict[str, Any] = {}
        for part in _batches(len(samples), self.spec.batch_size):
            rows = np.arange(len(samples))[part]
            noise = np.zeros((len(rows), self.spec.latent_dim), dtype=np.float32)
            logs = self.model.test_on_batch(samples.take(rows, noise), return_dict=True)
        return {f"val_{name}": value for name, value in self._row(logs).items()}

    def _row(self, logs: Mapping[str, Any]) -> dict[str, float]:
        """The terms of the loss, and the loss made of them."""
        terms = [float(logs[name]) for name in TERMS]
        return {"loss": float(np.dot(self.weights, terms)), **dict(zip(TERMS, terms, strict=True))}

    def _variables(self) -> list[Any]:
        """Weights, batch statistics, the state of dropout's randomness, and the optimiser's."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def _state(self) -> dict[str, NDArray[np.generic]]:
        return {f"{i:04d}": np.asarray(v) for i, v in enumerate(self._variables())}

    def _restore(self, checkpoint: Checkpoint) -> bool:
        """Set all variables; False, and nothing changed, if the checkpoint is of another shape."""
        if {k: v.shape for k, v in self._state().items()} != {k: v.shape for k, v in checkpoint.arrays.items()}:
            return False
        for place, variable in enumerate(self._variables()):
            variable.assign(checkpoint.arrays[f"{place:04d}"])
        return True


def _batches(total: int, size: int) -> list[slice]:
    """Batches of one size, at most `size`, because every other shape costs a compilation.

    The few crystals that are left over, fewer than there are batches, are others in every shuffled epoch.
    """
    count = -(-total // size)
    return [slice(i * (total // count), (i + 1) * (total // count)) for i in range(count)]


def _loss_model(
    networks: Networks,
    representation: FTCP,
    latent_dim: int,
    label_weight: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> Any:
    """Model of (matrix, labels, mask, noise) that any backend of Keras can train; see `losses` for the terms."""
    matrix = layers.Input(representation.shape)
    labels, mask = (layers.Input((len(label_weight),)) for _ in range(2))
    noise = layers.Input((latent_dim,))
    mean, log_variance = networks.encoder(matrix)
    # z = mu + sigma * epsilon, the reparametrisation of Kingma & Welling, arXiv:1312.6114.
    latent = mean + ops.exp(0.5 * log_variance) * noise
    terms = [
        networks.reconstruction(matrix, latent),
        losses.divergence(mean, log_variance),
        networks.property_error(networks.head(latent), labels, mask, label_weight),
    ]
    return _LossModel([matrix, labels, mask, noise], ops.stack(terms, axis=1), weights)


class _LossModel(keras.Model):  # type: ignore[misc]  # keras is not typed
    """A functional model whose outputs are the terms of its own loss, one row per crystal."""

    def __init__(self, inputs: Any, outputs: Any, weights: NDArray[np.float32]) -> None:
        super().__init__(inputs, outputs, name="training")
        self.term_weights = weights
        self.term_means = [keras.metrics.Mean(name=name) for name in TERMS]

    def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG002  # Keras' signature
        """The weighted sum of the terms; called by Keras."""
        for place, tracker in enumerate(self.term_means):
            tracker.update_state(y_pred[:, place])
        return ops.mean(ops.sum(ops.multiply(y_pred, self.term_weights), axis=1))
