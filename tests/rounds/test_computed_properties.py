"""What steps found out arrives in the label, with its provenance, and is judged."""

import pytest
from example_steps import CRASH, SIZE, SQUARE

from gen2dft import property_steps
from gen2dft.engines.base import CalculationFailure
from gen2dft.property_steps import StepOutcome
from gen2dft.rounds.ingest import ingest
from gen2dft.rounds.judging import Said, missed_target
from gen2dft.rounds.known_crystals import ingest_known
from tests import toys
from tests.rounds.test_ingest import calculations
from tests.rounds.test_steps import queued, up_to_dispatch

FOUND = {
    "size": StepOutcome(values={"size": 20.0}, warnings=["measured"], core_hours=0.5),
    "size_squared": StepOutcome(values={"size_squared": 400.0}, core_hours=0.25),
}


@pytest.fixture(autouse=True)
def _plugged(monkeypatch):
    for step in (SIZE, SQUARE, CRASH):
        monkeypatch.setitem(property_steps.STEPS, step.name, lambda step=step: step)


@pytest.fixture
def spec(spec):
    targets = [{"property": "formation_energy", "max": 9.0}, {"property": "size_squared", "min": 1}]
    return spec.model_validate({**toys.TOY_CAMPAIGN, "targets": targets})


@pytest.fixture
def candidate(context):
    up_to_dispatch(context)
    return queued(context)[0]


def test_values_of_all_steps_are_in_the_label_and_make_it_a_hit(context, candidate):
    calcs = calculations(context, candidate)
    assert ingest(context, candidate, calcs, outcomes=FOUND) == "hit"
    (label,) = context.store.labels(context.campaign_id)
    assert (label.values["size"], label.values["size_squared"]) == (20.0, 400.0)
    assert "measured" in label.warnings
    assert label.core_hours == pytest.approx(0.75 + sum(calc.core_hours for calc in calcs))
    (hit,) = context.store.hits(context.campaign_id)
    assert (hit.values["size_squared"], hit.basis["size_squared"]) == (400.0, "toy")


def test_the_label_names_the_package_and_version_behind_each_value(context, candidate, monkeypatch):
    origin = {"size": ("gen2dft-size", "3.1"), "size_squared": ("gen2dft-size", "3.1")}
    monkeypatch.setattr(property_steps, "origin", lambda _, name: origin[name])
    ingest(context, candidate, calculations(context, candidate), outcomes=FOUND)
    (label,) = context.store.labels(context.campaign_id)
    made = {"package": "gen2dft-size", "version": "3.1"}
    assert label.provenance["properties"] == {"size": made, "size_squared": made}


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (CalculationFailure(reason="no_size", detail="it has none"), "no_size: it has none"),
        (None, "no_result: its calculation left no result"),
        (StepOutcome(values={"size_squared": float("inf")}), "not_finite: size_squared came out"),
    ],
)
def test_a_step_without_a_value_says_why_and_its_target_is_missed(context, candidate, output, said):
    outcomes = {**FOUND, "size_squared": output}
    assert ingest(context, candidate, calculations(context, candidate), outcomes=outcomes) == (
        "labelled"
    )
    (label,) = context.store.labels(context.campaign_id)
    assert "size_squared" not in label.values and label.values["size"] == 20.0
    assert any(text.startswith(f"no size squared: {said}") for text in label.warnings)
    assert (
        missed_target(context, Said({"size_squared": 9.0}, "toy", label.values)) == "size_squared"
    )


def test_a_property_that_nobody_computes_is_predicted(context):
    context.spec  # noqa: B018 - read while the package is there
    found = {"formation_energy": -1.0}
    assert missed_target(context, Said({"size_squared": 9.0}, "toy", found)) == "size_squared"
    own = context.spec.model_copy(
        update={
            "properties": {
                name: entry.model_copy(update={"package": None})
                for name, entry in context.spec.properties.items()
            }
        }
    )
    context.__dict__["spec"] = own
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(property_steps.STEPS, "size_squared")
        assert missed_target(context, Said({"size_squared": 9.0}, "toy", found)) is None


def test_a_worker_that_lacks_the_package_gives_up_with_a_reason(context, candidate, monkeypatch):
    context.spec  # noqa: B018 - read while the package is there
    monkeypatch.delitem(property_steps.STEPS, "size_squared")
    calcs = calculations(context, candidate)
    assert ingest(context, candidate, calcs, outcomes=FOUND) == "given_up:plugin_missing"
    document = context.store.candidate(context.campaign_id, candidate)
    assert "'size_squared' is computed by package gen2dft, which is not installed" in (
        document.failure
    )
    assert document.lost_core_hours == pytest.approx(sum(calc.core_hours for calc in calcs))
    assert context.document.suspects == [candidate]
    assert not context.store.labels(context.campaign_id)


def test_a_known_crystal_is_computed_again_for_its_properties(context, candidate):
    ingest(context, candidate, calculations(context, candidate), outcomes=FOUND)
    again = queued(context)[0]
    assert ingest_known(context, again) is None
