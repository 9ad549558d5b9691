"""Weights of labels by their errors."""

import numpy as np
import pytest

from gen2dft.loop.weights import MISSED_ANYWAY, weight_of


def test_a_label_as_uncertain_as_the_heads_counts_half():
    spread = 2.0
    errors = np.array([0.0, MISSED_ANYWAY * spread, 1e9])
    assert weight_of(errors, spread) == pytest.approx([1.0, 0.5, 0.0])


def test_labels_without_a_spread_have_weights_too():
    assert np.isfinite(weight_of(np.array([0.0, 1.0]), 0.0)).all()
