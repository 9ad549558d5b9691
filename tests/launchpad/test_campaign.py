"""A toy campaign as fireworks on the embedded database: submit, advance, repair.

Nothing lost, nothing doubled.
"""

from collections import Counter

import pytest
from gen2dft.launchpad.advance import advance
from gen2dft.launchpad.repair import crashed_steps, repair
from gen2dft.launchpad.submit import submit

from gen2dft.campaign import CampaignSpec
from gen2dft.store.states import OPEN_STATES
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

pytestmark = pytest.mark.usefixtures("toy_plugins")


def submit_toys(store, lpad, **changes):
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, **changes})
    dataset = toys.toy_dataset()
    return submit(store, lpad, spec, dataset, ReferenceHull.from_dataset(dataset))


def check_books(store, campaign_id):
    """Every point is counted at every stage, every dispatched candidate has one label or one
    reason.
    """
    for document in store.rounds(campaign_id):
        funnel = document.funnel
        assert [s.n_out for s in funnel[:-1]] == [s.n_in for s in funnel[1:]]
        labels = [
            label.candidate_id for label in store.labels(campaign_id, round_index=document.index)
        ]
        assert len(labels) == len(set(labels))
        counts = store.state_counts(campaign_id, document.index)
        assert counts == Counter(
            doc.state for doc in store.candidates(campaign_id, round_index=document.index)
        )
        given_up = sum(n for state, n in counts.items() if state.startswith("given_up:"))
        assert len(labels) == counts.get("labelled", 0) + counts.get("hit", 0)
        assert not {"sampled", *OPEN_STATES} & set(counts)
        assert len(labels) + given_up == document.dispatch_size
        assert sum(counts.values()) == funnel[0].n_in


def test_a_campaign_runs_to_its_end_and_again_adds_nothing(bench):
    store, lpad, work = bench
    submitted = submit_toys(store, lpad)
    assert submitted.created
    assert submitted.actions == ("submitted round 0",)
    work()
    campaign = store.campaign(submitted.campaign_id)
    assert (campaign.state, campaign.stop_reason) == ("finished", "all 2 rounds are done")
    check_books(store, campaign.id)
    fireworks = lpad.fireworks.count_documents({})
    again = submit_toys(store, lpad)
    assert (again.created, again.actions, again.campaign_id) == (False, (), campaign.id)
    assert lpad.fireworks.count_documents({}) == fireworks
    assert set(lpad.fireworks.distinct("state")) == {"COMPLETED"}


def test_submitting_twice_before_work_begins_adds_nothing(bench):
    store, lpad, _ = bench
    submit_toys(store, lpad)
    assert submit_toys(store, lpad).actions == ()
    assert lpad.workflows.count_documents({}) == 1


def test_no_secret_reaches_a_firework(bench, settings):
    from gen2dft.store.connect import database_uri

    store, lpad, work = bench
    submit_toys(store, lpad)
    work()
    password = database_uri(settings).get_secret_value().split("@")[0].rsplit(":", 1)[1]
    assert all(password not in str(firework) for firework in lpad.fireworks.find())


def test_a_crashed_calculation_is_tried_again_and_then_given_up(bench, monkeypatch):
    store, lpad, work = bench
    monkeypatch.setattr(toys.ToyMaker, "crash", True)
    validation = {"engine": "toy", "preset": "toy-v1", "pause_after": None}
    submitted = submit_toys(store, lpad, validation=validation)
    for _ in range(6):
        work()
        repair(store, lpad, submitted.campaign_id)
    assert store.campaign(submitted.campaign_id).state == "finished"
    check_books(store, submitted.campaign_id)
    assert store.round(submitted.campaign_id, 0).funnel[-3].reasons == {"calculation_crashed": 6}
    assert not crashed_steps(lpad, submitted.campaign_id)


def test_a_crashed_step_of_a_round_is_named_and_tried_again_on_request(bench, monkeypatch):
    store, lpad, work = bench
    submitted = submit_toys(store, lpad)
    with monkeypatch.context() as broken:
        broken.setattr(toys.ToyGenerator, "decode", lambda self, latents: 1 / 0)
        work()
    assert crashed_steps(lpad, submitted.campaign_id) == [
        ("propose", "ZeroDivisionError: division by zero")
    ]
    assert repair(store, lpad, submitted.campaign_id) == []
    assert repair(store, lpad, submitted.campaign_id, retry=True) == [
        "trying propose of round 0 again"
    ]


def test_advance_again_and_again_changes_nothing(bench):
    store, lpad, work = bench
    submitted = submit_toys(store, lpad)
    for _ in range(200):
        work(nlaunches=1)
        advance(store, lpad, submitted.campaign_id)
        if store.campaign(submitted.campaign_id).state == "finished":
            break
    check_books(store, submitted.campaign_id)
    assert len(store.rounds(submitted.campaign_id)) == 2


def test_a_dead_advancers_lease_runs_out(bench, monkeypatch):
    from datetime import timedelta

    from gen2dft.store.documents import now

    store, lpad, work = bench
    submitted = submit_toys(store, lpad)
    dead = {"owner": "elsewhere/1", "until": now() + timedelta(seconds=1)}
    store.database.campaigns.update_one({"_id": submitted.campaign_id}, {"$set": {"lease": dead}})
    work()
    assert store.campaign(submitted.campaign_id).state == "finished"


def test_an_empty_batch_closes_the_round(bench):
    store, lpad, work = bench
    screening = {
        "surrogate": {
            "engine": "toy",
            "preset": "toy-v1",
            "max_e_above_hull": -9.0,
            "min_e_above_hull": -99.0,
        }
    }
    submitted = submit_toys(store, lpad, screening=screening)
    work()
    assert store.campaign(submitted.campaign_id).state == "finished"
    assert [r.dispatch_size for r in store.rounds(submitted.campaign_id)] == [0, 0]
