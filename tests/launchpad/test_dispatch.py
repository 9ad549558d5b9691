"""Candidates go into the queue in portions.

Each gets one firework, whoever is killed on the way.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from gen2dft.launchpad import advance as advancing
from gen2dft.launchpad.advance import advance

from gen2dft.store.documents import now
from tests.launchpad.test_campaign import check_books
from tests.launchpad.test_faults import queue_toys

pytestmark = pytest.mark.usefixtures("toy_plugins")
SOUND = 10


@pytest.fixture(autouse=True)
def _small_queue(monkeypatch):
    monkeypatch.setattr(advancing, "IN_QUEUE", 4)


def light_fireworks(lpad) -> Counter:
    """Candidate to the number of light fireworks that it ever had."""
    return Counter(
        doc["spec"]["gen2dft"]["candidate_id"]
        for doc in lpad.fireworks.find({"name": {"$regex": "^candidate"}})
    )


def test_the_queue_holds_a_portion_and_is_topped_up_while_work_goes_on(bench):
    store, lpad, work = bench
    context = queue_toys(store, SOUND)
    assert advance(store, lpad, context.campaign_id) == ["dispatched 4 candidates of round 0"]
    assert advance(store, lpad, context.campaign_id) == []
    assert len(light_fireworks(lpad)) == 4
    work()
    assert store.campaign(context.campaign_id).state == "finished"
    assert set(light_fireworks(lpad).values()) == {1}
    assert len(light_fireworks(lpad)) == SOUND
    check_books(store, context.campaign_id)


def test_who_is_killed_after_the_insertion_inserts_nothing_twice(bench, monkeypatch):
    store, lpad, work = bench
    context = queue_toys(store, SOUND)

    def die(*args, **fields):
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(type(context), "update", die)
        with pytest.raises(RuntimeError, match="killed"):
            advance(store, lpad, context.campaign_id)
    assert len(light_fireworks(lpad)) == 4
    assert advance(store, lpad, context.campaign_id) == ["dispatched 0 candidates of round 0"]
    work()
    assert set(light_fireworks(lpad).values()) == {1}
    check_books(store, context.campaign_id)


def test_a_quorum_waits_for_those_that_have_no_firework_and_a_deadline_does_not(bench):
    store, lpad, work = bench
    context = queue_toys(
        store, SOUND, learning={"rounds": 1, "batch": SOUND, "quorum": 0.1, "deadline_hours": 1}
    )
    advance(store, lpad, context.campaign_id)
    work(4)  # the first candidate, from its light firework to its label
    assert store.round(context.campaign_id, 0).state == "validating"
    context.update(dispatched=now() - timedelta(hours=2))
    assert "closed round 0" in advance(store, lpad, context.campaign_id)
    assert store.state_counts(context.campaign_id)["given_up:unfinished"] == SOUND - 1
    work()
    check_books(store, context.campaign_id)
