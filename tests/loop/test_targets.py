import numpy as np
import pytest

from gen2dft.campaign import Target
from gen2dft.loop.targets import is_met, merit, missed_target, spreads, violation

NEAR = Target(property="formation_energy", near=(-0.5, -0.3), tolerance=0.1)
RANGE = Target(property="band_gap", min=0.3, max=1.5)
BEST = Target(property="power_factor", optimise="maximise")


def test_violation_is_the_distance_outside():
    assert violation(NEAR, [-0.5, -0.4, -0.65, 0.0]) == pytest.approx([0, 0, 0.05, 0.2])
    assert violation(RANGE, [0.0, 0.3, 1.5, 2.0]) == pytest.approx([0.3, 0, 0, 0.5])


def test_unknown_values_are_not_met():
    assert np.isnan(violation(RANGE, [np.nan])[0])
    assert not is_met(RANGE, float("nan"))
    assert not is_met(RANGE, None)


def test_missed_target_names_the_first():
    assert missed_target([NEAR, RANGE], {"formation_energy": -0.5, "band_gap": 2.0}) == "band_gap"
    assert missed_target([NEAR, RANGE], {"formation_energy": -0.5, "band_gap": 1.0}) is None


def test_merit_prefers_met_targets_and_large_optimised_values():
    values = {
        "band_gap": np.array([1.0, 1.0, 3.0, np.nan]),
        "power_factor": np.array([1.0, 2.0, 2.0, 2.0]),
    }
    m = merit([RANGE, BEST], values, {"band_gap": 1.0, "power_factor": 1.0})
    assert m[1] > m[0] > m[2]
    assert m[1] > m[3]


def test_merit_does_not_depend_on_the_unit():
    ev = merit([RANGE], {"band_gap": np.array([0.1, 2.0])}, {"band_gap": 0.5})
    in_mev = Target(property="band_gap", min=300, max=1500)
    mev = merit([in_mev], {"band_gap": np.array([100, 2000])}, {"band_gap": 500})
    assert ev == pytest.approx(mev)


def test_spread_of_nothing_is_one():
    assert spreads([RANGE], {"band_gap": np.array([np.nan])}) == {"band_gap": 1.0}
