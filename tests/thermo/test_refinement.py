"""How far a campaign's own DFT moves the correction of its potential."""

import numpy as np
import pytest

from gen2dft.store.documents import Refinement
from gen2dft.thermo.refinement import PRIOR_LABELS, refinement_of


def test_without_labels_nothing_changes():
    assert refinement_of([], []) == Refinement(num_labels=0, shift=0.0, scale=1.0)


@pytest.mark.parametrize(("number", "share"), [(1, 0.2), (4, 0.5), (36, 0.9)])
def test_the_shift_is_the_mean_residual_by_the_number_of_labels(number, share):
    found = refinement_of([0.1] * number, [0.08] * number)
    assert found.num_labels == number
    assert found.shift == pytest.approx(0.1 * share)


def test_errors_that_hold_keep_their_size():
    rng = np.random.default_rng(0)
    errors = np.full(4000, 0.08)
    found = refinement_of(rng.normal(0.05, errors), errors)
    assert found.shift == pytest.approx(0.05, abs=0.005)
    assert found.scale == pytest.approx(1.0, abs=0.03)


def test_errors_stated_too_small_are_widened():
    rng = np.random.default_rng(0)
    found = refinement_of(rng.normal(0.0, 0.16, 4000), [0.08] * 4000)
    assert found.scale == pytest.approx(2.0, abs=0.05)


def test_one_label_changes_an_error_little():
    """A residual of exactly one error: sqrt((k + (1 - 1 / (k + 1))^2) / (k + 1))."""
    k = PRIOR_LABELS
    z = 1 - 1 / (1 + k)
    found = refinement_of([0.08], [0.08])
    assert found.scale == pytest.approx(np.sqrt((k + z**2) / (k + 1)))
    assert 0.9 < found.scale < 1.0
