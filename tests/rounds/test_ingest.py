"""What becomes of finished calculations: values, marks and costs of labels.

Stand-ins and failures give none.
"""

from dataclasses import replace

import pytest
from pymatgen.core import Structure

from gen2dft import engines
from gen2dft.engines.base import CalculationFailure, CustodianCorrection
from gen2dft.engines.kit import run_task
from gen2dft.errors import DatasetError
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.close import go_on
from gen2dft.rounds.ingest import begin_attempt, give_up, ingest
from gen2dft.rounds.propose import propose
from gen2dft.rounds.round import Round
from gen2dft.rounds.screen import finish_screen, screen_chunk
from gen2dft.rounds.select import select
from gen2dft.rounds.train import train
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

MENDED = CustodianCorrection(
    handler="VaspErrorHandler", errors=["zbrent"], actions=["INCAR: EDIFF = 1e-06"]
)


def dispatched(context):
    """Candidates queued for validation."""
    train(context)
    survivors = propose(context)
    screen_chunk(context, survivors)
    select(context, finish_screen(context, survivors).model_dump())
    return [
        doc.candidate_id for doc in context.store.candidates(context.campaign_id, state="queued")
    ]


def calculations(context, candidate_id, **changes):
    structure = Structure.from_dict(
        context.store.candidate(context.campaign_id, candidate_id).structure
    )
    relaxed = run_task("relax", toys.TOY_ENGINE, "toy-v1", structure, None).model_copy(
        update={"converged": True}
    )
    static = run_task("static", toys.TOY_ENGINE, "toy-v1", None, relaxed)
    return [
        relaxed.model_copy(update=changes),
        static.model_copy(update={"converged": True, "values": {"band_gap": 1.5}}),
    ]


def only_label(context, candidate_id):
    (label,) = context.store.labels(context.campaign_id, candidate_id=candidate_id)
    return label


def test_a_label_says_what_custodian_did(context):
    key = dispatched(context)[0]
    ingest(context, key, calculations(context, key, custodian=[MENDED], settings_changed=True))
    label = only_label(context, key)
    assert label.custodian == [{"preset": "toy-v1", "task": "relax", **MENDED.model_dump()}]
    assert label.settings_changed
    assert label.values["band_gap"] == 1.5


def test_whoever_finds_a_candidate_closed_by_a_killed_worker_tallies_it(context, monkeypatch):
    key = dispatched(context)[0]
    with monkeypatch.context() as patch:
        patch.setattr(context.store.tally, "follow", lambda keys: None)
        give_up(context, key, "not_converged", "its worker is killed now")
    assert context.store.tally.states(context.campaign_id)[key] == "queued"
    assert not begin_attempt(context, key)
    assert context.store.tally.states(context.campaign_id)[key] == "given_up:not_converged"


def test_what_a_stand_in_computed_is_refused(context, monkeypatch):
    first, second = dispatched(context)[:2]
    assert (
        ingest(context, first, calculations(context, first, is_stand_in=True))
        == "given_up:stand_in"
    )
    assert (
        "only stands in for the engine"
        in context.store.candidate(context.campaign_id, first).failure
    )
    assert not context.store.labels(context.campaign_id)
    monkeypatch.setenv("GEN2DFT_ALLOW_STAND_IN", "1")
    assert ingest(context, second, calculations(context, second, is_stand_in=True)) in (
        "labelled",
        "hit",
    )


def test_without_references_the_energy_is_kept_and_the_lack_is_said(context, monkeypatch):
    def unknown(composition, energy):
        raise DatasetError("no reference energies")

    key = dispatched(context)[0]
    monkeypatch.setitem(
        engines.ENGINES, "toy", lambda: replace(toys.TOY_ENGINE, formation_energy=unknown)
    )
    assert ingest(context, key, calculations(context, key)) in ("labelled", "hit")
    label = only_label(context, key)
    assert label.values == {"band_gap": 1.5}
    assert "no formation energy: no reference energies" in label.warnings
    assert label.energy_per_atom != 0


def test_the_campaigns_references_come_before_the_engines_own(store, spec):
    dataset = toys.toy_dataset()
    references = dict.fromkeys((*toys.CATIONS, *toys.ANIONS), -1.0)
    own = spec.model_validate(
        {
            **toys.TOY_CAMPAIGN,
            "validation": {**toys.TOY_CAMPAIGN["validation"], "references": references},
        }
    )
    campaign, _ = begin_campaign(store, own, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, campaign.id, 0)
    key = dispatched(context)[0]
    ingest(context, key, calculations(context, key))
    label = only_label(context, key)
    assert label.values["formation_energy"] == pytest.approx(label.energy_per_atom + 1.0)


def test_what_failed_calculations_cost_counts_against_the_budget(store, spec):
    dataset = toys.toy_dataset()
    short = {
        **toys.TOY_CAMPAIGN,
        "learning": {"rounds": 9, "batch": 6, "budget": {"core_hours": 5.0}},
    }
    campaign, _ = begin_campaign(
        store, spec.model_validate(short), dataset, ReferenceHull.from_dataset(dataset)
    )
    context = Round(store, campaign.id, 0)
    key = dispatched(context)[0]
    failure = CalculationFailure(reason="vasp_died", detail="it died", core_hours=6.0)
    assert ingest(context, key, [failure, failure]) == "given_up:vasp_died"
    assert context.store.candidate(context.campaign_id, key).lost_core_hours == 6.0
    go_on(context)
    assert (
        "budget of 5 core-hours is spent" in context.store.campaign(context.campaign_id).stop_reason
    )
