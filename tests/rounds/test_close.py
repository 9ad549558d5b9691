"""The end of a round: when, by whom, what is counted, and what comes after."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gen2dft.rounds import close
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.close import is_late, last_stages, may_close, try_close
from gen2dft.rounds.distinct import KNOWN, REPEATED
from gen2dft.rounds.ingest import begin_attempt, ingest
from gen2dft.rounds.round import Round
from gen2dft.store.documents import now
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.rounds.test_steps import calculations, check_funnel, queued, up_to_dispatch, validate_all

BATCH = 5


@pytest.fixture
def dispatched(store, spec):
    """Begins a campaign with changed learning settings and takes its first round to validation."""

    def begun(**learning) -> Round:
        content = {"rounds": 2, "batch": BATCH, "ensemble": 2, **learning}
        changed = spec.model_validate({**toys.TOY_CAMPAIGN, "learning": content})
        dataset = toys.toy_dataset()
        campaign, _ = begin_campaign(store, changed, dataset, ReferenceHull.from_dataset(dataset))
        context = Round(store, campaign.id, 0)
        up_to_dispatch(context)
        assert len(queued(context)) == BATCH
        return context

    return begun


def label(context: Round, key: str) -> None:
    assert ingest(context, key, calculations(context, key)) in ("labelled", "hit")


def stages(context: Round) -> dict[str, tuple[int, int, dict[str, int]]]:
    counts = context.document.funnel[-3:]
    return {count.stage: (count.n_in, count.n_out, count.reasons) for count in counts}


def indices(context: Round) -> list[int]:
    return [document.index for document in context.store.rounds(context.campaign_id)]


@pytest.mark.parametrize(("quorum", "needed"), [(1.0, 5), (0.61, 4), (0.6, 3), (0.01, 1)])
def test_a_quorum_is_a_share_of_the_batch_rounded_up(dispatched, quorum, needed):
    context = dispatched(quorum=quorum)
    keys = queued(context)
    for number, key in enumerate(keys[:needed]):
        assert not may_close(context, context.document)
        assert not try_close(context)
        # One that is given up has finished, too.
        if number:
            label(context, key)
        else:
            ingest(context, key, [None, None])
    assert try_close(context)
    assert context.document.state == "closed"
    assert len(queued(context)) == BATCH - needed


def test_a_running_candidate_has_not_finished(dispatched):
    context = dispatched(quorum=0.2)
    assert begin_attempt(context, queued(context)[0])
    assert not try_close(context)


def test_a_round_that_is_not_validating_is_never_closed(context):
    """Nothing is open in a round that has just begun: its quorum would be reached."""
    assert context.document.state != "validating"
    assert not try_close(context)
    assert indices(context) == [0]


def test_the_deadline_counts_from_the_dispatch(dispatched):
    context = dispatched(deadline_hours=2.0)
    for hours, late in ((1.9, False), (2.1, True)):
        context.update(dispatched=now() - timedelta(hours=hours))
        assert is_late(context, context.document) == late
    before = context.document.model_copy(update={"dispatched": None})
    assert not is_late(context, before)


def test_without_a_deadline_no_round_is_late(dispatched):
    context = dispatched()
    context.update(dispatched=now() - timedelta(days=1000))
    assert not is_late(context, context.document)
    assert not try_close(context)


def test_a_late_round_gives_up_its_own_stragglers_only(dispatched, store):
    """A straggler of the first round is not given up because the second one is late."""
    context = dispatched(deadline_hours=1.0, quorum=0.8, rounds=3)
    *most, straggler = queued(context)
    for key in most:
        label(context, key)
    assert try_close(context)
    second = Round(store, context.campaign_id, 1)
    up_to_dispatch(second)
    second.update(dispatched=now() - timedelta(hours=2))
    own = [doc.candidate_id for doc in store.candidates(context.campaign_id, round_index=1)]
    still_open = [key for key in queued(second) if key in own]
    assert still_open
    assert try_close(second)
    states = {key: store.candidate(context.campaign_id, key).state for key in still_open}
    assert set(states.values()) == {"given_up:unfinished"}
    assert store.candidate(context.campaign_id, straggler).state == "queued"
    assert stages(second)["validate"][2] == {"unfinished": len(still_open)}


def test_one_caller_closes_though_two_have_seen_the_quorum(dispatched, monkeypatch):
    context = dispatched()
    validate_all(context)
    answers = []

    def meanwhile(same: Round):
        """Another worker comes by while this one counts."""
        monkeypatch.setattr(close, "last_stages", last_stages)
        answers.append(try_close(same))
        return last_stages(same)

    monkeypatch.setattr(close, "last_stages", meanwhile)
    answers.append(try_close(context))
    assert answers == [True, False]
    assert indices(context) == [0, 1]
    check_funnel(context)


def test_what_a_killed_caller_left_undone_is_done_by_the_next_one(dispatched, monkeypatch):
    context = dispatched()
    validate_all(context)

    def killed(_: Round) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(close, "go_on", killed)
        try_close(context)
    assert context.document.state == "closed"
    assert indices(context) == [0]
    closed = context.document.closed
    assert not try_close(context)
    assert indices(context) == [0, 1]
    assert context.document.closed == closed


def test_the_last_stages_count_every_fate(dispatched):
    context = dispatched(quorum=0.8)
    failed, miss, hit, double, silent = queued(context)
    ingest(context, failed, [None, None])
    for key in (miss, hit, double):
        label(context, key)
    # Told by hand, since the toys' batch is what it is: one misses its target, two are one crystal.
    database = context.store.database
    as_hit = {"campaign_id": context.campaign_id}
    database.hits.delete_many(as_hit)
    for key in (miss, hit, double):
        context.store.set_candidate(context.campaign_id, key, state="labelled")
    database.labels.update_one({"candidate_id": miss}, {"$set": {"values.formation_energy": 9.0}})
    for key in (hit, double):
        database.labels.update_one(
            {"candidate_id": key}, {"$set": {"values.formation_energy": -1.0}}
        )
    validate, targets, distinct = last_stages(context)
    assert (validate.stage, validate.n_in, validate.n_out) == ("validate", 5, 3)
    assert validate.reasons == {"calculation_crashed": 1, "unfinished": 1}
    assert (targets.stage, targets.n_in, targets.n_out) == ("targets", 3, 2)
    assert targets.reasons == {"misses_formation_energy": 1}
    assert (distinct.stage, distinct.n_in, distinct.n_out) == ("distinct", 2, 2)
    assert context.store.candidate(context.campaign_id, silent).state == "queued"


def test_the_funnel_ends_with_the_crystals_of_their_own(dispatched, monkeypatch):
    context = dispatched()
    validate_all(context)
    number = len(context.store.hits(context.campaign_id))
    assert number >= 3
    marks = ["known:toy-NaCl", "known:toy-KBr", "0123456789abcdef"] + [None] * (number - 3)
    monkeypatch.setattr("gen2dft.rounds.distinct.repeats", lambda *_: marks)
    assert try_close(context)
    assert stages(context)["distinct"] == (number, number - 3, {KNOWN: 2, REPEATED: 1})
    check_funnel(context)


def test_a_straggler_that_becomes_a_hit_is_marked_and_the_funnel_stays(dispatched, monkeypatch):
    context = dispatched(quorum=0.8)
    *most, last = queued(context)
    for key in most:
        label(context, key)
    assert try_close(context)
    funnel, closed = context.document.funnel, context.document.closed
    assert stages(context)["validate"] == (5, 4, {"unfinished": 1})
    label(context, last)
    marked = []
    monkeypatch.setattr(close, "mark_repeats", marked.append)
    assert not try_close(context)
    assert marked == [context]
    assert (context.document.funnel, context.document.closed) == (funnel, closed)


def test_the_round_after_begins_and_nothing_more_after_the_last(dispatched, store):
    context = dispatched()
    validate_all(context)
    assert try_close(context)
    second = Round(store, context.campaign_id, 1)
    assert (second.document.index, second.document.snapshot_id) == (1, None)
    assert second.document.state != "validating"
    assert store.campaign(context.campaign_id).state == "running"
    assert context.document.seconds["validate"] > 0
    up_to_dispatch(second)
    validate_all(second)
    assert try_close(second)
    assert indices(context) == [0, 1]
    campaign = store.campaign(context.campaign_id)
    assert (campaign.state, campaign.stop_reason) == ("finished", "all 2 rounds are done")
