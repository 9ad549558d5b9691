"""A document that cannot be read costs itself alone, and says which one it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from example_campaign import CAMPAIGN_ID, example_store

from gen2dft.store.documents import CampaignDoc, CandidateDoc, HitDoc, LabelDoc
from gen2dft.store.reading import Reading, UnreadableDocument, read_document, read_row
from gen2dft.store.schema import COLLECTIONS
from gen2dft.store.store import Store

NAN = math.nan
Row = dict[str, Any]


@pytest.fixture
def store() -> Store:
    return example_store()


def damage(store: Store, collection: str, **fields: object) -> str:
    """Set (dotted) fields of the first document of the example, and name it."""
    found = store.database[collection].find_one({}, sort=[("_id", 1)])
    places = {name.replace("__", "."): value for name, value in fields.items()}
    store.database[collection].update_one({"_id": found["_id"]}, {"$set": places})
    return str(found["_id"])


BAD: dict[str, tuple[str, Row, str]] = {
    "empty spec": ("campaigns", {"spec": {}}, "spec: name: Field required"),
    "spec without rounds": ("campaigns", {"spec__learning": {}}, "spec: learning.rounds"),
    "foreign field": ("campaigns", {"user": "x"}, "user: Extra inputs"),
    "text as number": ("rounds", {"index": "0"}, "index: Input should be a valid integer"),
    "progress": ("rounds", {"progress": {"done": "x"}}, "progress: done"),
    "training": ("rounds", {"training": {"history": 5}}, "training: history"),
    "state": ("candidates", {"state": "flying"}, "'flying' is not one of"),
    "no reason": ("candidates", {"state": "given_up"}, "carry a reason"),
    "verdict": ("candidates", {"surrogate": {"e_above_hull": NAN}}, "not a finite number"),
    "crystal": ("candidates", {"structure": {"sites": []}}, "structure: lattice.matrix"),
    "history": ("candidates", {"history": [{"state": 1}]}, "history: 0.state"),
    "NaN": ("labels", {"values__band_gap": NAN}, "values.band_gap: not a finite number"),
    "infinite": ("labels", {"energy_per_atom": math.inf}, "energy_per_atom: not a finite"),
    "truth value": ("labels", {"core_hours": True}, "core_hours: Input should be a valid number"),
    "no values": ("labels", {"values": None}, "values: Input should be a valid dictionary"),
    "cell": ("labels", {"structure__lattice__matrix": [[NAN] * 3] * 3}, "finite numbers"),
    "basis": ("hits", {"basis": {}}, "basis: each value needs one"),
    "evidence": ("hits", {"evidence": "faith"}, "evidence: Input should be 'dft'"),
    "moment": ("hulls", {"created": "yesterday"}, "created: Input should be a valid datetime"),
    "list": ("snapshots", {"properties": "x"}, "properties: Input should be a valid list"),
    "power factor": ("power_factors", {"values": {}, "reason": None}, "or a reason"),
    "tally": ("tallies", {"states": {"a": "flying"}}, "'flying' is not one of"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_named_with_its_field(store: Store, name: str) -> None:
    collection, fields, message = BAD[name]
    key = damage(store, collection, **fields)
    data = store.database[collection].find_one({"_id": key})
    with pytest.raises(UnreadableDocument, match=message) as refused:
        read_document(COLLECTIONS[collection], data)
    assert str(refused.value).startswith(f"document {key!r} of collection {collection!r} cannot")
    assert "restore it" in str(refused.value)
    assert "{" not in str(refused.value)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_foreign_content_is_no_document(collection: str) -> None:
    for data in ({"_id": 5, "x": 1}, {"_id": "a"}, {"x": 1}, {"_id": None, "campaign_id": NAN}):
        with pytest.raises(UnreadableDocument, match=f"of collection '{collection}' cannot be"):
            read_document(COLLECTIONS[collection], data)


def test_all_documents_of_the_example_can_be_read(store: Store) -> None:
    for name, model in COLLECTIONS.items():
        for data in store.database[name].find():
            assert read_document(model, data).id == data["_id"]


def test_a_campaign_that_cannot_be_read_stops_no_other(store: Store) -> None:
    other = store.campaign(CAMPAIGN_ID).model_copy(update={"id": "other-1", "spec": {}})
    store.database.campaigns.insert_one(other.to_mongo())
    assert [found.id for found in store.campaigns()] == [CAMPAIGN_ID]
    assert store.find_campaign("thermoelectric").id == CAMPAIGN_ID
    assert "campaigns 'other-1' (spec: name: Field required)" in store.reading.message()
    with pytest.raises(UnreadableDocument, match=r"document 'other-1' .* cannot be read: spec"):
        store.find_campaign("other-1")


READS: dict[str, tuple[str, Callable[[Store], list[Any]]]] = {
    "rounds": ("rounds", lambda store: store.rounds(CAMPAIGN_ID)),
    "candidates": ("candidates", lambda store: list(store.candidates(CAMPAIGN_ID))),
    "labels": ("labels", lambda store: store.labels(CAMPAIGN_ID)),
    "hits": ("hits", lambda store: store.hits(CAMPAIGN_ID)),
    "bands": ("power_factors", lambda store: store.from_bands(CAMPAIGN_ID)),
    "fields": ("candidates", lambda store: store.candidate_fields(CAMPAIGN_ID, ("created",))),
    "label fields": ("labels", lambda store: store.label_fields(CAMPAIGN_ID, ("created",))),
    "hit fields": ("hits", lambda store: store.hit_fields(CAMPAIGN_ID, ("created",))),
}


@pytest.mark.parametrize("name", READS)
def test_who_shows_leaves_out_what_who_computes_must_not_miss(store: Store, name: str) -> None:
    collection, read = READS[name]
    whole = len(read(store))
    key = damage(store, collection, created="yesterday")
    with pytest.raises(UnreadableDocument, match=f"document {key!r}"):
        read(store)
    store.only_show()
    assert len(read(store)) == whole - 1
    message = store.reading.message()
    assert message.startswith(f"left out 1 document that cannot be read: {collection} {key!r} (")
    assert len(message.splitlines()) == 1


def test_a_repaired_document_is_no_longer_named(store: Store) -> None:
    store.only_show()
    key = damage(store, "labels", created="yesterday")
    store.labels(CAMPAIGN_ID)
    assert key in store.reading.message()
    damage(store, "labels", created=datetime.now(UTC))
    store.labels(CAMPAIGN_ID)
    assert store.reading.message() == ""


def test_many_bad_documents_are_one_line(store: Store) -> None:
    store.only_show()
    store.database.labels.update_many({}, {"$set": {"created": "yesterday"}})
    assert store.labels(CAMPAIGN_ID) == []
    message = store.reading.message()
    assert " more" in message
    assert len(message) < 500


def test_a_hit_says_something_of_each_target(store: Store) -> None:
    store.only_show()
    key = damage(store, "hits", values={"band_gap": 1.0}, basis={"band_gap": "chgnet"})
    assert key not in [hit.id for hit in store.hits(CAMPAIGN_ID)]
    assert "values: nothing is said of target power_factor" in store.reading.message()


def test_a_tally_that_cannot_be_read_is_counted_again(store: Store) -> None:
    before = store.state_counts(CAMPAIGN_ID)
    assert sum(before.values())
    key = damage(store, "tallies", states="x")
    assert store.state_counts(CAMPAIGN_ID) == before
    assert f"tallies {key!r}" in store.reading.message()
    assert store.tally.recount(CAMPAIGN_ID) > 0
    again = Store(store.database)
    assert again.state_counts(CAMPAIGN_ID) == before
    assert not again.reading.message()


def test_only_the_fields_that_were_asked_for_must_be_right() -> None:
    row = {"_id": "a", "candidate_id": "x", "state": "hit", "formula": 5}
    found = read_row(CandidateDoc, ("candidate_id", "state", "also_from"), row)
    assert found == row | {"also_from": []}
    with pytest.raises(UnreadableDocument, match="formula: Input should be a valid string"):
        read_row(CandidateDoc, ("candidate_id", "formula"), row)


def test_a_part_of_a_part() -> None:
    fields = ("surrogate.e_above_hull", "surrogate.stability")
    assert read_row(CandidateDoc, fields, {"_id": "a"})["surrogate"] is None
    row = {"_id": "a", "surrogate": {"e_above_hull": "x"}}
    with pytest.raises(UnreadableDocument, match=r"surrogate.e_above_hull: Input should be"):
        read_row(CandidateDoc, fields, row)
    energy = ("decomposition.energy",)
    assert read_row(LabelDoc, energy, {"_id": "a", "decomposition": {"energy": 0.1}})
    with pytest.raises(UnreadableDocument, match=r"decomposition.energy: not a finite number"):
        read_row(LabelDoc, energy, {"_id": "a", "decomposition": {"energy": NAN}})


def test_what_the_screen_refused_may_hold_the_number_that_it_was_refused_for() -> None:
    fields = ("surrogate.reason", "surrogate.formation_energy")
    refused = {"_id": "a", "surrogate": {"reason": "implausible_energy", "formation_energy": NAN}}
    assert read_row(CandidateDoc, fields, refused)


def test_hits_of_version_0_1_0_have_no_evidence() -> None:
    row = {"_id": "a", "is_dft": False, "basis": {"band_gap": "gpaw"}}
    assert read_row(HitDoc, ("evidence", "is_dft", "basis"), row)


def test_a_calibration_that_cannot_be_read_gives_way_to_the_one_before(store: Store) -> None:
    place = {"correction": "c", "engine": "e", "settings_hash": "s"}
    older = {
        **place, "_id": "old", "is_dft": True, "preset": "p", "rows": [], "complete": True,
        "created": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    newer = {**older, "_id": "new", "created": datetime(2026, 2, 1, tzinfo=UTC), "rms": NAN}
    store.database.calibrations.insert_many([older, newer])
    found = store.calibration("c", "e", "s")
    assert found is not None
    assert found.id == "old"


def test_reading_logs_what_no_reader_is_told(caplog: pytest.LogCaptureFixture) -> None:
    reading = Reading()
    assert list(reading.all(CampaignDoc, [{"_id": "x"}], of_everybody=True)) == []
    assert "left out campaigns x, which cannot be read" in caplog.text
