"""The steps of a round with toys: counted completely, repeatable, and the same for the same
seed.
"""

from datetime import timedelta

import numpy as np
import pytest
from pymatgen.core import Composition, Structure

from gen2dft.campaign import CampaignSpec
from gen2dft.crystals import CrystalTable
from gen2dft.engines.base import CalculationDoc
from gen2dft.engines.kit import run_task
from gen2dft.funnel import AFTER_GATES, BEFORE_GATES
from gen2dft.loop.bias import PRIOR_CRYSTALS
from gen2dft.loop.shortlist import ENERGY
from gen2dft.rounds.begin import begin_campaign, begin_round
from gen2dft.rounds.close import try_close
from gen2dft.rounds.ingest import begin_attempt, ingest
from gen2dft.rounds.judging import open_properties
from gen2dft.rounds.learner import read_learner
from gen2dft.rounds.propose import propose
from gen2dft.rounds.reuse import start_of
from gen2dft.rounds.round import Round
from gen2dft.rounds.screen import finish_screen, screen_chunk
from gen2dft.rounds.select import read_verdicts, select
from gen2dft.rounds.train import train
from gen2dft.rounds.view import view_to_propose
from gen2dft.store.documents import now
from gen2dft.symmetry import EXACT, space_group_symbol
from gen2dft.thermo.hull import ReferenceHull
from tests import toys


def up_to_dispatch(context):
    train(context)
    survivors = propose(context)
    screen_chunk(context, survivors)
    select(context, finish_screen(context, survivors).model_dump())
    return survivors


def calculations(context, candidate_id):
    structure = Structure.from_dict(
        context.store.candidate(context.campaign_id, candidate_id).structure
    )
    relaxed = run_task("relax", toys.TOY_ENGINE, "toy-v1", structure, None)
    return [relaxed, run_task("static", toys.TOY_ENGINE, "toy-v1", None, relaxed)]


def queued(context):
    return [
        doc.candidate_id for doc in context.store.candidates(context.campaign_id, state="queued")
    ]


def validate_all(context):
    for key in queued(context):
        begin_attempt(context, key)
        ingest(context, key, calculations(context, key))


def check_funnel(context):
    funnel = context.document.funnel
    assert [stage.n_out for stage in funnel[:-1]] == [stage.n_in for stage in funnel[1:]]
    counted = sum(sum(stage.reasons.values()) for stage in funnel) + funnel[-1].n_out
    assert (
        counted
        == funnel[0].n_in
        == sum(context.store.state_counts(context.campaign_id, context.index).values())
    )


def check_hits_tell_of_the_hull(context, hits):
    hull = ReferenceHull.from_dataset(context.base)
    for hit in hits:
        composition = Composition(hit.formula)
        assert hit.compounds == hull.compounds(composition.get_el_amt_dict())
        assert hit.known_formula is hull.knows(composition)


def test_a_whole_round_is_counted_completely(context):
    up_to_dispatch(context)
    validate_all(context)
    assert try_close(context)
    names = [stage.stage for stage in context.document.funnel]
    assert names[:2] == ["sample", "invert"]
    assert names[-5:] == ["surrogate", "select", "validate", "targets", "distinct"]
    assert names == [*BEFORE_GATES, *dict(context.spec.screening.plan), *AFTER_GATES]
    check_funnel(context)
    hits = context.store.hits(context.campaign_id)
    assert context.document.funnel[-2].n_out == len(hits) > 0
    assert context.document.funnel[-1].n_out == sum(hit.same_as is None for hit in hits) > 0
    check_hits_tell_of_the_hull(context, hits)


def test_candidates_that_a_gate_weighed_are_screened_and_keep_their_weight(store):
    """The toys' hull has no correction, so the weight counts in the choice as well."""
    gates = ["geometry", {"elements": {"mode": "weigh", "ratio": 0.25}}, "duplicates"]
    screening = {**toys.TOY_CAMPAIGN["screening"], "gates": gates, "novelty": "structure"}
    screening["excluded_elements"] = ["Na"]
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "screening": screening})
    dataset = toys.toy_dataset()
    campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, campaign.id, 0)
    train(context)
    screen_chunk(context, propose(context))
    weights = {verdict.candidate_id: verdict.weight for verdict in read_verdicts(context)}
    assert set(weights.values()) == {0.25, 1.0}
    for key, weight in weights.items():
        candidate = store.candidate(campaign.id, key)
        has_sodium = "Na" in Composition(candidate.formula)
        assert candidate.weighed == ({"element_not_allowed": 0.25} if has_sodium else {})
        assert candidate.weight == weight
    (stage,) = [stage for stage in context.document.funnel if stage.stage == "elements"]
    assert stage.weighed["element_not_allowed"] >= list(weights.values()).count(0.25)


def test_the_next_round_shifts_energies_by_what_the_potential_said(context):
    """By a little less than the mean residual of all crystals that the screen relaxed."""
    up_to_dispatch(context)
    assert set(view_to_propose(context).energy_shifts.values()) == {0.0}
    validate_all(context)
    assert try_close(context)
    begin_round(context.store, context.campaign_id, 1)
    later = Round(context.store, context.campaign_id, 1)
    train(later)
    view = view_to_propose(later)
    (arm,) = view.arms
    screened = context.store.candidates(context.campaign_id, surrogate={"$ne": None})
    relaxed = [doc for doc in screened if doc.verdict.formation_energy is not None]
    table = CrystalTable.from_structures(Structure.from_dict(doc.structure) for doc in relaxed)
    found = np.array([doc.verdict.formation_energy for doc in relaxed])
    residuals = found - arm.model.head.predict(table).values[ENERGY]
    weight = len(relaxed) / (len(relaxed) + PRIOR_CRYSTALS)
    assert view.energy_shifts == {arm.key: pytest.approx(weight * residuals.mean())}


def test_validation_starts_from_the_symmetric_cell(context):
    """What passed the screen says what was found, and the structure has that symmetry."""
    up_to_dispatch(context)
    passed = [context.store.candidate(context.campaign_id, key) for key in queued(context)]
    assert passed
    for candidate in passed:
        start = start_of(candidate)
        record = candidate.verdict.symmetry
        assert start == Structure.from_dict(candidate.verdict.structure)
        assert space_group_symbol(start, EXACT) == record.space_group
        assert len(start) == record.num_sites <= record.num_sites_before
    assert any(not candidate.verdict.symmetry.kept for candidate in passed)


def test_every_step_can_be_repeated_without_changing_anything(context):
    survivors = up_to_dispatch(context)
    validate_all(context)
    before = [doc.model_dump() for doc in context.store.candidates(context.campaign_id)]
    labels = [doc.model_dump() for doc in context.store.labels(context.campaign_id)]
    snapshot = context.document.snapshot_id
    again = Round(context.store, context.campaign_id, 0)
    assert train(again) == snapshot
    propose(again)
    screen_chunk(again, survivors)
    select(again, finish_screen(again, survivors).model_dump())
    for doc in context.store.candidates(context.campaign_id, state={"$in": ["labelled", "hit"]}):
        ingest(again, doc.candidate_id, calculations(context, doc.candidate_id))
    assert [doc.model_dump() for doc in context.store.candidates(context.campaign_id)] == before
    assert [doc.model_dump() for doc in context.store.labels(context.campaign_id)] == labels


def test_an_interrupted_selection_chooses_the_same_again(context, monkeypatch):
    train(context)
    survivors = propose(context)
    screen_chunk(context, survivors)
    count = finish_screen(context, survivors).model_dump()
    follow, followed = context.store.tally.follow, []

    def dies_half_way(keys):
        if followed:
            raise RuntimeError("killed")
        followed.append(keys)
        follow(keys)

    monkeypatch.setattr("gen2dft.store.store.AT_ONCE", 5)
    monkeypatch.setattr(context.store.tally, "follow", dies_half_way)
    with pytest.raises(RuntimeError, match="killed"):
        select(context, count)
    monkeypatch.setattr(context.store.tally, "follow", follow)
    select(context, count)
    assert context.store.tally.recount(context.campaign_id) == 0
    assert len(queued(context)) == context.document.dispatch_size == 6
    assert context.document.state == "validating"


def test_same_seed_same_candidates_and_another_seed_others(store, spec):
    dataset = toys.toy_dataset()
    ids = []
    for seed, other in ((0, {}), (0, {"learning": {"batch": 5}}), (1, {})):
        variant = spec.model_validate({**toys.TOY_CAMPAIGN, **other, "seed": seed})
        campaign, _ = begin_campaign(store, variant, dataset, ReferenceHull.from_dataset(dataset))
        context = Round(store, campaign.id, 0)
        train(context)
        propose(context)
        ids.append({doc.candidate_id for doc in store.candidates(campaign.id)})
    assert ids[0] == ids[1]
    assert ids[0].isdisjoint(ids[2])


def test_beginning_a_campaign_again_adds_nothing(store, spec, context):
    dataset = toys.toy_dataset()
    campaign, created = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    assert not created
    assert campaign.id == context.campaign_id
    assert not begin_round(store, campaign.id, 0)


def test_a_failed_candidate_keeps_its_reason_and_stops_nothing(context):
    up_to_dispatch(context)
    first, second, *_ = queued(context)
    assert ingest(context, first, [None, None]) == "given_up:calculation_crashed"
    unfinished = calculations(context, second)
    unfinished[0] = unfinished[0].model_copy(update={"converged": False})
    assert isinstance(unfinished[0], CalculationDoc)
    assert ingest(context, second, unfinished) == "given_up:not_converged"
    validate_all(context)
    assert try_close(context)
    reasons = {stage.stage: stage.reasons for stage in context.document.funnel}
    assert reasons["validate"]["calculation_crashed"] == reasons["validate"]["not_converged"] == 1
    check_funnel(context)


def test_a_candidate_whose_worker_dies_again_and_again_is_given_up(context):
    up_to_dispatch(context)
    key = queued(context)[0]
    assert [begin_attempt(context, key) for _ in range(3)] == [True, True, False]
    assert context.store.candidate(context.campaign_id, key).state == "given_up:too_many_attempts"


def test_a_round_closes_once_and_the_campaign_goes_on_to_its_end(context):
    up_to_dispatch(context)
    assert not try_close(context)
    validate_all(context)
    assert [try_close(context) for _ in range(3)] == [True, False, False]
    second = Round(context.store, context.campaign_id, 1)
    assert len(read_learner(second).known) == len(context.base) + len(
        context.store.labels(context.campaign_id)
    )
    up_to_dispatch(second)
    assert second.document.training["warm"]
    validate_all(second)
    assert try_close(second)
    check_funnel(second)
    campaign = context.store.campaign(context.campaign_id)
    assert (campaign.state, campaign.stop_reason) == ("finished", "all 2 rounds are done")


def test_no_crystal_is_computed_twice_over_the_rounds(context):
    up_to_dispatch(context)
    validate_all(context)
    try_close(context)
    up_to_dispatch(Round(context.store, context.campaign_id, 1))
    sent = context.store.candidates(context.campaign_id, surrogate={"$ne": None})
    formulas = [doc.formula for doc in sent if not doc.state.startswith("rejected:relaxation")]
    assert len(formulas) == len(set(formulas))


def test_quorum_closes_a_round_and_the_stragglers_label_still_counts(store, spec):
    dataset = toys.toy_dataset()
    loose = spec.model_validate(
        {**toys.TOY_CAMPAIGN, "learning": {"rounds": 2, "batch": 6, "quorum": 0.8}}
    )
    campaign, _ = begin_campaign(store, loose, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, campaign.id, 0)
    up_to_dispatch(context)
    *most, last = queued(context)
    for key in most:
        ingest(context, key, calculations(context, key))
    assert try_close(context)
    check_funnel(context)
    labels = len(store.labels(campaign.id))
    assert ingest(context, last, calculations(context, last)) in ("labelled", "hit")
    assert len(read_learner(Round(store, campaign.id, 1)).known) == len(dataset) + labels + 1


def test_a_deadline_closes_a_round_and_gives_up_what_never_answered(store, spec):
    dataset = toys.toy_dataset()
    late = spec.model_validate(
        {**toys.TOY_CAMPAIGN, "learning": {"rounds": 2, "batch": 6, "deadline_hours": 1}}
    )
    campaign, _ = begin_campaign(store, late, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, campaign.id, 0)
    up_to_dispatch(context)
    *most, silent = queued(context)
    for key in most:
        ingest(context, key, calculations(context, key))
    begin_attempt(context, silent)
    assert not try_close(context)
    context.update(dispatched=now() - timedelta(hours=2))
    assert try_close(context)
    check_funnel(context)
    candidate = store.candidate(campaign.id, silent)
    assert (candidate.state, candidate.failure) == (
        "given_up:unfinished",
        "the round's deadline passed first",
    )
    assert not begin_attempt(context, silent)
    assert ingest(context, silent, calculations(context, silent)) in ("labelled", "hit")


def test_what_is_still_open_when_the_campaign_ends_is_given_up(store, spec):
    dataset = toys.toy_dataset()
    loose = spec.model_validate(
        {**toys.TOY_CAMPAIGN, "learning": {"rounds": 1, "batch": 6, "quorum": 0.5}}
    )
    campaign, _ = begin_campaign(store, loose, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, campaign.id, 0)
    up_to_dispatch(context)
    for key in queued(context)[:4]:
        ingest(context, key, calculations(context, key))
    assert try_close(context)
    assert store.campaign(campaign.id).state == "finished"
    assert store.state_counts(campaign.id)["given_up:unfinished"] == 2
    check_funnel(context)


def test_an_open_target_is_neither_predicted_nor_missed(store, spec):
    dataset = toys.toy_dataset()
    targets = [*toys.TOY_CAMPAIGN["targets"], {"property": "band_gap", "min": 1.0}]
    wider = spec.model_validate({**toys.TOY_CAMPAIGN, "targets": targets})
    campaign, _ = begin_campaign(store, wider, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, campaign.id, 0)
    assert read_learner(context).heads(context.spec) == ("formation_energy",)
    up_to_dispatch(context)
    assert open_properties(context) == {"band_gap"}
    validate_all(context)
    assert try_close(context)
    hits = store.hits(campaign.id)
    assert hits
    assert {(hit.values["band_gap"], hit.basis["band_gap"]) for hit in hits} == {(None, "open")}


def test_too_few_labels_are_refused_unless_the_campaign_leaves_targets_open(monkeypatch, spec):
    from gen2dft.errors import DatasetError
    from gen2dft.rounds import prepare

    monkeypatch.setattr(prepare, "load_dataset", lambda *args, **kwargs: toys.toy_dataset())
    targets = [*toys.TOY_CAMPAIGN["targets"], {"property": "band_gap", "min": 1.0}]
    strict = spec.model_validate({**toys.TOY_CAMPAIGN, "targets": targets})
    with pytest.raises(DatasetError, match=r"band_gap: 0 of 8 crystals"):
        prepare.prepare(strict)
    loose = spec.model_validate(
        {
            **toys.TOY_CAMPAIGN,
            "targets": targets,
            "dataset": {"min_labels": 5, "few_labels": "leave-open"},
        }
    )
    assert len(prepare.prepare(loose)[0]) == 8
    nothing = loose.model_validate({**loose.model_dump(by_alias=True), "targets": targets[1:]})
    with pytest.raises(DatasetError, match="too few labels"):
        prepare.prepare(nothing)
