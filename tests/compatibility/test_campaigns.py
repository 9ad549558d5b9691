"""Campaigns that version 0.1.0 left in mid-course end as that version itself ends them."""

from __future__ import annotations

import json
import shutil

import pytest
import stored
from gen2dft.launchpad.submit import submit

from gen2dft.campaign import load_campaign
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.prepare import prepare
from gen2dft.store.states import OPEN_STATES

STAGES = [
    "begun",
    "trained",
    "screening",
    "arms",
    "validating",
    "refining",
    "bands",
    "paused",
    "reuse",
    "closed",
]
# Another processor gives other energies of an ML potential, but not by this much, eV/atom.
MLIP_TOLERANCE = 2e-3


def carried_on(name, bench, workplace, tolerance=1e-6):
    """Carry a stored campaign on to its end, which must be that of version 0.1.0."""
    store, lpad, work = bench
    campaign_id = stored.load_database(name, store.database, workplace)
    stored.carry_on(store, lpad, work, campaign_id)
    found = stored.outcome(store.database, campaign_id)
    stored.must_be_like(found, stored.read_json("outcomes")[name], tolerance)
    assert not {"sampled", *OPEN_STATES} & set(store.state_counts(campaign_id))
    assert store.tally.recount(campaign_id) == 0
    return store, lpad, campaign_id


def read_again(name, store):
    """A stored campaign file, and what a campaign of it begins with."""
    spec = load_campaign(str(stored.DATA / f"{name}.yaml"))
    return spec, prepare(spec, store=store)


@pytest.mark.parametrize("name", STAGES)
def test_a_campaign_ends_as_version_0_1_0_ends_it(name, bench, workplace):
    if (kept := stored.DATA / f"{name}-lost").is_dir():  # what a worker had computed when it died
        shutil.copytree(kept, workplace / "lost")
    store, lpad, campaign_id = carried_on(name, bench, workplace)
    # Resuming a paused campaign archives the workflows of the candidates that it queues again.
    archived = {"ARCHIVED"} if name == "paused" else set()
    assert set(lpad.fireworks.distinct("state")) == {"COMPLETED", *archived}

    fireworks = lpad.fireworks.count_documents({})
    spec, prepared = read_again(name, store)
    again = submit(store, lpad, spec, *prepared)
    assert (again.campaign_id, again.created, again.actions) == (campaign_id, False, ())
    assert lpad.fireworks.count_documents({}) == fireworks


def test_jobs_of_the_ml_potential_are_carried_on(bench, workplace):
    store, _, campaign_id = carried_on("mlip", bench, workplace, MLIP_TOLERANCE)
    assert {label.engine for label in store.labels(campaign_id)} == {"mlip"}


@pytest.mark.parametrize("name", [*STAGES, "mlip", "calibrated", "own-hull"])
def test_beginning_a_campaign_again_in_mid_course_changes_nothing(name, loaded):
    store, campaign_id = loaded(name)
    store.ensure_indices()
    before = stored.everything(store.database)
    spec, prepared = read_again(name, store)
    campaign, created = begin_campaign(store, spec, *prepared)
    assert (campaign.id, created) == (campaign_id, False)
    assert stored.everything(store.database) == before


@pytest.mark.parametrize("name", ["validating", "bands", "arms", "paused"])
def test_a_campaign_in_mid_course_is_shown(name, loaded, invoke_on, tmp_path):
    store, campaign_id = loaded(name)
    invoke = invoke_on(store)
    before = stored.everything(store.database)
    (row, *_) = json.loads(invoke("status", "--json").stdout)
    assert row["id"] == campaign_id
    for verb in ("status", "ledger"):
        assert campaign_id in invoke(verb, campaign_id).output
    found = json.loads(invoke("hits", "--json").stdout)
    assert {hit["candidate_id"] for hit in found} == {
        row["candidate_id"] for row in before.get("hits", [])
    }
    for candidate in before["candidates"]:
        assert candidate["candidate_id"] in invoke("show", candidate["_id"]).output
    invoke("export", "-o", str(tmp_path / "running.zip"))
    assert stored.everything(store.database) == before
