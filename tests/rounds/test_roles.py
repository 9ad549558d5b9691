"""Who judges what: DFT computes gaps, a surrogate tells stability, each value keeps its basis."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pymatgen.core import Structure

from gen2dft import engines
from gen2dft.engines.base import without_references
from gen2dft.errors import CampaignError
from gen2dft.ground.footing import Footing
from gen2dft.ground.roles import check_roles, energies_by, with_stability_by_the_screen
from gen2dft.review.rehull import rehull
from gen2dft.rounds.begin import begin_campaign, begin_round
from gen2dft.rounds.close import last_stages, may_close
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.ingest import ingest
from gen2dft.rounds.judging import Said, missed_target, values_and_basis
from gen2dft.rounds.prepare import check_validation
from gen2dft.rounds.round import Round
from gen2dft.rounds.view import surrogate_errors
from gen2dft.store.documents import HitDoc, StoredVerdict, stored_evidence
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.rounds.test_ingest import calculations, only_label
from tests.rounds.test_steps import queued, up_to_dispatch

GAP = {"property": "band_gap", "min": 1.0}
STABLE = {"property": "e_above_hull", "max": 9.0, "by": "screen"}
# What is known of such a crystal: a gap by DFT, its energies by nobody but the toys.
FREE = replace(
    toys.TOY_ENGINE,
    name="free-dft",
    is_dft=True,
    provides=frozenset({"formation_energy", "e_above_hull", "band_gap"}),
    formation_energy=without_references("free-dft"),
    scale=None,
    makers=None,
)


@pytest.fixture(autouse=True)
def _free_dft(monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "free-dft", lambda: FREE)


@pytest.fixture
def with_targets(spec):
    """A campaign with these targets, by default with the DFT engine."""

    def changed(*targets, engine="free-dft", **parts):
        content = {**toys.TOY_CAMPAIGN, "targets": targets, "validation": {"engine": engine}}
        return spec.model_validate({**content, **parts})

    return changed


@pytest.fixture
def begun(store):
    """Takes a campaign's first round to validation; the round and a queued candidate."""

    def begin(spec, **hull):
        dataset = toys.toy_dataset()
        against = ReferenceHull.from_dataset(dataset, **{"scale": "materials-project", **hull})
        campaign, _ = begin_campaign(store, spec, dataset, against)
        context = Round(store, campaign.id, 0)
        up_to_dispatch(context)
        return context, queued(context)[0]

    return begin


def by_dft(context, key, **changes):
    """Calculations of a candidate by the DFT engine, whose total energies mean nothing here."""
    changes = {"engine": "free-dft", "is_dft": True, "energy_per_atom": -99.0, **changes}
    return [calc.model_copy(update=changes) for calc in calculations(context, key)]


def test_a_label_has_the_gap_of_dft_and_the_energies_of_the_screen(with_targets, begun):
    context, key = begun(with_targets(GAP, STABLE))
    assert ingest(context, key, by_dft(context, key)) == "hit"
    label = only_label(context, key)
    verdict = context.store.candidate(context.campaign_id, key).verdict
    assert label.values == {
        "band_gap": 1.5,
        "formation_energy": verdict.formation_energy,
        "e_above_hull": verdict.e_above_hull,
    }
    assert label.basis == {"formation_energy": "toy", "e_above_hull": "toy"}
    assert (label.engine, label.is_dft, label.energy_per_atom) == ("free-dft", True, -99.0)
    assert label.hull_id == footing_of(context).screen_hull.hull_hash
    (hit,) = context.store.hits(context.campaign_id)
    assert hit.basis == {"band_gap": "free-dft", "e_above_hull": "toy"}
    assert (hit.evidence, hit.is_dft) == ("mixed", False)


def test_scales_are_no_concern_where_the_screen_judges_energies(with_targets):
    dataset = toys.toy_dataset()
    assert check_validation(with_targets(GAP, STABLE), dataset) == ()
    assert check_validation(with_targets(GAP), dataset) == ()
    asked = with_targets(GAP, {**STABLE, "by": "engine"})
    with pytest.raises(CampaignError, match="as `--engine free-dft` does by itself"):
        check_validation(asked, dataset)


@pytest.mark.parametrize(
    ("targets", "engine", "hull", "judge"),
    [
        ([STABLE], "free-dft", {}, "screen"),
        ([STABLE], "toy", {}, "screen"),
        ([GAP], "free-dft", {}, "screen"),
        ([GAP], "toy", {}, "engine"),
        ([{**STABLE, "by": None}], "free-dft", {}, "engine"),
        ([{**STABLE, "by": "both"}], "toy", {}, "engine"),
        ([GAP], "free-dft", {"source": "engine"}, "engine"),
    ],
)
def test_whose_energies_labels_carry(with_targets, targets, engine, hull, judge):
    assert energies_by(with_targets(*targets, engine=engine, hull=hull)) == judge


def test_targets_that_say_nothing_go_to_the_screen_where_energies_cannot_meet(with_targets):
    silent = {"property": "formation_energy", "max": 0.0}
    told = {**STABLE, "by": "engine"}
    settled = with_stability_by_the_screen(with_targets(GAP, silent, told))
    assert [target.by for target in settled.targets] == [None, "screen", "engine"]
    for spec in (
        with_targets(silent, engine="toy"),
        with_targets(silent, hull={"source": "engine"}),
    ):
        assert with_stability_by_the_screen(spec) == spec


def test_references_alone_do_not_bring_energies_onto_a_corrected_hull(with_targets):
    silent = {"property": "formation_energy", "max": 0.0}
    references = dict.fromkeys((*toys.CATIONS, *toys.ANIONS), -1.0)
    validation = {"engine": "free-dft", "references": references}
    on_starter = with_targets(silent, validation=validation)
    assert with_stability_by_the_screen(on_starter).targets[0].by == "screen"
    own = with_targets(silent, validation=validation, hull={"source": "own.json"})
    assert with_stability_by_the_screen(own) == own


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({**GAP, "by": "engine"}, r"'band_gap' is judged `by: engine`, but engine 'toy' computes"),
        ({**STABLE, "by": "both"}, None),
    ],
)
def test_a_judge_must_compute_the_property(with_targets, target, message):
    spec = with_targets(target, engine="toy")
    if message is None:
        check_roles(spec)
        return
    with pytest.raises(CampaignError, match=f"{message}.*--engine gpaw"):
        check_roles(spec)


@pytest.mark.parametrize("by", ["screen", "both"])
def test_the_screen_knows_energies_alone(with_targets, by):
    with pytest.raises(ValueError, match=r"the screen tells formation_energy and e_above_hull"):
        with_targets({**GAP, "by": by})


def said(engine="free-dft", **computed):
    verdict = StoredVerdict(engine="toy", formation_energy=-1.0, e_above_hull=0.02)
    return Said({"band_gap": 0.7, "e_above_hull": 0.02}, engine, computed, {}, verdict)


def test_both_must_meet_the_target(with_targets, begun):
    target = {"property": "e_above_hull", "by": "both"}
    context, _ = begun(with_targets({**target, "max": 0.03}, engine="toy"))
    assert missed_target(context, said("toy", e_above_hull=0.01)) is None
    assert missed_target(context, said("toy", e_above_hull=0.05)) == "e_above_hull"
    strict = context.spec.model_validate(
        {**context.spec.model_dump(by_alias=True), "targets": [{**target, "max": 0.015}]}
    )
    context.__dict__["spec"] = strict
    assert missed_target(context, said("toy", e_above_hull=0.01)) == "e_above_hull"
    values, basis = values_and_basis(context, said("toy", e_above_hull=0.01))
    assert (values["e_above_hull"], basis["e_above_hull"]) == (0.01, "toy")


def test_a_prediction_counts_where_the_target_says_so_and_nowhere_else(with_targets, begun):
    context, _ = begun(with_targets({**GAP, "min": 0.5, "by": "prediction"}, STABLE))
    # The head says 0.7 eV, DFT 0.1.
    assert missed_target(context, said(band_gap=0.1)) is None
    values, basis = values_and_basis(context, said(band_gap=0.1))
    assert (values["band_gap"], basis["band_gap"]) == (0.7, "predicted")
    by_engine = context.spec.model_dump(by_alias=True)
    by_engine["targets"][0]["by"] = "engine"
    context.__dict__["spec"] = context.spec.model_validate(by_engine)
    assert missed_target(context, said()) == "band_gap"
    assert missed_target(context, said(band_gap=0.6)) is None


def test_a_crystal_that_the_screens_hull_does_not_cover_misses(with_targets, begun):
    context, key = begun(with_targets(GAP, STABLE))
    context.store.set_candidate(
        context.campaign_id, key, **{"surrogate.e_above_hull": None, "surrogate.detail": "no Xe"}
    )
    assert ingest(context, key, by_dft(context, key)) == "labelled"
    label = only_label(context, key)
    assert "e_above_hull" not in label.values and "e_above_hull" not in label.basis
    assert "no distance to the hull: no Xe" in label.warnings
    assert last_stages(context)[1].reasons == {"misses_e_above_hull": 1}


def test_all_targets_by_dft_make_evidence_dft(with_targets, begun):
    context, key = begun(with_targets(GAP))
    assert ingest(context, key, by_dft(context, key)) == "hit"
    (hit,) = context.store.hits(context.campaign_id)
    assert (hit.evidence, hit.is_dft) == ("dft", True)


def test_targets_by_a_surrogate_alone_make_evidence_surrogate(begun, with_targets):
    context, key = begun(with_targets(STABLE, engine="toy"))
    ingest(context, key, calculations(context, key))
    (hit,) = context.store.hits(context.campaign_id)
    assert (hit.evidence, hit.is_dft) == ("surrogate", False)


@pytest.mark.parametrize(
    ("is_dft", "basis", "evidence"),
    [
        (True, {"band_gap": "vasp"}, "dft"),
        (False, {"band_gap": "vasp", "power_factor": "predicted"}, "mixed"),
        (False, {"e_above_hull": "mlip", "power_factor": "predicted"}, "surrogate"),
        (False, {"e_above_hull": "another", "power_factor": "open"}, "surrogate"),
    ],
)
def test_hits_of_older_versions_have_evidence_too(with_targets, begun, is_dft, basis, evidence):
    context, key = begun(with_targets(GAP))
    ingest(context, key, by_dft(context, key))
    (stored,) = context.store.database.hits.find()
    del stored["evidence"]
    values = dict.fromkeys(basis, 1.0)
    older = {**stored, "is_dft": is_dft, "basis": basis, "values": values}
    assert stored_evidence(older) == HitDoc.from_mongo(older).evidence == evidence


def test_a_copied_energy_tells_nothing_of_the_surrogates_error(with_targets, begun):
    context, _ = begun(with_targets(GAP, STABLE))
    for key in queued(context):
        ingest(context, key, by_dft(context, key))
    later = Round(context.store, context.campaign_id, 1)
    labels = context.store.labels(context.campaign_id)
    assert len(labels) >= 5
    assert surrogate_errors(later, labels) == {}


@pytest.mark.parametrize(("same_hull", "joined"), [(True, 1), (False, 0)])
def test_the_screens_energies_join_no_hull_of_another_scale(with_targets, begun, same_hull, joined):
    context, key = begun(with_targets(GAP, STABLE, hull={"own_phases": True}))
    ingest(context, key, by_dft(context, key))
    campaign = context.campaign
    if not same_hull:
        campaign = campaign.model_copy(update={"screen_hull_id": "another"})
    begin_round(context.store, campaign.id, 1)
    later = Footing(context.store, campaign, context.spec, 1)
    assert later.hull.num_entries == footing_of(context).hull.num_entries + joined


def test_rehull_measures_the_screens_energies_on_their_own_scale(with_targets, begun, store):
    context, key = begun(with_targets(GAP, {**STABLE, "max": 0.4}))
    ingest(context, key, by_dft(context, key))
    compound = Structure.from_dict(only_label(context, key).structure).composition
    elements = {element.symbol: 1.0 for element in compound.elements}
    phases = [*({symbol: 1.0} for symbol in elements), elements]
    lower = ReferenceHull.build(phases, [0.0, 0.0, -9.0], scale="materials-project")
    result = rehull(store, context.campaign_id, lower)
    (change,) = [change for change in result.changes if change.stage == "targets"]
    assert (change.before, change.after) == ("hit", "misses_e_above_hull")


def test_the_last_round_of_dft_waits_for_what_is_still_open(with_targets, begun):
    learning = {**toys.TOY_CAMPAIGN["learning"], "quorum": 0.2}
    context, key = begun(with_targets(GAP, STABLE, learning=learning))
    ingest(context, key, by_dft(context, key))
    ingest(context, queued(context)[0], [None, None])
    assert may_close(context, context.document)
    only = context.spec.model_validate(
        {**context.spec.model_dump(by_alias=True), "learning": {**learning, "rounds": 1}}
    )
    context.__dict__["spec"] = only
    assert not may_close(context, context.document)
    for other in queued(context):
        ingest(context, other, [None, None])
    assert may_close(context, context.document)
