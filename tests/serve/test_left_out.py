"""Pages and OPTIMADE show the rest where a document cannot be read, and name it."""

from __future__ import annotations

import json

import pytest
from example_campaign import CAMPAIGN_ID

from gen2dft.serve.app import build_app
from gen2dft.serve.optimade import build_optimade, entries_of, known_in
from gen2dft.store.documents import LabelDoc
from gen2dft.store.store import Store
from tests.serve.conftest import get, served, whole_store


@pytest.fixture
def damaged() -> Store:
    """The example beside a campaign without a spec, and with a label that is no number."""
    store = whole_store()
    whole = store.campaign(CAMPAIGN_ID).to_mongo()
    store.database.campaigns.insert_one(whole | {"_id": "other-1", "spec": {}})
    label = store.database.labels.find_one({}, sort=[("_id", 1)])
    store.database.labels.update_one({"_id": label["_id"]}, {"$set": {"core_hours": "x"}})
    return store


def test_pages_name_what_they_leave_out(damaged: Store) -> None:
    with served(lambda _: build_app(damaged)) as base:
        pages = [base, *(f"{base}campaigns/{CAMPAIGN_ID}{part}" for part in ("", "/hits"))]
        for page in pages:
            answer = get(page)
            assert answer.status == 200
            assert CAMPAIGN_ID in answer.text
            assert "left out" in answer.text
            assert "campaigns &#39;other-1&#39; (spec: name: Field required)" in answer.text
        missing = get(f"{base}campaigns/other-1")
    assert missing.status == 404
    assert "cannot be read: spec: name: Field required" in missing.text


def test_optimade_serves_the_rest(damaged: Store) -> None:
    labels = damaged.ids(LabelDoc)
    orphan = damaged.database.labels.find_one({"_id": labels[1]})
    damaged.database.labels.update_one({"_id": orphan["_id"]}, {"$set": {"campaign_id": "other-1"}})
    entries = entries_of(damaged, labels, {})
    assert {entry["id"] for entry in entries} == set(labels[2:])
    assert known_in(damaged)
    with served(lambda base: build_optimade(damaged, "computed", base)) as base:
        answer = json.loads(get(f"{base}v1/structures?page_limit=1").text)
    assert answer["meta"]["data_available"] == len(labels) - 2
