"""The circuit breaker: what counts against the engine, and when the campaign pauses."""

import pytest

from gen2dft.campaign import CampaignSpec
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.breaker import engine_works
from gen2dft.rounds.ingest import begin_attempt, give_up
from gen2dft.rounds.round import Round
from gen2dft.store.documents import CandidateDoc
from gen2dft.store.store import candidate_key
from gen2dft.thermo.hull import ReferenceHull
from tests import toys


def validating(store, candidates=8, **validation):
    """A round that has queued candidates `0`, `1`, ..."""
    fields = {"engine": "toy", "preset": "toy-v1", "pause_after": 3, **validation}
    spec, dataset = (
        CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "validation": fields}),
        toys.toy_dataset(),
    )
    campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    place = {
        "campaign_id": campaign.id,
        "round_index": 0,
        "sampler": "random",
        "parents": [],
        "latent_row": 0,
    }
    for name in map(str, range(candidates)):
        store.insert_new(
            CandidateDoc(
                id=candidate_key(campaign.id, name), candidate_id=name, state="queued", **place
            )
        )
    store.move_round(campaign.id, 0, "proposing", "validating", dispatch_size=candidates)
    return Round(store, campaign.id, 0)


def fail(context, names, reason="calculation_crashed"):
    for name in names:
        give_up(context, name, reason, "no licence")
    return context.store.campaign(context.campaign_id).state


def test_failures_of_the_engine_in_a_row_pause_the_campaign_and_say_what_to_do(store):
    context = validating(store)
    assert fail(context, "01") == "running"
    assert fail(context, "2") == "paused"
    reason = store.campaign(context.campaign_id).stop_reason
    assert reason.startswith(
        "engine 'toy' failed for 3 candidates in a row, the last with calculation_crashed: no li"
    )
    assert "gen2dft advance --retry" in reason
    assert context.document.suspects == ["0", "1", "2"]


@pytest.mark.parametrize("between", ["a label", "a failure of the crystal"])
def test_a_sign_that_the_engine_works_begins_the_count_anew(store, between):
    context = validating(store)
    fail(context, "01")
    engine_works(context) if between == "a label" else fail(context, "2", "exploded")
    assert fail(context, "34") == "running"
    assert context.document.suspects == ["3", "4"]


def test_all_of_a_small_round_count_as_enough_and_null_as_never(store):
    assert fail(validating(store, candidates=2), "01") == "paused"
    assert fail(validating(store, candidates=4, pause_after=None), "0123") == "running"


def test_the_same_failure_told_twice_counts_once(store):
    assert fail(validating(store), "0011") == "running"


def test_the_engine_names_its_own_breakdowns_in_either_stage(store):
    context = validating(store, engine="vasp", preset="ggau-v1")
    assert fail(context, "0", "vasp_died") == "running"
    assert fail(context, "12", "refine_vasp_command_not_found") == "paused"


def test_nothing_begins_while_it_is_paused(store):
    context = validating(store)
    assert begin_attempt(context, "7")
    fail(context, "012")
    paused = Round(store, context.campaign_id, 0)
    assert not begin_attempt(paused, "6")
    assert store.candidate(context.campaign_id, "6").state == "queued"
