"""Documents of older versions get the fields that they lack, once, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
from example_campaign import CAMPAIGN_ID, HITS, example_store

from gen2dft.review.up_to_date import bring_up_to_date, count_outdated
from gen2dft.store.documents import HitDoc, LabelDoc
from gen2dft.store.store import Store

ADDED = ("formula_pretty", "elements", "nelements", "chemsys", "nsites", "symmetry", "round")


@pytest.fixture
def old() -> Store:
    """A store whose hits and labels an older version wrote."""
    store = example_store()
    for name in ("hits", "labels"):
        store.database[name].update_many({}, {"$unset": dict.fromkeys(ADDED, 1)})
    return store


def rows(store: Store, name: str) -> list[dict[str, Any]]:
    return list(store.database[name].find().sort("_id", 1))


def test_fields_are_those_of_new_documents(old: Store) -> None:
    assert count_outdated(old, HitDoc, CAMPAIGN_ID) == len(HITS)
    assert old.hits(CAMPAIGN_ID)[0].elements is None
    assert bring_up_to_date(old, HitDoc).written == len(HITS)
    bring_up_to_date(old, LabelDoc)
    new = example_store()
    for name in ("hits", "labels"):
        wanted = [{key: row[key] for key in ADDED} for row in rows(new, name)]
        assert [{key: row[key] for key in ADDED} for row in rows(old, name)] == wanted
    assert count_outdated(old, HitDoc) == 0


def test_a_second_run_writes_nothing(old: Store) -> None:
    bring_up_to_date(old, HitDoc)
    before = rows(old, "hits")
    assert bring_up_to_date(old, HitDoc).written == 0
    assert rows(old, "hits") == before


def test_a_run_that_was_killed_goes_on(old: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gen2dft.review.up_to_date.AT_ONCE", 1)

    def die(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_up_to_date(old, HitDoc, die)
    assert count_outdated(old, HitDoc) == len(HITS) - 2
    assert bring_up_to_date(old, HitDoc).written == len(HITS) - 2


def test_a_crystal_that_cannot_be_read_is_named_and_left(old: Store) -> None:
    key = rows(old, "hits")[0]["_id"]
    old.database.hits.update_one({"_id": key}, {"$set": {"structure": {"lattice": 1}}})
    brought = bring_up_to_date(old, HitDoc)
    assert brought.written == len(HITS) - 1
    assert list(brought.failed) == [key]
