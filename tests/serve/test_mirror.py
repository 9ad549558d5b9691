"""The mirror answers as the database does, sees what changes, and never keeps a reader waiting for
long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pymongo.errors
import pytest
from example_campaign import CAMPAIGN_ID, candidate_id, example_store

from gen2dft.serve import mirror
from gen2dft.serve.mirror import ALL_AGAIN, FRESH, OVERLAP, Mirror, MirrorStore
from gen2dft.store.store import Store

QUERIES: tuple[dict[str, Any], ...] = (
    {},
    {"round_index": 1},
    {"state": "hit"},
    {"state": {"$in": ["hit", "labelled"]}},
    {"surrogate": {"$ne": None}},
    {"state": {"$regex": "^given_up"}},
    {"attempts": 1},
)
ASKED: tuple[tuple[str, Callable[[Store], Any]], ...] = (
    ("states", lambda store: store.state_counts(CAMPAIGN_ID)),
    ("states of a round", lambda store: store.state_counts(CAMPAIGN_ID, 1)),
    ("open", lambda store: store.count_open(CAMPAIGN_ID, 1)),
    ("core-hours", lambda store: store.core_hours(CAMPAIGN_ID)),
    ("blob", lambda store: store.get_blob(str(store.round(CAMPAIGN_ID, 0).latents_id))),
    (
        "labels",
        lambda store: [d["run_type"] for d in store.label_fields(CAMPAIGN_ID, ("run_type",))],
    ),
)


@pytest.fixture
def plain() -> Store:
    store = example_store()
    store.reopen_candidate(CAMPAIGN_ID, candidate_id(1, 9))
    return store


@pytest.fixture
def mirrored(plain: Store, monkeypatch: pytest.MonkeyPatch) -> MirrorStore:
    monkeypatch.setattr(mirror, "FRESH", 0.0)
    monkeypatch.setattr(mirror, "PATIENCE", 60.0)
    return MirrorStore(plain.database)


@pytest.mark.parametrize("ask", [ask for _, ask in ASKED], ids=[name for name, _ in ASKED])
def test_it_answers_as_the_database_does(
    plain: Store, mirrored: MirrorStore, ask: Callable[[Store], Any]
) -> None:
    expected = ask(plain)
    assert expected
    assert ask(mirrored) == ask(mirrored) == expected


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_candidates_are_found_and_turned_over_as_in_the_database(
    plain: Store, mirrored: MirrorStore, query: dict[str, Any]
) -> None:
    fields = ("candidate_id", "state", "surrogate.e_above_hull")
    for page in ({}, {"skip": 2, "limit": 3}, {"skip": 1000}):
        wanted = plain.candidate_fields(CAMPAIGN_ID, fields, **page, **query)
        found = mirrored.candidate_fields(CAMPAIGN_ID, fields, **page, **query)
        assert [doc["_id"] for doc in found] == [doc["_id"] for doc in wanted]
        assert all(doc["surrogate"]["e_above_hull"] == row["surrogate"]["e_above_hull"]
                   for doc, row in zip(wanted, found, strict=True))  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda store, key: store.move_candidate(CAMPAIGN_ID, key, "labelled"),
        lambda store, key: store.reopen_candidate(CAMPAIGN_ID, key),
        lambda store, key: store.set_candidate(CAMPAIGN_ID, key, surrogate={"e_above_hull": 7.0}),
    ],
    ids=["moved", "reopened", "set"],
)
def test_it_sees_what_another_process_changes(plain: Store, mirrored: MirrorStore, change) -> None:
    key = candidate_id(0, 9)  # given up
    # As if long ago, so that only the change itself can tell.
    plain.database.candidates.update_many({}, {"$set": {"changed": None}})
    before = mirrored.candidate_fields(CAMPAIGN_ID, ("state",))
    change(plain, key)
    assert mirrored.candidate_fields(CAMPAIGN_ID, ("state",)) != before
    row, document = (
        next(
            d
            for d in s.candidate_fields(
                CAMPAIGN_ID, ("candidate_id", "state", "surrogate.e_above_hull")
            )
            if d["candidate_id"] == key
        )
        for s in (mirrored, plain)
    )
    assert row["state"] == document["state"]
    assert row["surrogate"]["e_above_hull"] == document["surrogate"]["e_above_hull"]


def test_a_candidate_of_an_older_version_does_not_say_when_it_changed(plain: Store) -> None:
    plain.database.candidates.update_many({}, {"$unset": {"changed": 1}})
    assert {doc.changed for doc in plain.candidates(CAMPAIGN_ID)} == {None}


class Source:
    """A database of two documents that tells how it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Callable[[], list[dict[str, Any]]] = lambda: [{"_id": "a"}, {"_id": "b"}]
        self.time = 0.0

    def read(self, since: Any) -> list[dict[str, Any]]:
        self.asked.append(since)
        return self.answer()


@pytest.fixture
def source() -> Source:
    return Source()


def of(source: Source) -> Mirror:
    return Mirror(source.read, ThreadPoolExecutor(1), lambda: source.time)


def test_it_asks_for_changes_alone_and_now_and_then_for_everything(source: Source) -> None:
    kept = of(source)
    kept.rows()
    kept.rows()
    assert source.asked == [None]
    source.time += FRESH + 1
    kept.rows()
    assert len(source.asked) == 2 and source.asked[1] is not None
    source.answer = lambda: [{"_id": "c"}]
    source.time += ALL_AGAIN + 1
    assert [row["_id"] for row in kept.rows()] == ["c"]
    assert source.asked[2] is None


def test_clocks_may_differ(source: Source) -> None:
    kept = of(source)
    before = mirror.now()
    kept.rows()
    source.time += FRESH + 1
    kept.rows()
    assert timedelta() <= source.asked[1] - (before - OVERLAP) < timedelta(minutes=5)


def test_who_comes_during_a_long_reading_sees_what_was_known(source: Source) -> None:
    kept, let_go = of(source), threading.Event()
    kept.rows()
    source.time += FRESH + 1
    source.answer = lambda: [{"_id": "c"}] if let_go.wait(60) else []
    assert [row["_id"] for row in kept.rows()] == ["a", "b"]
    let_go.set()
    reading = kept.refresh()
    if reading is not None:
        reading.result(60)
    assert [row["_id"] for row in kept.rows()] == ["a", "b", "c"]
    assert len(source.asked) == 2


def test_an_error_reaches_the_reader_and_is_not_kept(source: Source) -> None:
    def broken() -> list[dict[str, Any]]:
        raise pymongo.errors.AutoReconnect("gone")

    kept, works = of(source), source.answer
    source.answer = broken
    with pytest.raises(pymongo.errors.AutoReconnect, match="gone"):
        kept.rows()
    source.answer = works
    assert len(kept.rows()) == 2
