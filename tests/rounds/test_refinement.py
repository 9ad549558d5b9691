"""Which candidates go on to the second stage, and what becomes of its result."""

import pytest
from pymatgen.core import Structure

from gen2dft.campaign import CampaignSpec
from gen2dft.engines.base import CalculationFailure
from gen2dft.engines.kit import run_task
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.ingest import ingest, wants_refinement
from gen2dft.rounds.labelling import make_label
from gen2dft.rounds.round import Round
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.rounds.test_steps import queued, up_to_dispatch


def campaign(store, limit) -> Round:
    refine = {"preset": "toy-fine-v1", "max_e_above_hull": limit}
    validation = {"engine": "toy", "preset": "toy-v1", "refine": refine}
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "validation": validation})
    dataset = toys.toy_dataset()
    document, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, document.id, 0)
    up_to_dispatch(context)
    return context


def stage(context, candidate_id, preset="toy-v1", converged=True):
    structure = Structure.from_dict(
        context.store.candidate(context.campaign_id, candidate_id).structure
    )
    relaxed = run_task("relax", toys.TOY_ENGINE, preset, structure, None)
    found = [relaxed, run_task("static", toys.TOY_ENGINE, preset, None, relaxed)]
    return [calc.model_copy(update={"converged": converged}) for calc in found]


def test_the_limit_is_that_of_the_sampling_method(store):
    context = campaign(store, {"local": -9.0, "random": 9.0, "slerp": 0.0})
    methods = {
        key: context.store.candidate(context.campaign_id, key).sampler for key in queued(context)
    }
    assert set(methods.values()) == {"local", "random"}
    wanted = {key: wants_refinement(context, key, stage(context, key)) for key in methods}
    assert wanted == {key: method == "random" for key, method in methods.items()}


def test_what_failed_or_has_no_second_stage_is_not_refined(store, context):
    two_stages = campaign(store, 9.0)
    key = queued(two_stages)[0]
    assert wants_refinement(two_stages, key, stage(two_stages, key))
    assert not wants_refinement(two_stages, key, stage(two_stages, key, converged=False))
    assert not wants_refinement(
        two_stages, key, [CalculationFailure(reason="exploded", detail="-"), None]
    )
    up_to_dispatch(context)
    assert not wants_refinement(context, queued(context)[0], stage(context, queued(context)[0]))


def test_the_label_is_the_second_stages_and_keeps_the_firsts_figures(store):
    context = campaign(store, 9.0)
    key = queued(context)[0]
    first, fine = stage(context, key), stage(context, key, "toy-fine-v1")
    ingest(context, key, first, fine)
    (label,) = store.labels(context.campaign_id)
    assert (label.preset, label.settings_hash) == ("toy-fine-v1", "toyfine")
    coarse = make_label(footing_of(context), key, first)
    assert label.provenance["first_stage"] == {
        "preset": "toy-v1", "settings_hash": "toyhash", "values": coarse.values,
    }  # fmt: skip
    assert label.core_hours == pytest.approx(sum(calc.core_hours for calc in [*first, *fine]))


def test_a_failure_of_the_second_stage_is_told_apart(store):
    context = campaign(store, 9.0)
    first, second, *_ = queued(context)
    assert (
        ingest(context, first, stage(context, first), [None, None])
        == "given_up:refine_calculation_crashed"
    )
    unfinished = stage(context, second, "toy-fine-v1", converged=False)
    assert (
        ingest(context, second, stage(context, second), unfinished)
        == "given_up:refine_not_converged"
    )
    assert not store.labels(context.campaign_id)
