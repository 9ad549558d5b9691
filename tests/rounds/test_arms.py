"""Control arm, audit of the screen, and budgets: counted, repeatable, and never overdrawn."""

import pytest

from gen2dft.report.claims import Count, gain
from gen2dft.report.data import load_report_data
from gen2dft.report.page import claims
from gen2dft.review.trace import trace
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.close import try_close
from gen2dft.rounds.ingest import ingest
from gen2dft.rounds.propose import propose
from gen2dft.rounds.round import Round
from gen2dft.rounds.screen import finish_screen, screen_chunk
from gen2dft.rounds.select import select
from gen2dft.rounds.train import train
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.rounds.test_steps import calculations, check_funnel, queued, up_to_dispatch, validate_all


def begun(store, spec, highest=0.5, relaxations=12, **learning):
    """A campaign of toys.

    With `highest` of -0.9 the screen refuses a good part: this hull lacks most phases, so that
    nearly all lie below it.

    So few relaxations that the second round finds something new among the 48 rock salts that the
    toy generator knows.
    """
    surrogate = {**toys.TOY_CAMPAIGN["screening"]["surrogate"], "max_e_above_hull": highest}
    surrogate |= {"max_relaxations": relaxations}
    changed = {**toys.TOY_CAMPAIGN, "learning": {**toys.TOY_CAMPAIGN["learning"], **learning}}
    changed |= {"screening": {"surrogate": surrogate}}
    dataset = toys.toy_dataset()
    campaign, _ = begin_campaign(
        store, spec.model_validate(changed), dataset, ReferenceHull.from_dataset(dataset)
    )
    return campaign.id


def finish(store, key, rounds=2):
    for index in range(rounds):
        context = Round(store, key, index)
        up_to_dispatch(context)
        validate_all(context)
        assert try_close(context)
        check_funnel(context)
    return store


def test_the_control_arm_stays_with_the_first_round(store, spec):
    key = begun(store, spec, relaxations=10, control=0.5, batch=4)
    finish(store, key)
    arms = {arm: list(store.candidates(key, arm=arm)) for arm in ("learning", "control")}
    first = store.round(key, 0).snapshot_id
    assert {doc.round_index for doc in arms["control"]} == {1}
    assert {doc.snapshot_id for doc in arms["control"]} == {first}
    base = set(Round(store, key, 0).base.ids)
    assert all(set(doc.parents) <= base for doc in arms["control"])
    points = [sum(doc.round_index == 1 for doc in docs) for docs in arms.values()]
    assert points == [50, 50]
    chosen = [doc.arm for doc in store.candidates(key, round_index=1, selected_by={"$ne": None})]
    assert chosen.count("control") == 2 == chosen.count("learning")
    decoded = [doc for doc in arms["control"] if doc.structure][:5]
    assert all(trace(store, doc).redecoded.is_same for doc in decoded)
    assert trace(store, decoded[0]).training.num_labels == 0


def test_without_a_control_arm_nothing_changes(store, spec):
    key = begun(store, spec)
    finish(store, key)
    assert {doc.arm for doc in store.candidates(key)} == {"learning"}
    assert {doc.snapshot_id for doc in store.candidates(key)} == {None}


def test_the_audit_lets_random_rejects_of_the_screen_through(store, spec):
    key = begun(store, spec, highest=-0.9, relaxations=None, gate_audit=0.5, batch=6)
    finish(store, key, rounds=1)
    audited = list(store.candidates(key, selected_by="gate-audit"))
    assert len(audited) == 3
    assert {doc.surrogate.reason for doc in audited} == {"above_hull"}
    assert all(
        doc.state in ("labelled", "hit") or doc.state.startswith("given_up") for doc in audited
    )
    rejected = list(store.candidates(key, state={"$regex": "^rejected:above_hull"}))
    assert rejected and all(doc.surrogate.reason == doc.state.partition(":")[2] for doc in rejected)
    assert store.round(key, 0).dispatch_size == 6


def test_an_interrupted_audit_draws_the_same(store, spec, monkeypatch):
    key = begun(store, spec, highest=-0.9, relaxations=None, gate_audit=0.5, batch=6)
    context = Round(store, key, 0)
    train(context)
    survivors = propose(context)
    screen_chunk(context, survivors)
    follow, followed = store.tally.follow, []

    def dies_half_way(keys):
        if followed:
            raise RuntimeError("killed")
        followed.append(keys)
        follow(keys)

    monkeypatch.setattr("gen2dft.store.store.AT_ONCE", 2)
    monkeypatch.setattr(store.tally, "follow", dies_half_way)
    with pytest.raises(RuntimeError, match="killed"):
        finish_screen(context, survivors)
    monkeypatch.setattr(store.tally, "follow", follow)
    count = finish_screen(context, survivors)
    assert finish_screen(context, survivors) == count
    select(context, count.model_dump())
    assert len(list(store.candidates(key, selected_by="gate-audit"))) == 3


def test_a_late_label_does_not_change_a_selection_that_was_made(store, spec):
    key = begun(store, spec, quorum=0.5, batch=6)
    first = Round(store, key, 0)
    up_to_dispatch(first)
    *most, last = queued(first)
    for candidate in most:
        ingest(first, candidate, calculations(first, candidate))
    assert try_close(first)
    second = Round(store, key, 1)
    up_to_dispatch(second)
    before = list(store.candidates(key, round_index=1))
    ingest(first, last, calculations(first, last))
    again = Round(store, key, 1)
    select(again, again.document.funnel[-2].model_dump())
    assert list(store.candidates(key, round_index=1)) == before


@pytest.mark.parametrize("acquisition", ["greedy", "ucb", "thompson", "diverse", "random"])
def test_no_acquisition_overdraws_the_oracle_calls(store, spec, acquisition):
    key = begun(
        store,
        spec,
        acquisition=acquisition,
        batch=4,
        rounds=9,
        budget={"oracle_calls": 5},
        control=0.3,
    )
    finish(store, key)
    assert [r.dispatch_size for r in store.rounds(key)] == [4, 1]
    campaign = store.campaign(key)
    assert (campaign.state, campaign.stop_reason) == (
        "finished",
        "the budget of 5 oracle calls is spent",
    )


def test_no_batch_begins_once_the_core_hours_are_spent(store, spec):
    key = begun(store, spec, batch=6, rounds=9, budget={"core_hours": 1e-9})
    finish(store, key, rounds=1)
    assert "core-hours is spent" in str(store.campaign(key).stop_reason)
    assert len(store.rounds(key)) == 1


def test_the_report_claims_what_the_intervals_allow(store, spec):
    key = begun(
        store, spec, highest=-0.9, relaxations=16, control=0.5, gate_audit=0.5, audit=0.4, batch=8
    )
    finish(store, key)
    said = claims(load_report_data(store, key))
    assert any(text.startswith("Learning: ") and "the control arm" in text for text in said)
    assert any(text.startswith("The acquisition: ") for text in said)
    assert any(text.startswith("False negatives of the screen: ") for text in said)


def test_a_gain_is_claimed_only_if_its_interval_excludes_zero():
    (unsure,) = gain("Learning", Count(6, 20), "control", Count(4, 20))
    assert "the interval includes zero, so no gain can be claimed" in unsure
    (sure,) = gain("Learning", Count(60, 100), "control", Count(20, 100))
    assert sure.endswith("a gain.")
    (worse,) = gain("Learning", Count(20, 100), "control", Count(60, 100))
    assert worse.endswith("a loss.")
    assert gain("Learning", Count(1, 2), "control", Count(0, 0)) == []
