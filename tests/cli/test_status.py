"""status says where campaigns, rounds and candidates stand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from example_campaign import CAMPAIGN_ID, empty_store

from gen2dft.store.documents import RoundDoc, now
from gen2dft.store.store import Store


def add_round(store: Store, **fields: object) -> RoundDoc:
    """A third round, which is at work."""
    store.database.campaigns.update_one({}, {"$set": {"state": "running", "stop_reason": None}})
    place: dict[str, Any] = {"id": f"{CAMPAIGN_ID}:2", "campaign_id": CAMPAIGN_ID, "index": 2}
    document = RoundDoc(**place, **fields)
    store.insert_new(document)
    return document


def progress(stage: str, done: int, total: int) -> dict[str, object]:
    return {"stage": stage, "done": done, "total": total, "message": "loss 0.310", "since": now()}


def test_all_campaigns_in_one_table(example: Store, invoke) -> None:
    line = next(text for text in invoke("status").output.splitlines() if CAMPAIGN_ID in text)
    assert line.split()[1:8] == ["finished", "2", "of", "2", "17", "4", "2026-11-03"]


def test_a_stage_at_work_is_shown(example: Store, invoke) -> None:
    add_round(example, progress=progress("train", 12, 60))
    assert "train 12/60 loss 0.310" in invoke("status").output
    assert "round 3: train 12/60 loss 0.310" in invoke("status", "thermoelectric").output


def test_validation_is_counted_from_the_candidates(example: Store, invoke) -> None:
    add_round(example, state="validating", dispatch_size=10, progress=progress("validate", 0, 10))
    labelled = [
        doc["_id"] for doc in example.candidate_fields(CAMPAIGN_ID, ["state"], state="labelled")
    ]
    example.database.candidates.update_many(
        {"_id": {"$in": labelled[:10]}}, {"$set": {"round_index": 2}}
    )
    example.database.candidates.update_many(
        {"_id": {"$in": labelled[:7]}}, {"$set": {"state": "queued"}}
    )
    example.database.tallies.delete_many({})  # what was just written by hand is not in it
    assert "round 3: validate 3/10" in invoke("status", "thermoelectric").output


def test_one_campaign_shows_funnel_states_and_failures(example: Store, invoke) -> None:
    output = invoke("status", "thermoelectric").output
    assert "finished: all 2 rounds done" in output
    for document in example.rounds(CAMPAIGN_ID):
        for stage in document.funnel:
            assert any(
                line.split()[:3] == [stage.stage, str(stage.n_in), str(stage.n_out)]
                for line in output.splitlines()
            )
    assert "above hull 20, not selected 20" in output
    assert "given_up:not_converged: the relaxation did not converge" in output
    assert f"gen2dft hits -c {CAMPAIGN_ID}" in output


def test_the_funnel_tells_what_a_gate_weighed(example: Store, invoke) -> None:
    document = example.rounds(CAMPAIGN_ID)[0]
    funnel = [stage.model_dump() for stage in document.funnel]
    (charge,) = [stage for stage in funnel if stage["stage"] == "charge"]
    charge["weighed"] = {"not_charge_balanced": 3}
    example.update_round(CAMPAIGN_ID, 0, funnel=funnel)
    output = " ".join(invoke("status", CAMPAIGN_ID).output.split())
    assert "weighed, not lost: not charge balanced 3" in output
    assert output.count("weighed") == 1


def test_numbers_agree_with_the_store_in_json(example: Store, invoke) -> None:
    (listed,) = json.loads(invoke("status", "--json").output)
    assert listed["candidates"] == {"rejected": 40, "labelled": 13, "hit": 4, "given_up": 3}
    whole = json.loads(invoke("status", CAMPAIGN_ID, "--json").output)
    assert whole["states"] == example.state_counts(CAMPAIGN_ID)
    assert [len(r["funnel"]) for r in whole["rounds"]] == [11, 11]
    assert len(whole["failures"]) == 3
    assert whole["created"] == "2026-11-03T09:00:00+00:00"


def test_candidates_in_a_state_with_or_without_reason(example: Store, invoke) -> None:
    rough = json.loads(invoke("status", "thermoelectric", "-s", "given_up", "--json").output)
    exact = json.loads(
        invoke("status", "thermoelectric", "-s", "given_up:not_converged", "--json").output
    )
    assert (len(rough), len(exact)) == (3, 1)
    assert exact[0]["failure"] == "the relaxation did not converge"
    assert exact[0]["candidate_id"] in invoke("status", "thermoelectric", "-s", "given_up").output


def test_campaigns_in_a_state(example: Store, invoke) -> None:
    assert "no campaign is running" in invoke("status", "-s", "running").output
    assert len(json.loads(invoke("status", "-s", "finished", "--json").output)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("-s", "finnished"),
            "Did you mean 'finished'? To list candidates: gen2dft status CAMPAIGN -s finnished",
        ),
        (("thermoelectric", "-s", "labeled"), "Did you mean 'labelled'?"),
        (("thermo",), "campaign 'thermo' is not one of"),
    ],
)
def test_unknown_names_are_explained(
    example: Store, invoke, arguments: tuple[str, ...], message: str
) -> None:
    result = invoke("status", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr


def test_without_campaigns_the_first_step_is_named(invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: empty_store())
    result = invoke("status")
    assert result.exit_code == 0
    assert "gen2dft run --campaign thermoelectric" in result.output
    assert json.loads(invoke("status", "--json").output) == []


def test_what_cannot_be_read_is_named_and_the_rest_shown(example, invoke):
    other = example.campaign(CAMPAIGN_ID).to_mongo() | {"_id": "other-1", "spec": {}}
    example.database.campaigns.insert_one(other)
    result = invoke("status")
    assert result.exit_code == 0
    assert CAMPAIGN_ID in result.stdout
    named = "left out 1 document that cannot be read: campaigns 'other-1' (spec: name: Field"
    assert result.stderr.count(named) == 1
    assert len(json.loads(invoke("status", "--json").stdout)) == 1
    refused = invoke("status", "other-1")
    assert refused.exit_code == 1
    assert "document 'other-1' of collection 'campaigns' cannot be read" in refused.stderr


@pytest.mark.parametrize("collection", ["rounds", "candidates", "labels", "hits", "power_factors"])
@pytest.mark.parametrize("verb", [("status",), ("hits",), ("candidates",), ("ledger",)])
def test_a_bad_document_of_a_campaign_stops_no_verb_that_shows(example, invoke, collection, verb):
    key = example.database[collection].find_one({}, sort=[("_id", 1)])["_id"]
    foreign = {"_id": "foreign", "campaign_id": CAMPAIGN_ID}
    example.database[collection].insert_one(foreign)
    example.database[collection].update_one({"_id": key}, {"$set": {"created": 5, "state": 5}})
    place = () if verb == ("status",) else ("-c", CAMPAIGN_ID)
    result = invoke(*verb, *(place if verb != ("ledger",) else (CAMPAIGN_ID,)))
    assert result.exit_code == 0, result.output
    assert len(result.stderr.splitlines()) <= 1
