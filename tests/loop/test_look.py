"""When a look is enough."""

from __future__ import annotations

import pytest

from gen2dft.campaign import Target
from gen2dft.loop.look import MARGIN_ABOVE, MARGIN_BELOW, can_stop, why_stop, window

GAP = Target(property="band_gap", min=0.3, max=1.5)
POWER = Target(property="power_factor", min=1.0)
STABLE = Target(property="e_above_hull", max=0.03)


@pytest.mark.parametrize("targets", [[POWER], [GAP], [STABLE, POWER]])
def test_a_metal_is_no_hit_where_a_gap_is_asked_for(targets: list[Target]):
    stop = why_stop(targets, 0.0)
    assert stop is not None
    assert stop.reason == "metal"


@pytest.mark.parametrize("targets", [[STABLE], [Target(property="band_gap", max=0.1)]])
def test_a_metal_goes_on_where_it_may_be_a_hit(targets: list[Target]):
    assert why_stop(targets, 0.0) is None


def test_only_a_gap_far_outside_the_window_stops():
    for gap in (0.3, 1.5, 0.301 - MARGIN_BELOW, 1.499 + MARGIN_ABOVE):
        assert why_stop([GAP, POWER], gap) is None
    for gap in (0.299 - MARGIN_BELOW, 1.501 + MARGIN_ABOVE):
        stop = why_stop([GAP, POWER], gap)
        assert stop is not None
        assert stop.reason == "gap_outside_target"
        assert "the target asks for 0.3 to 1.5 eV" in stop.detail


def test_a_mesh_that_is_too_coarse_widens_gaps_more_than_relaxation_moves_them():
    assert 0 < MARGIN_BELOW < MARGIN_ABOVE


def test_nothing_is_known_without_a_gap():
    assert why_stop([GAP, POWER], None) is None


def test_the_window_is_that_of_bounds_and_wanted_values_together():
    near = Target(property="band_gap", near=(1.0, 2.0), tolerance=0.2, min=0.9)
    assert window(near) == pytest.approx((0.9, 2.2))
    assert window(Target(property="band_gap", optimise="maximise")) == (-float("inf"), float("inf"))


def test_campaigns_without_a_target_for_a_gap_need_no_look():
    assert can_stop([STABLE, GAP])
    assert can_stop([POWER])
    assert not can_stop([STABLE])
