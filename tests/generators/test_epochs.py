from __future__ import annotations

import numpy as np
import pytest

from gen2dft.generators.checkpoint import CheckpointFile
from gen2dft.generators.keras_setup import load_keras

keras = load_keras()

from gen2dft.generators.epochs import (  # noqa: E402
    EpochLoop,
    LossModel,
    Rows,
    batches,
    label_weights,
    masked_labels,
    standard_noise,
)


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


def test_missing_labels_are_masked_and_labels_weigh_as_if_all_crystals_had_one():
    labels = np.array([[0.5, np.nan], [0.25, np.nan]], dtype=np.float32)
    values, mask = masked_labels(labels)
    assert values.tolist() == [[0.5, 0.0], [0.25, 0.0]]
    assert mask.tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert {values.dtype, mask.dtype} == {np.dtype(np.float32)}
    half = np.array([[0.5], [np.nan]], dtype=np.float32)
    assert label_weights(half).tolist() == [2.0]
    assert label_weights(labels).tolist() == [1.0, 2.0]  # without labels there is no loss to weigh


def test_noise_is_seeded_and_its_mean_without_randomness():
    first, again = (standard_noise(4, 3, np.random.default_rng(1)) for _ in range(2))
    assert first.shape == (4, 3) and first.dtype == np.float32
    assert (first == again).all() and (first != 0).all()
    assert (standard_noise(4, 3, None) == np.zeros((4, 3))).all()
