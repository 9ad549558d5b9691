"""The tally says what the candidates say: after kills, with many writers at once, and where there
is none yet.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import mongomock
import pytest

from gen2dft.store.connect import open_store
from gen2dft.store.documents import CandidateDoc, RoundDoc
from gen2dft.store.store import Store, candidate_key

NAMES = [f"c{i:02d}" for i in range(40)]


def candidate(name: str, state: str = "sampled") -> CandidateDoc:
    place = {
        "campaign_id": "camp",
        "round_index": 0,
        "sampler": "local",
        "parents": [],
        "latent_row": 0,
    }
    return CandidateDoc(id=candidate_key("camp", name), candidate_id=name, state=state, **place)


def fill(store: Store, state: str = "running") -> Store:
    store.insert_new(RoundDoc(id="camp:0", campaign_id="camp", index=0))
    store.insert_many_new([candidate(name, state) for name in NAMES])
    return store


@pytest.fixture
def store() -> Store:
    return fill(Store(mongomock.MongoClient(tz_aware=True)["test"]))


def says_the_truth(store: Store) -> bool:
    return store.tally.states("camp", 0) == {
        doc.candidate_id: doc.state for doc in store.candidates("camp")
    }


class Killed(Exception):
    pass


def killed_before_the_tally(monkeypatch: pytest.MonkeyPatch, store: Store, step) -> None:
    """Take a step of a worker that is killed between its two writes."""

    def die(*args, **fields):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(store.tally, "_write", die)
        with pytest.raises(Killed):
            step(store)


@pytest.mark.parametrize(
    "step",
    [
        lambda store: store.insert_many_new([candidate(f"new{i}") for i in range(9)]),
        lambda store: store.insert_new(candidate("new")),
        lambda store: store.move_candidate("camp", "c03", "labelled"),
        lambda store: store.move_candidates(
            "camp", {name: {"state": "given_up:why"} for name in NAMES[5:30]}
        ),
        lambda store: store.reopen_candidate("camp", "c02"),
        lambda store: store.give_up_open("camp", "unfinished", "too late", 0),
    ],
    ids=["insert many", "insert", "move", "move many", "reopen", "give up"],
)
@pytest.mark.parametrize("mend", ["again", "recount"])
def test_a_kill_between_the_two_writes_is_mended(store, monkeypatch, step, mend):
    store.move_candidate("camp", "c02", "given_up:why")
    killed_before_the_tally(monkeypatch, store, step)
    assert not says_the_truth(store)
    if mend == "again":
        step(store)
    else:
        assert store.tally.recount("camp") > 0
    assert says_the_truth(store)
    assert store.tally.recount("camp") == 0


def test_an_entry_that_lags_behind_keeps_a_round_open(store, monkeypatch):
    killed_before_the_tally(
        monkeypatch, store, lambda store: store.move_candidate("camp", "c03", "labelled")
    )
    assert store.count_open("camp", 0) == len(NAMES)


def test_of_two_writers_the_late_one_does_not_undo_the_other(store, monkeypatch):
    read = store.tally._read

    def overtaken(keys):
        found = read(keys)
        monkeypatch.undo()
        assert Store(store.database).move_candidate("camp", "c03", "hit")
        return found

    monkeypatch.setattr(store.tally, "_read", overtaken)
    store.move_candidate("camp", "c03", "labelled")
    assert store.tally.states("camp")["c03"] == "hit"


def test_many_writers_at_once_on_the_embedded_store(settings):
    store = fill(open_store(settings))

    def work(state: str) -> None:
        for name in NAMES:
            store.move_candidate("camp", name, state)

    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                work,
                [
                    "given_up:why",
                    "labelled",
                    "hit",
                    "labelled",
                    "hit",
                    "given_up:why",
                    "labelled",
                    "hit",
                ],
            )
        )
    assert says_the_truth(store)
    assert store.state_counts("camp", 0) == Counter(doc.state for doc in store.candidates("camp"))


def test_a_round_of_an_older_version_is_counted_from_its_candidates(store):
    store.database.tallies.delete_many({})
    assert store.state_counts("camp") == store.state_counts("camp", 0) == {"running": len(NAMES)}
    store.move_candidate("camp", "c01", "labelled")  # a part of a tally would say less than none
    assert store.state_counts("camp") == {"running": len(NAMES) - 1, "labelled": 1}
    assert store.tally.recount("camp") == len(NAMES)
    assert store.database.tallies.count_documents({}) > 0
    assert store.state_counts("camp") == {"running": len(NAMES) - 1, "labelled": 1}


def test_those_given_up_last_come_first(store, monkeypatch):
    # A second between any two: MongoDB keeps milliseconds, and these moves may take less.
    moments = (datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) for second in range(60))
    monkeypatch.setattr("gen2dft.store.store.now", lambda: next(moments))
    for name in ("c05", "c01", "c09", "c07"):
        store.move_candidate("camp", name, "given_up:why", failure=f"of {name}")
    store.reopen_candidate("camp", "c09")
    assert [doc.failure for doc in store.last_given_up("camp", 2)] == ["of c07", "of c01"]
    assert len(store.last_given_up("camp", 9)) == 3
