"""Another hull: every verdict that changes is shown, and what a campaign has measured stays as it
is.
"""

import pytest
from pymatgen.core import Composition

from gen2dft.campaign import CampaignSpec
from gen2dft.errors import MixedEnergies
from gen2dft.ground.hulls import get_hull
from gen2dft.review.rehull import apply, by_stage, rehull
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.round import Round
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.rounds.test_steps import up_to_dispatch, validate_all

TARGETS = [{"property": "formation_energy", "max": 5.0}, {"property": "e_above_hull", "max": 0.05}]


def toy_hull(lower: dict[str, float] | None = None, **fields) -> ReferenceHull:
    """The toys' own hull, and further phases."""
    hull = ReferenceHull.from_dataset(toys.toy_dataset(), **fields)
    return hull.joined_by([Composition(f) for f in lower or {}], list((lower or {}).values()))


@pytest.fixture
def finished(store) -> Round:
    """A validated round."""
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "targets": TARGETS})
    document, _ = begin_campaign(store, spec, toys.toy_dataset(), toy_hull())
    context = Round(store, document.id, 0)
    up_to_dispatch(context)
    validate_all(context)
    return context


def everything(context: Round) -> list[dict]:
    store = context.store
    found = [
        *store.candidates(context.campaign_id),
        *store.labels(context.campaign_id),
        *store.hits(),
    ]
    return [document.model_dump() for document in found]


def test_the_same_hull_changes_nothing(finished):
    result = rehull(finished.store, finished.campaign_id, toy_hull())
    assert result.changes == []
    assert result.old_id == result.new_id
    assert result.num_labelled == len(finished.store.labels(finished.campaign_id)) > 0
    assert result.num_screened > result.num_labelled


def test_a_deeper_phase_takes_a_hit_away(finished):
    (hit, *_) = finished.store.hits(finished.campaign_id)
    before = everything(finished)
    deeper = toy_hull({hit.formula: hit.values["formation_energy"] - 0.6})
    result = rehull(finished.store, finished.campaign_id, deeper)
    changes = by_stage(result)
    (lost,) = [change for change in changes["targets"] if change.candidate_id == hit.candidate_id]
    assert (lost.before, lost.after) == ("hit", "misses_e_above_hull")
    assert lost.e_after == pytest.approx(0.6)
    assert lost.e_before == pytest.approx(hit.values["e_above_hull"])
    (screened,) = [
        change for change in changes["screen"] if change.candidate_id == hit.candidate_id
    ]
    assert (screened.before, screened.after) == ("passed", "above_hull")
    assert everything(finished) == before


def test_a_hull_that_covers_less_gives_no_number(finished):
    (hit, *_) = finished.store.hits(finished.campaign_id)
    result = rehull(
        finished.store, finished.campaign_id, ReferenceHull.build([Composition("WC")], [-1.0])
    )
    (lost,) = [c for c in by_stage(result)["targets"] if c.candidate_id == hit.candidate_id]
    assert (lost.after, lost.e_after) == ("misses_e_above_hull", None)
    assert result.distances == {}


def test_applied_distances_stand_beside_the_old_ones(finished):
    (hit, *_) = finished.store.hits(finished.campaign_id)
    deeper = toy_hull({hit.formula: hit.values["formation_energy"] - 0.6})
    before = {label.id: label for label in finished.store.labels(finished.campaign_id)}
    result = rehull(finished.store, finished.campaign_id, deeper)
    for _ in range(2):
        apply(finished.store, result, deeper, "test")
    for label in finished.store.labels(finished.campaign_id):
        assert label.other_hulls == {result.new_id: pytest.approx(result.distances[label.id])}
        assert label.model_copy(update={"other_hulls": {}}) == before[label.id]
    assert get_hull(finished.store, result.new_id).hull_hash == deeper.hull_hash
    hits = {found.candidate_id: found for found in finished.store.hits(finished.campaign_id)}
    assert {key: found.other_hulls for key, found in hits.items()} == {
        key: {result.new_id: verdict} for key, verdict in result.hits.items()
    }
    lost = hits[hit.candidate_id]
    assert lost.other_hulls == {result.new_id: "misses_e_above_hull"}
    assert lost.model_copy(update={"other_hulls": {}}) == hit
    assert result.num_lost >= 1


def test_a_hull_of_another_scale_is_refused(finished):
    with pytest.raises(
        MixedEnergies,
        match=r"labels of toy-.* are on scale 'materials-project' and the hull on 'gpaw:PBE'",
    ):
        rehull(finished.store, finished.campaign_id, toy_hull(scale="gpaw:PBE"))
