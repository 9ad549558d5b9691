from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gen2dft.generators.keras_setup import load_keras

load_keras()

from gen2dft.generators.ftcp import losses  # noqa: E402  # needs the backend chosen first


def test_divergence_is_never_negative_and_zero_for_the_prior():
    rng = np.random.default_rng(0)
    values = np.asarray(losses.divergence(*rng.normal(0, 2, (2, 100, 5)).astype(np.float32)))
    assert (values >= 0).all()
    np.testing.assert_allclose(np.asarray(losses.divergence(np.zeros((1, 5)), np.zeros((1, 5)))), 0)


@pytest.mark.parametrize("term", [losses.squared_error, losses.huber_error])
def test_unlabelled_properties_have_no_error(term: Callable[..., Any]):
    predicted = np.array([[0.2, 0.9], [0.4, 0.1]], np.float32)
    labels = np.array([[0.2, np.nan], [0.5, 123.0]], np.float32)
    mask = np.array([[1, 0], [1, 0]], np.float32)
    error = np.asarray(term(predicted, labels, mask, np.array([2.0, 9.0], np.float32)))
    expected = 0.1**2 if term is losses.squared_error else 0.1 - losses.HUBER_KNEE / 2
    np.testing.assert_allclose(error, [0, 2 * expected], atol=1e-6)


@pytest.mark.parametrize("term", [losses.squared_error, losses.huber_error])
def test_labels_count_as_much_as_their_mask_says(term: Callable[..., Any]):
    predicted = np.array([[0.2], [0.2]], np.float32)
    labels = np.array([[0.9], [0.9]], np.float32)
    mask = np.array([[1.0], [0.25]], np.float32)
    exact, rough = np.asarray(term(predicted, labels, mask, np.ones(1, np.float32)))
    assert rough == pytest.approx(0.25 * exact)


def test_the_huber_loss_is_smooth_at_its_knee():
    knee = losses.HUBER_KNEE
    error = np.array([[knee - 1e-6], [knee + 1e-6]], np.float32)
    below, above = np.asarray(
        losses.huber_error(error, np.zeros((2, 1)), np.ones((2, 1)), np.ones(1, np.float32))
    )
    assert above - below == pytest.approx(2e-6, rel=0.1)


@pytest.mark.parametrize("term", [losses.squared_error, losses.huber_error])
def test_unlabelled_rows_give_the_head_no_gradient(term: Callable[..., Any]):
    tf = pytest.importorskip("tensorflow")
    predicted, weight = tf.constant([[0.2, 0.9], [0.4, 0.1]]), np.ones(2, np.float32)
    unknown, mask = np.full((2, 2), np.nan, np.float32), np.zeros((2, 2), np.float32)
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        error = term(predicted, unknown, mask, weight)
    assert (tape.gradient(error, predicted).numpy() == 0).all()
