"""Which steps a campaign runs, in which order, with which settings; what their outputs come to."""

from dataclasses import replace

import pytest
from example_steps import SIZE, SQUARE

from gen2dft import property_steps
from gen2dft.campaign import CampaignSpec
from gen2dft.engines.base import CalculationFailure
from gen2dft.errors import CampaignError, PluginMissing
from gen2dft.property_steps import (
    StepOutcome,
    check_steps,
    load_step,
    made_by,
    outcome_of,
    provided,
    settings_of,
    step_names,
    steps_of,
)
from tests import toys

pytestmark = pytest.mark.usefixtures("toy_plugins")


@pytest.fixture(autouse=True)
def _plugged(monkeypatch):
    monkeypatch.setitem(property_steps.STEPS, "size", lambda: SIZE)
    monkeypatch.setitem(property_steps.STEPS, "size_squared", lambda: SQUARE)


def spec_of(*names: str, **changes: object) -> CampaignSpec:
    targets = [{"property": name, "min": 0.0} for name in names]
    return CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "targets": targets, **changes})


def test_steps_follow_the_targets_and_heads():
    assert steps_of(spec_of("formation_energy")) == ()
    assert [step.name for step in steps_of(spec_of("size"))] == ["size"]
    headed = spec_of("formation_energy", generator={"name": "toy", "properties": ["size"]})
    assert step_names(headed) == {"size"}
    assert provided(headed, "toy") == {"formation_energy", "e_above_hull", "size"}


def test_a_target_that_is_left_to_the_heads_needs_no_step():
    left = {"property": "size", "min": 0.0, "by": "prediction"}
    assert steps_of(spec_of("size", targets=[left])) == ()
    waited_for = [left, {"property": "size_squared", "min": 0.0}]
    assert [step.name for step in steps_of(spec_of("size", targets=waited_for))] == [
        "size",
        "size_squared",
    ]


def test_a_step_runs_after_the_one_that_it_waits_for_which_runs_once():
    assert [step.name for step in steps_of(spec_of("size_squared"))] == ["size", "size_squared"]
    both = steps_of(spec_of("size_squared", "size"))
    assert [step.name for step in both] == ["size", "size_squared"]


def test_a_circle_is_refused(monkeypatch):
    monkeypatch.setitem(property_steps.STEPS, "size", lambda: replace(SIZE, after="size_squared"))
    with pytest.raises(CampaignError, match=r"wait for each other: size after size_squared after"):
        steps_of(spec_of("size"))


def test_a_step_that_the_engine_does_not_serve_does_not_run_nor_what_comes_after_it(monkeypatch):
    only_dft = replace(SIZE, runs_on=lambda engine: engine.is_dft)
    monkeypatch.setitem(property_steps.STEPS, "size", lambda: only_dft)
    spec = spec_of("size_squared", "size")
    assert steps_of(spec) == () and not step_names(spec)


def test_a_package_that_is_missing_here_still_provides_its_property(monkeypatch):
    spec = spec_of("size")
    monkeypatch.delitem(property_steps.STEPS, "size")
    assert step_names(spec) == {"size"}
    with pytest.raises(PluginMissing, match=r"computed by package gen2dft, which is not installed"):
        steps_of(spec)


def test_a_package_that_changed_its_unit_is_not_taken_for_the_same(monkeypatch):
    spec = spec_of("size")
    monkeypatch.setitem(property_steps.STEPS, "size", lambda: replace(SIZE, unit="nm^3/atom"))
    with pytest.raises(PluginMissing, match=r"in A\^3/atom in this campaign, but .* nm\^3/atom"):
        steps_of(spec)


def test_settings_come_from_the_campaign():
    assert settings_of(SIZE, spec_of("size")).factor == 1.0
    given = spec_of("size", properties={"size": {"settings": {"factor": 3}}})
    assert settings_of(SIZE, given).factor == 3.0
    assert settings_of(load_step("power_factor"), given) == given.transport


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("size", {"factr": 1}, r"properties\.size\.settings\.factr: Extra inputs"),
        ("size_squared", {"factor": 1}, r"properties\.size_squared takes no settings"),
        ("power_factor", {"meshes": 1}, r"takes its settings from `transport:`"),
        ("band_gap", {"meshes": 1}, r"properties\.band_gap\.settings has no step to read it"),
    ],
)
def test_settings_that_nobody_reads_are_refused(monkeypatch, name, settings, message):
    banded = load_step("power_factor")
    monkeypatch.setitem(
        property_steps.STEPS, "power_factor", lambda: replace(banded, runs_on=lambda _: True)
    )
    spec = spec_of(name, properties={name: {"settings": settings}})
    with pytest.raises(CampaignError, match=message):
        check_steps(spec)


def test_a_step_may_refuse_to_run_here(monkeypatch):
    def check(settings):
        raise PluginMissing(f"program of factor {settings.factor:g} is not installed")

    monkeypatch.setitem(property_steps.STEPS, "size", lambda: replace(SIZE, check=check))
    for refused in (check_steps, lambda spec: property_steps.computes(spec, "toy-v1")):
        with pytest.raises(PluginMissing, match="program of factor 1 is not installed"):
            refused(spec_of("size"))


def test_the_program_behind_an_outcome_is_named():
    outcome = StepOutcome(program="boltztrap2", program_version="26.3.1")
    made = made_by("power_factor", outcome)
    assert made == {
        **made_by("power_factor"),
        "program": "boltztrap2",
        "program_version": "26.3.1",
    }
    assert "program" not in made_by("power_factor", StepOutcome(reason="metal"))


@pytest.mark.parametrize(
    ("output", "values", "reason"),
    [
        (StepOutcome(values={"size": 2.0}), {"size": 2.0}, None),
        (CalculationFailure(reason="broke", detail="it broke", core_hours=0.5), {}, "broke"),
        (None, {}, "no_result"),
        (StepOutcome(values={"size": float("nan")}), {}, "not_finite"),
    ],
)
def test_outputs_become_values_or_a_reason(output, values, reason):
    outcome = outcome_of(None, None, None, output)
    assert (outcome.values, outcome.reason) == (values, reason)
    assert outcome.core_hours == getattr(output, "core_hours", 0.0)


def test_the_steps_that_ship_are_of_gen2dft():
    from gen2dft import __version__

    assert made_by("power_factor") == {"package": "gen2dft", "version": __version__}
