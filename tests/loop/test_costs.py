"""What calculations will cost, and what the budget allows."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.loop.costs import (
    BEFORE_ANY,
    CostModel,
    cost_model,
    per_core_hour,
    within_budget,
    work_of,
)


def test_costs_follow_a_power_of_the_sites():
    sites = np.array([2, 4, 8, 16, 20])
    model = CostModel.fit(sites.tolist(), (0.01 * sites**2.0).tolist())
    assert model.exponent == pytest.approx(2)
    assert model.core_hours(np.array([10])) == pytest.approx([1.0])
    assert CostModel.fit([2, 3, 4], [1, 1, 1]) is None
    assert CostModel.fit([2] * 5, [0.0] * 5) is None


def test_dft_has_a_price_before_anything_is_finished():
    assert cost_model([], [], is_dft=True) is BEFORE_ANY
    assert cost_model([], [], is_dft=False) is None
    work = [1.0, 2.0, 4.0, 8.0, 16.0]
    assert cost_model(work, work, is_dft=True).exponent == pytest.approx(1.0)


def test_symmetry_and_electrons_decide_the_work_of_dft():
    cubic = Structure.from_spacegroup(
        "F-43m", Lattice.cubic(6.0), ["Zn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    ).get_primitive_structure()
    broken = cubic.copy()
    broken.perturb(0.05)
    heavy = cubic.copy()
    heavy.replace_species({"S": "Te", "Zn": "Pb"})
    work = work_of(cubic, is_dft=True)
    assert work_of(broken, is_dft=True) > 10 * work
    assert work < work_of(heavy, is_dft=True) < 3 * work  # valence electrons, not all of them
    assert work_of(cubic, is_dft=False) == work_of(broken, is_dft=False) == 2


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
