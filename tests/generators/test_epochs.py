from __future__ import annotations

import numpy as np
import pytest

from gen2dft.generators.checkpoint import CheckpointFile
from gen2dft.generators.keras_setup import load_keras

keras = load_keras()

from gen2dft.generators.epochs import EpochLoop, LossModel, Rows, batches  # noqa: E402


def test_losses_are_means_over_all_rows_and_not_those_of_the_last_batch():
    number = keras.layers.Input((1,))
    term = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")(number)[:, 0]
    model = LossModel([number], {"term": term}, np.full(1, 2.0, dtype=np.float32))
    model.prepare(keras.optimizers.SGD(1e-12))
    rows = Rows(8, lambda chosen, _: [np.float32(chosen**2)[:, None]])
    loop = EpochLoop(model, rows, rows, batch_size=2, epochs=1, seed=(0,))
    history = loop.run(CheckpointFile(None, "x"), None)
    mean = np.mean(np.arange(8) ** 2)
    assert history[0] == pytest.approx(
        {"epoch": 1, "loss": 2 * mean, "term": mean, "val_loss": 2 * mean, "val_term": mean},
        rel=1e-5,
    )


def test_batches_are_of_one_size_and_leave_little_over():
    parts = batches(11, 4)
    assert [part.stop - part.start for part in parts] == [3, 3, 3]
    assert parts[-1].stop == 9
