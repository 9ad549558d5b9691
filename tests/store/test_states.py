import re
from dataclasses import FrozenInstanceError

import pytest

from gen2dft.errors import StoreError
from gen2dft.store.documents import CandidateDoc
from gen2dft.store.states import KINDS, REACHED_FROM, WITH_REASON, Kind, State

ALL = [State(kind, "why" if kind in WITH_REASON else None) for kind in Kind]


@pytest.mark.parametrize("state", ALL, ids=str)
def test_a_state_survives_the_way_through_the_database(state):
    assert State.parse(str(state)) == state
    assert type(str(state)) is str


def test_a_reason_may_hold_a_colon():
    state = State.parse("given_up:engine:crashed")
    assert (state.kind, state.reason) == (Kind.GIVEN_UP, "engine:crashed")


def test_text_is_what_databases_hold():
    assert str(State.rejected("above_hull")) == "rejected:above_hull"
    assert str(State(Kind.QUEUED)) == "queued"


@pytest.mark.parametrize("text", ["rejected", "given_up", "given_up:", "queued:why", "hit:why"])
def test_a_reason_belongs_to_those_that_went_no_further(text):
    with pytest.raises(StoreError, match="and only these, carry a reason"):
        State.parse(text)


def test_an_unknown_state_is_refused_with_the_choices():
    with pytest.raises(
        StoreError, match=r"candidate state 'labeled' .*\['given_up', .*mean 'labelled'"
    ):
        State.parse("labeled")


def test_a_state_does_not_change():
    with pytest.raises(FrozenInstanceError):
        State(Kind.QUEUED).kind = Kind.HIT


def test_questions():
    assert [str(s.kind) for s in ALL if s.is_open] == ["queued", "running"]
    assert [str(s.kind) for s in ALL if s.is_labelled] == ["labelled", "hit"]
    assert [s.rejection for s in ALL if s.rejection] == ["why"]


@pytest.mark.parametrize("state", ALL, ids=str)
def test_the_query_finds_the_states_that_lead_here(state):
    pattern = re.compile(state.earlier()["$regex"])
    found = [other.kind for other in ALL if pattern.search(str(other))]
    assert found == [kind for kind in Kind if kind in REACHED_FROM[state.kind]]


def test_every_kind_has_its_place_in_the_order():
    assert set(REACHED_FROM) == set(KINDS)


def test_a_candidate_tells_where_it_stands():
    candidate = CandidateDoc(
        id="camp:c", campaign_id="camp", candidate_id="c", round_index=0, sampler="local",
        parents=[], latent_row=0, state="rejected:above_hull",
    )  # fmt: skip
    assert candidate.standing == State(Kind.REJECTED, "above_hull")
    assert candidate.to_mongo()["state"] == "rejected:above_hull"
