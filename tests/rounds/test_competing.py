"""Who judges stability where competing phases are computed."""

from __future__ import annotations

import competing_toys
import pytest
from competing_toys import CAMPAIGN, told_engine, waiting

from gen2dft.campaign import CampaignSpec
from gen2dft.ground.roles import asks_engine_for_energies, energies_by
from gen2dft.rounds.judging import Said, missed_target, values_and_basis
from gen2dft.rounds.prepare import check_validation
from gen2dft.store.documents import StoredVerdict
from tests import toys

VERDICT = StoredVerdict(engine="toy", formation_energy=-1.0, e_above_hull=0.02)


@pytest.fixture
def store(monkeypatch):
    told_engine(monkeypatch)
    return competing_toys.new_store()


def said(value, *, by_dft):
    basis = {} if by_dft else {"e_above_hull": "toy"}
    values = {"e_above_hull": value}
    return Said({}, "told", values, basis, VERDICT, is_decomposed=by_dft)


def judged(by, **validation):
    target = {**CAMPAIGN["targets"][0], "by": by}
    fields = {**CAMPAIGN["validation"], **validation}
    return CampaignSpec.model_validate({**CAMPAIGN, "targets": [target], "validation": fields})


@pytest.mark.parametrize("by", ["screen", None, "engine", "both"])
def test_a_decomposition_energy_counts_whoever_judged_before(store, by):
    context = waiting(store)
    context.__dict__["spec"] = judged(by)
    assert missed_target(context, said(0.01, by_dft=True)) is None
    assert missed_target(context, said(0.1, by_dft=True)) == "e_above_hull"
    _, basis = values_and_basis(context, said(0.01, by_dft=True))
    assert basis["e_above_hull"] == "told"


@pytest.mark.parametrize(
    ("by", "missed"),
    [("screen", None), (None, None), ("engine", "e_above_hull"), ("both", "e_above_hull")],
)
def test_without_one_the_screens_distance_stands_unless_the_engine_is_named(store, by, missed):
    context = waiting(store)
    context.__dict__["spec"] = judged(by)
    assert missed_target(context, said(0.02, by_dft=False)) == missed


def test_competing_phases_need_no_references_of_the_elements(store):
    spec = judged("engine")
    assert not asks_engine_for_energies(spec) and energies_by(spec) == "screen"
    assert check_validation(spec, toys.toy_dataset()) == ()
    assert asks_engine_for_energies(judged("engine", competing=False))


def test_a_key_that_is_not_used_leaves_ids_of_campaigns_alone(store):
    dumped = judged("screen", competing=False).model_dump(by_alias=True)
    assert not {"competing", "competing_structures"} & set(dumped["validation"])
