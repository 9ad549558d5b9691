"""The loop over epochs that every network is trained by: it can stop and go on as if it had not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
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
        super().__init__(inputs, ops.stack(list(terms.values()), axis=1), name="training")
        self.term_names = tuple(terms)
        self.term_weights = weights
        self.term_means = [keras.metrics.Mean(name=name) for name in terms]

    def prepare(self, optimizer: Any) -> None:
        """Compile with an optimiser, whose variables exist from then on."""
        # JAX knows no other way to compile a step; TensorFlow's graph does without XLA, which may
        # round differently.
        self.compile(optimizer=optimizer, jit_compile=keras.backend.backend() == "jax")
        self.optimizer.build(self.trainable_variables)

    def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG002
        """The weighted sum of the terms; called by Keras."""
        for place, tracker in enumerate(self.term_means):
            tracker.update_state(y_pred[:, place])
        return ops.mean(ops.sum(ops.multiply(y_pred, self.term_weights), axis=1))


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one part of the data.

    Parameters
    ----------
    count
        How many there are.
    take
        Inputs of the model for some of them; whatever is random comes from the generator, and is
        its mean without one.
    """

    count: int
    take: Callable[[NDArray[np.int64], np.random.Generator | None], Inputs]


@dataclass(frozen=True, eq=False)
class EpochLoop:
    """A model, its data and how long it is trained.

    Parameters
    ----------
    model
        Compiled; trained in place.
    train, held_out
        What it learns from, and what its losses are measured on besides.
    batch_size
        Rows per step at most.
    epochs
        How many in all.
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
        history: History = []
        stored = checkpoints.load()
        if stored is not None and self._restore(stored):
            history = stored.history
        last_saved = time.monotonic()
        for epoch in range(len(history) + 1, self.epochs + 1):
            row = {"epoch": float(epoch)} | self._epoch(epoch) | self._evaluate()
            history.append(row)
            if on_epoch is not None:
                on_epoch(epoch, row)
            due = time.monotonic() - last_saved > CHECKPOINT_SECONDS
            if (due and epoch < self.epochs) or (keep_end and epoch == self.epochs):
                checkpoints.save(Checkpoint(history, self._state()))
                last_saved = time.monotonic()
        return history

    def _epoch(self, epoch: int) -> dict[str, float]:
        rng = np.random.default_rng([*self.seed, epoch])
        order = rng.permutation(self.train.count)
        learn = self.model.train_on_batch
        parts = batches(len(order), self.batch_size)
        return self._mean(
            [learn(self.train.take(order[part], rng), return_dict=True) for part in parts]
        )

    def _evaluate(self) -> dict[str, float]:
        """Losses without noise."""
        if not self.held_out.count:
            return {}
        rows, test = np.arange(self.held_out.count), self.model.test_on_batch
        parts = batches(len(rows), self.batch_size)
        means = self._mean(
            [test(self.held_out.take(rows[part], None), return_dict=True) for part in parts]
        )
        return {f"val_{name}": value for name, value in means.items()}

    def _mean(self, logs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """The terms of the loss, and the loss made of them: means over batches, which Keras forgets
        one by one.
        """
        names = self.model.term_names
        terms = [float(np.mean([float(log[name]) for log in logs])) for name in names]
        return {
            "loss": float(np.dot(self.model.term_weights, terms)),
            **dict(zip(names, terms, strict=True)),
        }

    def _variables(self) -> list[Any]:
        """Weights, batch statistics, the state of dropout's randomness, and the optimiser's."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def _state(self) -> dict[str, NDArray[np.generic]]:
        return {f"{i:04d}": np.asarray(v) for i, v in enumerate(self._variables())}

    def _restore(self, checkpoint: Checkpoint) -> bool:
        """Set all variables; False, and nothing changed, if the checkpoint is of another shape."""
        if {k: v.shape for k, v in self._state().items()} != {
            k: v.shape for k, v in checkpoint.arrays.items()
        }:
            return False
        for place, variable in enumerate(self._variables()):
            variable.assign(checkpoint.arrays[f"{place:04d}"])
        return True


def batches(total: int, size: int) -> list[slice]:
    """Batches of one size, at most `size`, because every other shape costs a compilation.

    The few rows that are left over, fewer than there are batches, are others in every shuffled
    epoch.
    """
    count = -(-total // size)
    return [slice(i * (total // count), (i + 1) * (total // count)) for i in range(count)]
