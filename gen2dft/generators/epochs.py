"""The training loop over epochs, shared by all networks; an interrupted training resumes at the
last stored epoch and gives the same numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from gen2dft.generators.base import OnEpoch
from gen2dft.generators.checkpoint import Checkpoint, CheckpointFile, History

CHECKPOINT_SECONDS = 20.0
Inputs = list[NDArray[np.float32]]
Randomness = np.random.Generator | None


class LossModel(keras.Model):  # type: ignore[misc]  # keras is not typed
    """A functional model whose outputs are the terms of its own loss, one row per crystal.

    Parameters
    ----------
    inputs
        Keras inputs.
    terms
        Name of each term to its (n,) tensor.
    weights
        Weight of each term, in that order.
    """

    def __init__(self, inputs: Any, terms: Mapping[str, Any], weights: NDArray[np.float32]) -> None:
        columns = ops.stack(list(terms.values()), axis=1)
        super().__init__(inputs, columns, name="training")
        self.term_names = tuple(terms)
        self.term_weights = weights
        self.term_means = [keras.metrics.Mean(name=name) for name in terms]

    def prepare(self, optimizer: Any) -> None:
        """Compile with an optimiser, whose variables exist from then on."""
        # JAX knows no other way to compile a step; TensorFlow's graph does without XLA, which may
        # round differently.
        needs_jit = keras.backend.backend() == "jax"
        self.compile(optimizer=optimizer, jit_compile=needs_jit)
        self.optimizer.build(self.trainable_variables)

    def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG002
        """The weighted sum of the terms; called by Keras."""
        for place, tracker in enumerate(self.term_means):
            tracker.update_state(y_pred[:, place])
        weighted = ops.multiply(y_pred, self.term_weights)
        losses = ops.sum(weighted, axis=1)
        return ops.mean(losses)


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one part of the data.

    Parameters
    ----------
    count
        How many there are.
    take
        Inputs of the model for some of them. Random inputs are drawn from the generator; without
        one they are the means of their distributions.
    """

    count: int
    take: Callable[[NDArray[np.int64], Randomness], Inputs]


def standard_noise(num_rows: int, width: int, rng: Randomness) -> NDArray[np.float32]:
    """(num_rows, width) standard normal numbers; their mean, 0, without randomness."""
    shape = (num_rows, width)
    if rng is None:
        return np.zeros(shape, dtype=np.float32)
    return rng.standard_normal(shape, dtype=np.float32)


def masked_labels(
    labels: NDArray[np.float32], weights: NDArray[np.float32] | None = None
) -> Inputs:
    """(n, p) labels with 0 where one is missing (NaN), and (n, p) their weights, 0 where one is
    missing.

    Labels weigh 1 unless (n, p) weights are given.
    """
    is_known = np.isfinite(labels)
    values = np.where(is_known, labels, 0)
    mask = is_known if weights is None else is_known * weights
    return [values.astype(np.float32), mask.astype(np.float32)]


def label_weights(labels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(p,) crystals over labelled crystals: a loss with these weights is a mean over the labelled
    ones, however few of them a batch holds.
    """
    labelled = np.isfinite(labels).sum(axis=0)
    weights = len(labels) / np.maximum(labelled, 1)
    return weights.astype(np.float32)


@dataclass(frozen=True, eq=False)
class EpochLoop:
    """A model, its data and the length of its training.

    Parameters
    ----------
    model
        Compiled; trained in place.
    train, held_out
        Rows to learn from; rows on which the losses are measured after each epoch.
    batch_size
        Rows per step at most.
    epochs
        Total number, epochs before an interruption included.
    seed
        The order of rows and the noise of epoch `e` follow from (*seed, e) alone.
    """

    model: LossModel
    train: Rows
    held_out: Rows
    batch_size: int
    epochs: int
    seed: tuple[int, ...]

    def run(
        self, checkpoints: CheckpointFile, on_epoch: OnEpoch | None, *, keep_end: bool = False
    ) -> History:
        """Train all epochs that are still to do.

        One row of losses per epoch, `val_` for held-out rows.

        With `keep_end` the state after the last epoch is stored too, for a training that goes on
        with other networks.
        """
        history = self._resume(checkpoints)
        last_saved = time.monotonic()
        for epoch in range(len(history) + 1, self.epochs + 1):
            row = {"epoch": float(epoch)} | self._epoch(epoch) | self._evaluate()
            history.append(row)
            # Before the checkpoint: an epoch that `on_epoch` interrupts is done again.
            if on_epoch is not None:
                on_epoch(epoch, row)
            is_last = epoch == self.epochs
            is_due = time.monotonic() - last_saved > CHECKPOINT_SECONDS
            must_save = keep_end if is_last else is_due
            if must_save:
                checkpoints.save(Checkpoint(history, self._state()))
                last_saved = time.monotonic()
        return history

    def _resume(self, checkpoints: CheckpointFile) -> History:
        """The epochs of the checkpoint, whose state the model takes; none without a checkpoint."""
        stored = checkpoints.load()
        if stored is None or not self._restore(stored):
            return []
        return stored.history

    def _epoch(self, epoch: int) -> dict[str, float]:
        rng = np.random.default_rng([*self.seed, epoch])
        order = rng.permutation(self.train.count)
        logs = []
        for rows in self._batches(order):
            inputs = self.train.take(rows, rng)
            logs.append(self.model.train_on_batch(inputs, return_dict=True))
        return self._mean(logs)

    def _evaluate(self) -> dict[str, float]:
        """Losses on held-out rows, without noise."""
        if not self.held_out.count:
            return {}
        order = np.arange(self.held_out.count)
        logs = []
        for rows in self._batches(order):
            inputs = self.held_out.take(rows, None)
            logs.append(self.model.test_on_batch(inputs, return_dict=True))
        means = self._mean(logs)
        return {f"val_{name}": value for name, value in means.items()}

    def _batches(self, order: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        for part in batches(len(order), self.batch_size):
            yield order[part]

    def _mean(self, logs: list[dict[str, Any]]) -> dict[str, float]:
        """The terms of the loss, and the loss made of them: means over batches.

        Keras' own means are of no use: `train_on_batch` resets them at every batch.
        """
        names = self.model.term_names
        terms = []
        for name in names:
            values = [float(log[name]) for log in logs]
            terms.append(float(np.mean(values)))
        loss = float(np.dot(self.model.term_weights, terms))
        return {"loss": loss, **dict(zip(names, terms, strict=True))}

    def _variables(self) -> list[Any]:
        """Weights, batch statistics, the state of dropout's randomness, and the optimiser's."""
        model = self.model
        return [*model.variables, *model.optimizer.variables]

    def _state(self) -> dict[str, NDArray[np.generic]]:
        state = {}
        for place, variable in enumerate(self._variables()):
            state[_key(place)] = np.asarray(variable)
        return state

    def _restore(self, checkpoint: Checkpoint) -> bool:
        """Set all variables; False, and nothing changed, if the checkpoint is of another shape."""
        if _shapes(self._state()) != _shapes(checkpoint.arrays):
            return False
        for place, variable in enumerate(self._variables()):
            variable.assign(checkpoint.arrays[_key(place)])
        return True


def batches(total: int, size: int) -> list[slice]:
    """Batches of one size, at most `size`, because every other shape costs a compilation.

    The few rows that are left over, fewer than there are batches, are others in every shuffled
    epoch.
    """
    count = -(-total // size)
    parts = []
    for place in range(count):
        length = total // count
        parts.append(slice(place * length, (place + 1) * length))
    return parts


def _key(place: int) -> str:
    return f"{place:04d}"


def _shapes(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items()}
