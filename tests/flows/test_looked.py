"""Candidates that are looked at before they are relaxed, with toys that have a gap."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gen2dft.flows import candidates
from gen2dft.flows.candidates import CandidateMaker
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from gen2dft import engines
from gen2dft.calculation import Calculation
from gen2dft.engines.base import CalculationFailure
from gen2dft.errors import CalculationFailed
from gen2dft.rounds.round import Round
from tests import toys
from tests.flows.test_candidates import KEY, waiting

TARGETS = [
    {"property": "formation_energy", "near": -1.0, "tolerance": 3.0},
    {"property": "band_gap", "min": 0.5, "max": 1.5},
]


def looked(monkeypatch: pytest.MonkeyPatch, gap: float | None, **changes: object) -> Round:
    """A queued rock salt whose engine finds so wide a gap; None: the look fails."""

    def compute(structure: object, preset: str) -> Calculation:
        if gap is None:
            raise CalculationFailed("scf_not_converged", "made up")
        found = toys.toy_relax(structure, preset)
        return found.model_copy(update={"values": {"band_gap": gap}, "ends_as_static": True})

    engine = replace(
        toys.TOY_ENGINE,
        provides=toys.TOY_ENGINE.provides | {"band_gap"},
        look=compute,
        relax=compute,
        static=compute,
        makers=None,
        in_process=True,
    )
    monkeypatch.setitem(engines.ENGINES, "toy", lambda: engine)
    return waiting(monkeypatch, **{"targets": TARGETS, **changes})


def run(context: Round) -> list[str]:
    """Names of the jobs that ran for the candidate."""
    store = JobStore(MemoryStore())
    flow = CandidateMaker.of_campaign(context).make(context, KEY)
    run_locally(flow, store=store, log=False)
    return [document["name"] for document in store.query(sort={"completed_at": 1})]


@pytest.mark.parametrize(("gap", "reason"), [(0.0, "metal"), (2.5, "gap_outside_target")])
def test_nothing_more_is_computed_of_what_cannot_be_a_hit(
    monkeypatch, toy_plugins, gap: float, reason: str
):
    context = looked(monkeypatch, gap)
    assert run(context) == ["toy look", "go_on", "ingest_looked"]
    (label,) = context.store.labels(context.campaign_id)
    assert label.values == {"band_gap": gap}
    assert set(label.costs) == {"look"}
    assert label.costs["look"] == label.core_hours
    assert any(said.startswith(f"{reason}: ") for said in label.warnings)
    assert any("only looked at" in said for said in label.warnings)
    assert context.store.candidate(context.campaign_id, KEY).state == "labelled"
    # Another campaign may ask for more than this one's targets.
    assert context.store.calculations("toy", label.settings_hash, "NaCl") == []


def test_what_may_be_a_hit_goes_on(monkeypatch, toy_plugins):
    context = looked(monkeypatch, 1.0)
    names = run(context)
    assert names[:2] == ["toy look", "go_on"]
    assert {"toy relax", "toy static"} < set(names)
    assert names[-1] == "ingest_looked"
    (label,) = context.store.labels(context.campaign_id)
    assert "formation_energy" in label.values
    assert set(label.costs) == {"look", "relax", "static"}
    assert sum(label.costs.values()) == pytest.approx(label.core_hours)
    assert label.costs["static"] == 0  # the last step of the relaxation has it
    assert context.store.candidate(context.campaign_id, KEY).state == "hit"


def test_the_second_stage_follows_a_look_too(monkeypatch, toy_plugins):
    refine = {"preset": "toy-fine-v1", "max_e_above_hull": 99.0}
    validation = {"engine": "toy", "preset": "toy-v1", "refine": refine}
    context = looked(monkeypatch, 1.0, validation=validation)
    run(context)
    (label,) = context.store.labels(context.campaign_id)
    assert label.preset == "toy-fine-v1"
    assert label.provenance["first_stage"]["preset"] == "toy-v1"


def test_a_look_that_fails_gives_the_candidate_up_with_its_cost(monkeypatch, toy_plugins):
    context = looked(monkeypatch, None)
    assert run(context) == ["toy look", "go_on", "ingest_looked"]
    candidate = context.store.candidate(context.campaign_id, KEY)
    assert candidate.state == "given_up:scf_not_converged"
    assert candidate.lost_costs == {"look": candidate.lost_core_hours}


def test_a_crash_after_the_look_leaves_a_reason(monkeypatch, toy_plugins):
    context = looked(monkeypatch, 1.0)
    monkeypatch.setattr(candidates.looking, "stop_of", lambda *_: 1 / 0)
    run(context)
    candidate = context.store.candidate(context.campaign_id, KEY)
    assert candidate.state == "given_up:calculation_crashed"


def test_a_look_costs_nothing_where_it_could_decide_nothing(monkeypatch, toy_plugins):
    context = looked(monkeypatch, 1.0, targets=TARGETS[:1])
    assert run(context) == ["toy relax", "toy static", "ingest"]


def test_a_failed_look_is_passed_on():
    failure = CalculationFailure(reason="made_up", detail="no")
    assert candidates.looking.stop_of(None, failure) is None


def test_a_limit_of_cpu_time_is_handed_to_the_first_job(monkeypatch, toy_plugins):
    validation = {"engine": "toy", "preset": "toy-v1", "cpu_minutes": 20}
    context = looked(monkeypatch, 1.0, validation=validation)
    maker = CandidateMaker.of_campaign(context)
    assert maker.look.cpu_minutes == 20
    unlimited = looked(monkeypatch, 1.0)
    assert CandidateMaker.of_campaign(unlimited).look.cpu_minutes is None
    assert "cpu_minutes" not in unlimited.spec.validation.model_dump()
