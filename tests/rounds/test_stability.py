"""A potential's distance to the hull with what DFT is expected to say, from screen to hit."""

from __future__ import annotations

from dataclasses import replace

import mongomock
import pytest
from pymatgen.core import Composition, Structure
from scipy.stats import norm
from stand_in_stability import ERROR, LIFT, NAME, WIDE, correct_the_toys

from gen2dft import engines
from gen2dft.campaign import CampaignSpec, stored_campaign
from gen2dft.engines.kit import run_task
from gen2dft.errors import CampaignError
from gen2dft.ground.stability import check_correction, has_correction, most_above_hull
from gen2dft.loop.choose import beliefs_of
from gen2dft.review.rehull import rehull
from gen2dft.rounds import plausible
from gen2dft.rounds.begin import begin_campaign, begin_round
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.ingest import ingest
from gen2dft.rounds.learner import as_labels
from gen2dft.rounds.plausible import label_problem, with_remark
from gen2dft.rounds.round import Round
from gen2dft.rounds.select import read_verdicts
from gen2dft.rounds.view import view_to_choose
from gen2dft.store.documents import StabilityRecord, StoredVerdict
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.rounds.test_ingest import calculations, only_label
from tests.rounds.test_roles import FREE, by_dft
from tests.rounds.test_steps import queued, up_to_dispatch, validate_all

SCALE = "materials-project"
STABLE = {"property": "e_above_hull", "max": 0.25}
ENERGY = {"property": "formation_energy", "max": 5.0}
OWN = {"source": "engine"}  # labels are measured against phases of the engine's own


@pytest.fixture(autouse=True)
def _corrected(monkeypatch):
    correct_the_toys(monkeypatch)


def campaign(targets=(STABLE, ENERGY), surrogate=None, **parts):
    """A toy campaign whose targets pass some of the corrected crystals."""
    screening = {"surrogate": {**toys.TOY_CAMPAIGN["screening"]["surrogate"], **(surrogate or {})}}
    sampling = [{"method": "local", "num_points": 40, "scale": 1.0, "num_seeds": 8}]
    changes = {"targets": targets, "screening": screening, "sampling": sampling, **parts}
    content = {**toys.TOY_CAMPAIGN, **changes}
    return CampaignSpec.model_validate(content)


def toy_hull(scale=SCALE):
    return ReferenceHull.from_dataset(toys.toy_dataset(), scale=scale)


@pytest.fixture
def begun(store):
    def begin(*args, scale=SCALE, **parts):
        spec, dataset = campaign(*args, **parts), toys.toy_dataset()
        document, _ = begin_campaign(store, spec, dataset, toy_hull(scale))
        return Round(store, document.id, 0)

    return begin


@pytest.fixture(scope="module")
def finished():
    """A validated round, and a second one that labels of the first may join the hull of.

    Tests only read it.
    """
    with toys.toys_registered(), pytest.MonkeyPatch.context() as patch:
        correct_the_toys(patch)
        store = Store(mongomock.MongoClient(tz_aware=True)["finished"])
        spec = campaign(hull={"own_phases": True})
        document, _ = begin_campaign(store, spec, toys.toy_dataset(), toy_hull())
        context = Round(store, document.id, 0)
        up_to_dispatch(context)
        validate_all(context)
        begin_round(store, document.id, 1)
        yield context


def screened(context):
    """Verdicts of the round that came to the hull, by candidate id."""
    candidates = context.store.candidates(context.campaign_id)
    found = {document.candidate_id: document.verdict for document in candidates}
    return {key: said for key, said in found.items() if said.e_above_hull is not None}


def test_auto_is_settled_when_the_campaign_begins(begun):
    context = begun()
    assert stored_campaign(context.campaign).screening.surrogate.correction == NAME
    (again, created) = begin_campaign(context.store, campaign(), toys.toy_dataset(), toy_hull())
    assert (again.id, created) == (context.campaign_id, False)


@pytest.mark.parametrize(
    ("surrogate", "scale"), [({"correction": "none"}, SCALE), ({}, None), ({}, "gpaw:PBE")]
)
def test_without_a_correction_distances_stay_the_potentials(begun, surrogate, scale):
    context = begun(surrogate=surrogate, scale=scale)
    up_to_dispatch(context)
    verdicts = screened(context).values()
    assert verdicts
    assert not has_correction(context.spec)
    assert {verdict.stability for verdict in verdicts} == {None}
    assert context.document.refinement is None
    for verdict in verdicts:
        assert verdict.own_distance == verdict.e_above_hull
        assert verdict.errors == {}


def test_a_campaign_that_never_heard_of_corrections_has_none(begun):
    context = begun()
    spec = dict(context.campaign.spec)
    del spec["screening"]["surrogate"]["correction"]
    campaigns = context.store.database.campaigns
    campaigns.update_one({"_id": context.campaign_id}, {"$set": {"spec": spec}})
    context = Round(context.store, context.campaign_id, 0)
    up_to_dispatch(context)
    assert {verdict.stability for verdict in screened(context).values()} == {None}


def test_the_screen_corrects_the_distance_and_keeps_the_potentials_own(finished):
    hull = toy_hull()
    for verdict in screened(finished).values():
        composition = Structure.from_dict(verdict.structure).composition
        own = hull.e_above_hull(composition, verdict.formation_energy)
        error = WIDE if "F" in composition.get_el_amt_dict() else ERROR
        record = verdict.stability
        assert record.potential == verdict.own_distance == pytest.approx(own)
        assert record.corrected == verdict.e_above_hull == pytest.approx(own + LIFT)
        assert verdict.formation_energy == pytest.approx(toys.formation_energy(composition))
        assert (record.most, record.error, record.unlike) == (0.25, error, error == WIDE)
        assert record.chance == pytest.approx(norm.cdf((0.25 - own - LIFT) / error))
        assert (record.model, record.refined_by) == (NAME, 0)
        assert verdict.errors == {"e_above_hull": error}


def test_the_rule_of_placing_goes_by_the_potentials_own_distance(
    finished, monkeypatch: pytest.MonkeyPatch
):
    """A missing phase is no error of the potential; the campaign's bound is 9 eV/atom below."""
    # The toys' hull knows elements alone, beside which no depth is implausible.
    monkeypatch.setattr(plausible, "lacks_compounds", lambda hull, composition: False)
    (label, *_) = finished.store.labels(finished.campaign_id)
    for potential, is_marked in ((-9.05, True), (-8.95, False)):
        record = label.stability.model_copy(update={"potential": potential, "corrected": -8.99})
        values = {"formation_energy": -1.0, "e_above_hull": -8.99}
        placed = label.model_copy(update={"stability": record, "values": values})
        marked = with_remark(finished, placed)
        assert (len(marked.warnings) > len(placed.warnings)) is is_marked
        assert (label_problem(finished, placed, relaxed_of(label)) is not None) is is_marked


def relaxed_of(label):
    """The calculation behind a label, as far as the check of its volume asks."""
    structure = Structure.from_dict(label.structure)
    return run_task("relax", toys.TOY_ENGINE, "toy-v1", structure, None)


def test_labels_and_hits_carry_the_corrected_distance_with_its_error(finished):
    hits = finished.store.hits(finished.campaign_id)
    assert hits
    for label in finished.store.labels(finished.campaign_id):
        record = label.stability
        assert label.values["e_above_hull"] == record.corrected
        assert label.errors == {"e_above_hull": record.error}
        assert label.own_distance == record.potential == pytest.approx(record.corrected - LIFT)
        (learnt,) = as_labels(finished, [label])
        assert learnt.errors == label.errors
    for hit in hits:
        assert hit.values["e_above_hull"] == hit.stability.corrected <= 0.25
        assert hit.errors == {"e_above_hull": hit.stability.error}
        assert hit.evidence == "surrogate"
    missed = [
        label
        for label in finished.store.labels(finished.campaign_id)
        if label.own_distance <= 0.25 < label.values["e_above_hull"]
    ]
    for label in missed:
        assert label.candidate_id not in {hit.candidate_id for hit in hits}


def test_energies_of_the_screen_bring_its_record_into_the_label(begun, monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "free-dft", lambda: FREE)
    gap = {"property": "band_gap", "min": 1.0}
    by_screen = {**STABLE, "max": 9.0, "by": "screen"}
    context = begun((gap, by_screen), validation={"engine": "free-dft"})
    up_to_dispatch(context)
    key = queued(context)[0]
    assert ingest(context, key, by_dft(context, key)) == "hit"
    label, verdict = only_label(context, key), screened(context)[key]
    assert label.stability == verdict.stability
    assert label.values["e_above_hull"] == verdict.e_above_hull
    assert label.errors == verdict.errors
    (hit,) = context.store.hits(context.campaign_id)
    assert (hit.evidence, hit.stability) == ("mixed", verdict.stability)


def dft_on_the_scale(monkeypatch, above=0.0):
    """A DFT engine on the hull's scale that finds energies so much above the toys'."""
    engine = replace(
        FREE,
        name="scaled-dft",
        scale=SCALE,
        formation_energy=lambda composition, _: toys.formation_energy(composition) + above,
    )
    monkeypatch.setitem(engines.ENGINES, "scaled-dft", lambda: engine)


def by_scaled_dft(context, key):
    changes = {"engine": "scaled-dft", "is_dft": True}
    return [calc.model_copy(update=changes) for calc in calculations(context, key)]


def test_dft_needs_no_correction(begun, monkeypatch):
    dft_on_the_scale(monkeypatch)
    context = begun(({**STABLE, "max": 9.0},), validation={"engine": "scaled-dft"})
    up_to_dispatch(context)
    key = queued(context)[0]
    assert ingest(context, key, by_scaled_dft(context, key)) == "hit"
    label = only_label(context, key)
    assert (label.stability, label.errors) == (None, {})
    assert label.values["e_above_hull"] == pytest.approx(screened(context)[key].own_distance)
    (hit,) = context.store.hits(context.campaign_id)
    assert (hit.evidence, hit.stability, hit.errors) == ("dft", None, {})


def test_dft_of_earlier_rounds_refines_the_correction_of_later_ones(begun, monkeypatch):
    dft_on_the_scale(monkeypatch, above=0.16)
    context = begun(({**STABLE, "max": 9.0},), validation={"engine": "scaled-dft"})
    up_to_dispatch(context)
    keys = queued(context)
    for key in keys:
        ingest(context, key, by_scaled_dft(context, key))
    number = len(context.store.labels(context.campaign_id))
    begin_round(context.store, context.campaign_id, 1)
    later = Round(context.store, context.campaign_id, 1)
    corrector = footing_of(later).screen_corrector
    # DFT lies 0.16 above the toys, the correction says 0.1.
    shift = number / (number + 4) * 0.06
    crystal = toys.rock_salt("Na", "Br", 5.5)
    record = corrector.record(crystal, -1.0, 0.0)
    assert record.corrected == pytest.approx(LIFT + shift)
    assert record.refined_by == later.document.refinement.num_labels == number > 1
    assert record.error == pytest.approx(ERROR * later.document.refinement.scale)
    assert context.document.refinement is None


def test_what_a_round_refines_by_stays(begun, monkeypatch):
    dft_on_the_scale(monkeypatch, above=0.3)
    context = begun(({**STABLE, "max": 9.0},), validation={"engine": "scaled-dft"})
    up_to_dispatch(context)
    first, second, *_ = queued(context)
    ingest(context, first, by_scaled_dft(context, first))
    begin_round(context.store, context.campaign_id, 1)
    later = Round(context.store, context.campaign_id, 1)
    kept = footing_of(later).refinement
    ingest(context, second, by_scaled_dft(context, second))  # a straggler
    assert footing_of(later).refinement == kept
    assert kept.num_labels == 1


def test_dft_on_a_scale_of_its_own_refines_nothing(store, monkeypatch):
    """The screen is on the Materials Project's scale, labels on that of the engine."""
    dft_on_the_scale(monkeypatch, above=0.3)
    engine = replace(engines.ENGINES["scaled-dft"](), scale="gpaw:PBE")
    monkeypatch.setitem(engines.ENGINES, "scaled-dft", lambda: engine)
    spec = campaign(({**STABLE, "max": 9.0},), validation={"engine": "scaled-dft"})
    hulls = (toy_hull("gpaw:PBE"), toy_hull())
    document, _ = begin_campaign(store, spec, toys.toy_dataset(), *hulls)
    context = Round(store, document.id, 0)
    up_to_dispatch(context)
    assert screened(context)
    key = queued(context)[0]
    assert ingest(context, key, by_scaled_dft(context, key)) == "hit"
    assert "e_above_hull" in only_label(context, key).own_values
    assert screened(context)[key].stability is not None
    begin_round(store, document.id, 1)
    assert footing_of(Round(store, document.id, 1)).refinement.num_labels == 0


def test_labels_of_a_surrogate_refine_nothing(finished):
    assert footing_of(Round(finished.store, finished.campaign_id, 1)).refinement.num_labels == 0


def test_labels_join_the_hull_with_the_corrected_energy(finished):
    joined = footing_of(Round(finished.store, finished.campaign_id, 1)).hull
    before = []
    for label in finished.store.labels(finished.campaign_id):
        composition = Structure.from_dict(label.structure).composition
        raised = label.values["formation_energy"] + LIFT
        before.append(toy_hull().e_above_hull(composition, raised))
        assert label.hull_energy == pytest.approx(raised)
        above = joined.e_above_hull(composition, raised)
        assert above == pytest.approx(max(before[-1], 0.0), abs=1e-9)
    assert min(before) < 0


def test_acquisition_believes_distances_within_their_error(begun):
    context = begun()
    up_to_dispatch(context)
    context.store.database.candidates.update_many({}, {"$set": {"state": "sampled"}})
    view = view_to_choose(context)
    verdicts = [verdict for verdict in read_verdicts(context) if verdict.errors]
    believed = beliefs_of(view, view.arms[0], verdicts)
    spread = believed.members["e_above_hull"].std(axis=0, ddof=1)
    wide = [verdict.errors.get("e_above_hull") == WIDE for verdict in verdicts]
    assert any(wide)
    assert not all(wide)
    assert min(s for s, w in zip(spread, wide, strict=True) if w) > 0
    sure = [s for s, w in zip(spread, wide, strict=True) if not w]
    unsure = [s for s, w in zip(spread, wide, strict=True) if w]
    assert sum(unsure) / len(unsure) > 2 * sum(sure) / len(sure)


def test_another_hull_is_measured_with_the_correction_unless_it_has_the_formula(finished):
    assert rehull(finished.store, finished.campaign_id, toy_hull()).changes == []
    (hit, *_) = finished.store.hits(finished.campaign_id)
    (label,) = finished.store.labels(finished.campaign_id, candidate_id=hit.candidate_id)
    energy = label.values["formation_energy"] - 0.6
    deeper = toy_hull().joined_by([Composition(hit.formula)], [energy])
    result = rehull(finished.store, finished.campaign_id, deeper)
    (lost,) = [
        change
        for change in result.changes
        if change.candidate_id == hit.candidate_id and change.stage == "targets"
    ]
    assert (lost.after, lost.e_after) == ("misses_e_above_hull", pytest.approx(0.6))
    assert result.distances[label.id] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("surrogate", "scale", "message"),
    [
        (
            {"correction": "chgnet-0.3.0-2025"},
            SCALE,
            r"'chgnet-0.3.0-2025' is not the correction of engine 'toy', preset 'toy-v1', which "
            r"has 'toy-2025': choose screening.surrogate.correction: auto, or none",
        ),
        (
            {"correction": NAME},
            "gpaw:PBE",
            r"corrects distances to a hull on scale 'materials-project', and the screen's hull is "
            r"on 'gpaw:PBE': choose screening.surrogate.correction: none",
        ),
        ({"correction": NAME}, None, r"the screen's hull is on 'an unknown scale'"),
        (
            {"correction": "none", "min_chance": 0.3},
            SCALE,
            r"min_chance: 0.3 asks for a chance, and there is none without a correction of engine "
            r"'toy'",
        ),
        ({"min_chance": 0.3}, None, r"min_chance: 0.3 asks for a chance"),
    ],
)
def test_a_correction_that_does_not_hold_is_refused(surrogate, scale, message):
    with pytest.raises(CampaignError, match=message):
        check_correction(campaign(surrogate=surrogate), toy_hull(scale))


@pytest.mark.parametrize(
    "surrogate", [{}, {"correction": NAME}, {"correction": "none"}, {"min_chance": 0.3}]
)
def test_what_holds_is_accepted(surrogate):
    check_correction(campaign(surrogate=surrogate), toy_hull())


def test_the_chance_is_that_of_the_target_or_of_the_gate():
    near = {"property": "e_above_hull", "near": 0.0, "tolerance": 0.04}
    assert most_above_hull(campaign((STABLE,))) == 0.25
    assert most_above_hull(campaign((near,))) == 0.04
    gate = {"max_e_above_hull": 0.7}
    lowest = {"property": "e_above_hull", "optimise": "minimise"}
    assert most_above_hull(campaign((ENERGY,), gate)) == 0.7
    assert most_above_hull(campaign((lowest,), gate)) == 0.7


def test_a_record_read_and_written_again_is_the_same():
    record = StabilityRecord(
        potential=0.0, corrected=0.1, error=0.05, chance=0.4, most=0.1, model=NAME, model_hash="0"
    )
    verdict = StoredVerdict(e_above_hull=0.1, stability=record)
    assert StoredVerdict.of(verdict.model_dump()) == verdict
    assert record.correction == pytest.approx(0.1)
