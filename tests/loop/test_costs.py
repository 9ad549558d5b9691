"""What calculations will cost, and what the budget allows."""

import numpy as np
import pytest

from gen2dft.loop.costs import CostModel, per_core_hour, within_budget


def test_costs_follow_a_power_of_the_sites():
    sites = np.array([2, 4, 8, 16, 20])
    model = CostModel.fit(sites.tolist(), (0.01 * sites**2.0).tolist())
    assert model.exponent == pytest.approx(2)
    assert model.core_hours(np.array([10])) == pytest.approx([1.0])
    assert CostModel.fit([2, 3, 4], [1, 1, 1]) is None
    assert CostModel.fit([2] * 5, [0.0] * 5) is None


def test_value_per_core_hour_prefers_the_cheap_one():
    value, hours = np.array([[1.0, 0.9]]), np.array([2.0, 1.0])
    assert per_core_hour(value, hours, 1.0).argmax() == 1
    assert (
        per_core_hour(value, hours, 0.0).argmax() == per_core_hour(value, None, 1.0).argmax() == 0
    )
    worth = np.exp(per_core_hour(value, hours, 1.0))[0]
    assert worth[0] / worth[1] == pytest.approx((np.exp(1.0) / 2) / (np.exp(0.9) / 1))


@pytest.mark.parametrize(
    ("hours", "left", "fitting"),
    [
        ([1, 1, 1], None, 3),
        ([1, 1, 1], 2.5, 2),
        ([5, 1], 2.0, 1),
        ([1, 1], 0.0, 0),
        (None, 1.0, 3),
        ([1, 1], -1, 0),
    ],
)
def test_what_fits_the_budget(hours, left, fitting):
    known = None if hours is None else np.array(hours, dtype=float)
    assert within_budget(3 if hours is None else len(hours), known, left) == fitting
