"""What a head's energies are shifted by: nothing without crystals, the whole bias with many."""

import numpy as np
import pytest

from gen2dft.loop.bias import PRIOR_CRYSTALS, energy_shift


def test_nothing_is_shifted_without_crystals():
    assert energy_shift([], []) == 0.0


def test_few_crystals_shift_less_than_their_mean():
    number = int(PRIOR_CRYSTALS)
    assert energy_shift([-1.0] * number, [-0.8] * number) == pytest.approx(0.1)


def test_many_crystals_take_a_bias_away():
    rng = np.random.default_rng(0)
    found = rng.normal(-1.0, 0.5, 2000)
    predicted = found - 0.23 + rng.normal(0.0, 0.3, 2000)
    assert energy_shift(predicted, found) == pytest.approx(0.23, abs=0.02)
    assert np.abs(np.mean(predicted + energy_shift(predicted, found) - found)) < 0.001
