"""Ask and tell: the same as an engine's results, and never more than was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import mongomock
import pytest
from pymatgen.core import Structure
from toy_answers import BASIS, computed

from gen2dft.campaign import CampaignSpec
from gen2dft.engines.kit import run_task
from gen2dft.errors import AnswerError, CampaignError, MixedEnergies
from gen2dft.ground.roles import check_roles
from gen2dft.report.wording import surrogate_engines
from gen2dft.rounds.answers import Answer
from gen2dft.rounds.asking import Asked, ask, unanswered
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.close import try_close
from gen2dft.rounds.ingest import begin_attempt, ingest
from gen2dft.rounds.learner import read_learner
from gen2dft.rounds.reuse import start_of
from gen2dft.rounds.round import Round
from gen2dft.rounds.telling import tell
from gen2dft.store.documents import now
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.rounds.test_steps import check_funnel, queued, up_to_dispatch

SCALE = "materials-project"
Begun = Callable[..., Round]


def begin(store: Store, **changes: Any) -> Round:
    """Begin a campaign of toys and choose its first batch."""
    learning = {"rounds": 2, "batch": 6, "audit": 0.2, "ensemble": 2, **changes.pop("learning", {})}
    content = {**toys.TOY_CAMPAIGN, "learning": learning, **changes}
    spec = CampaignSpec.model_validate(content)
    dataset = toys.toy_dataset()
    hull = ReferenceHull.from_dataset(dataset, scale=SCALE)
    campaign, _ = begin_campaign(store, spec, dataset, hull)
    context = Round(store, campaign.id, 0)
    up_to_dispatch(context)
    return context


@pytest.fixture
def begun(store: Store) -> Begun:
    """Begins a campaign whose results are told."""
    return lambda **changes: begin(store, **{"validation": {"engine": "external"}, **changes})


@pytest.fixture
def asked(begun: Begun) -> tuple[Round, Asked]:
    """A round and the crystal that was asked for first."""
    context = begun()
    (crystal,) = ask(context, 1)
    return context, crystal


@pytest.fixture(scope="module")
def untouched() -> tuple[Round, Asked]:
    """The same for tests whose answers are all refused."""
    store = Store(mongomock.MongoClient(tz_aware=True)["untouched"])
    with toys.toys_registered():
        context = begin(store, validation={"engine": "external"})
    (crystal,) = ask(context, 1)
    return context, crystal


def answer(context: Round, crystal: Asked, **told: Any) -> str:
    return tell(context.store, context.campaign_id, crystal.id, Answer(**told))


def tell_all(context: Round, batch: Sequence[Asked]) -> None:
    for crystal in batch:
        answer(context, crystal, **computed(crystal))


def run_all(context: Round) -> None:
    """What `gen2dft run` does with a batch."""
    for key in queued(context):
        start = start_of(context.store.candidate(context.campaign_id, key))
        begin_attempt(context, key)
        relaxed = run_task("relax", toys.TOY_ENGINE, "toy-v1", start, None)
        ingest(
            context, key, [relaxed, run_task("static", toys.TOY_ENGINE, "toy-v1", None, relaxed)]
        )


def next_round(context: Round) -> Round:
    assert try_close(context)
    later = Round(context.store, context.campaign_id, context.index + 1)
    up_to_dispatch(later)
    return later


def candidates(context: Round) -> dict[str, tuple[Any, ...]]:
    """What became of each candidate of a campaign."""
    found = context.store.candidates(context.campaign_id)
    return {
        doc.candidate_id: (doc.round_index, doc.state, doc.predicted, doc.score) for doc in found
    }


def labels(context: Round) -> dict[str, tuple[Any, ...]]:
    found = context.store.labels(context.campaign_id)
    return {
        label.candidate_id: (label.values, label.engine, label.structure, label.energy_per_atom)
        for label in found
    }


def hits(context: Round) -> list[tuple[Any, ...]]:
    found = context.store.hits(context.campaign_id)
    return [(hit.candidate_id, hit.values, hit.basis, hit.evidence, hit.errors) for hit in found]


def only_label(context: Round, crystal: Asked):
    (label,) = context.store.labels(context.campaign_id, candidate_id=crystal.id)
    return label


def test_two_rounds_give_the_same_batches_labels_and_verdicts_as_run(store: Store):
    """The same campaign, by its id, in two databases."""
    running = begin(Store(mongomock.MongoClient(tz_aware=True)["other"]))
    telling = begin(store, resources={"validate": {"told": True}})
    assert telling.campaign_id == running.campaign_id
    for _ in range(2):
        tell_all(telling, list(reversed(ask(telling))))
        run_all(running)
        if telling.index == 0:
            telling, running = next_round(telling), next_round(running)
    assert (try_close(telling), try_close(running)) == (True, True)
    assert candidates(telling) == candidates(running)
    assert labels(telling) == labels(running)
    assert len(labels(telling)) > 5
    assert telling.document.funnel == running.document.funnel
    assert hits(telling) == hits(running)


def test_told_failed_and_expired_make_up_what_was_asked_and_a_late_answer_trains(begun: Begun):
    context = begun(learning={"rounds": 3, "deadline_hours": 24})
    failed, late, never, *told = ask(context)
    answer(context, failed, failed="not converged")
    for crystal in told:
        answer(context, crystal, values={"band_gap": 1.0})
    assert not try_close(context)
    context.update(dispatched=now() - timedelta(hours=25))
    assert try_close(context)
    validate = next(stage for stage in context.document.funnel if stage.stage == "validate")
    assert (validate.n_in, validate.n_out) == (6, len(told))
    assert validate.reasons == {"not_converged": 1, "unanswered": 2}
    check_funnel(context)
    second = Round(context.store, context.campaign_id, 1)
    before = read_learner(second).known
    assert answer(context, late, values={"band_gap": 1.0}) in ("labelled", "hit")
    assert len(read_learner(second).known) == len(before) + 1
    assert context.store.candidate(context.campaign_id, never.id).state == "given_up:unanswered"


def test_a_quorum_leaves_stragglers_whose_answers_are_still_taken(begun: Begun):
    context = begun(learning={"quorum": 0.5})
    batch = ask(context)
    for crystal in batch[:3]:
        answer(context, crystal, values={"band_gap": 1.0})
    assert try_close(context)
    assert context.document.funnel[-3].reasons == {"unanswered": 3}
    assert answer(context, batch[3], values={"band_gap": 1.0}) in ("labelled", "hit")


def test_the_best_come_first_and_each_once(begun: Begun):
    context = begun()
    first, rest = ask(context, 2), ask(context)
    scores = [crystal.score for crystal in [*first, *rest] if crystal.score is not None]
    assert scores == sorted(scores, reverse=True)
    assert len({crystal.id for crystal in [*first, *rest]}) == len(first) + len(rest) == 6
    assert ask(context) == []
    assert {crystal.id for crystal in unanswered(context.store, context.campaign_id)} == {
        crystal.id for crystal in [*first, *rest]
    }
    known = context.store.candidate(context.campaign_id, first[0].id)
    assert first[0].structure == start_of(known)
    assert first[0].round == 1
    assert first[0].expected["e_above_hull"] == known.verdict.e_above_hull
    assert Structure.from_dict(first[0].as_dict()["structure"]) == first[0].structure


def test_without_an_energy_the_screens_distance_counts_and_says_so(asked):
    context, crystal = asked
    assert answer(context, crystal, values={"band_gap": 0.6}, basis="VASP 6, HSE06", dft=True)
    label = only_label(context, crystal)
    assert label.values["band_gap"] == 0.6
    assert label.values["e_above_hull"] == crystal.expected["e_above_hull"]
    assert set(label.basis.values()) == {"toy"}
    assert (label.engine, label.preset, label.is_dft) == ("external-dft", "VASP 6, HSE06", True)
    assert label.energy_per_atom is None
    assert label.own_values == {"band_gap": 0.6}


def test_an_answer_by_dft_makes_no_other_dft(asked):
    """Tables tell DFT by the name of the engine."""
    context, crystal = asked
    (other,) = ask(context, 1)
    answer(context, crystal, values={"band_gap": 0.6}, basis="VASP 6, PBE", dft=True)
    answer(context, other, values={"band_gap": 0.6}, basis="diffuse reflectance")
    found = context.store.labels(context.campaign_id)
    assert {label.candidate_id: label.is_dft for label in found} == {
        crystal.id: True,
        other.id: False,
    }
    assert surrogate_engines(found) == {"external", "toy"}


def test_an_energy_on_the_hulls_scale_gives_a_distance_of_its_own(asked):
    context, crystal = asked
    answer(
        context,
        crystal,
        values={"formation_energy (eV/atom)": -1.0},
        scale="mp2020",
        basis="CASTEP, PBE",
        dft=True,
    )
    label = only_label(context, crystal)
    composition = crystal.structure.composition
    hull = ReferenceHull.from_dataset(context.base, scale=SCALE)
    assert label.values["e_above_hull"] == pytest.approx(hull.e_above_hull(composition, -1.0))
    assert label.basis == {}
    assert label.provenance["told"]["scale"] == SCALE


def test_total_energies_are_measured_against_the_campaigns_elements(begun: Begun):
    elements = dict.fromkeys((*toys.CATIONS, *toys.ANIONS), -1.0)
    context = begun(validation={"engine": "external", "references": elements})
    (crystal,) = ask(context, 1)
    cell = crystal.structure
    answer(context, crystal, structure=cell, energy=-2.0 * len(cell), scale="mp2020")
    assert only_label(context, crystal).values["formation_energy"] == pytest.approx(-1.0)
    assert only_label(context, crystal).energy_per_atom == pytest.approx(-2.0)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({}, "nothing is told"),
        ({"values": {"band_gap": float("nan")}}, "band_gap is nan, which is no finite number"),
        ({"values": {"band_gap": "wide"}}, "band_gap is 'wide', which is no finite number"),
        ({"values": {"band_gap": True}}, "which is no finite number"),
        ({"values": {"bandgap": 1.0}}, "property 'bandgap' is not one of .* mean 'band_gap'"),
        ({"values": {"band_gap (meV)": 600.0}}, "told in 'meV', and its unit is 'eV': convert"),
        ({"values": {"e_above_hull": 0.0}}, "measured against the campaign's hull; tell"),
        ({"values": {"formation_energy": -1.0}}, "needs its scale: scale='mp2020'"),
        ({"values": {"band_gap": 1.0}, "scale": "mp2020"}, "told without an energy"),
        ({"values": {"band_gap": 1.0}, "failed": "slow"}, "a result and a failure"),
        ({"values": {"band_gap": 1.0}, "dft": True}, "needs its basis"),
        ({"values": {"band_gap": 1.0}, "core_hours": -1.0}, "a cost is at least 0"),
        ({"energy": -9.0, "scale": "mp2020"}, "tell the relaxed structure too"),
        ({"values": ["band_gap", 0.6]}, "values are told by property"),
        ({"values": {3: 0.6}}, "values are told by property"),
        ({"values": {"band_gap": 0.6}, "basis": 6}, "basis is 6: write it as text"),
        ({"values": {"band_gap": 0.6}, "dft": "no"}, "dft is 'no': True or False"),
        ({"failed": True}, "failed is True: write it as text"),
        ({"values": {"band_gap": 1.0}, "basis": BASIS, "dft": True}, "never called DFT"),
        ({"values": {"band_gap": 1.0}, "basis": "toy:fine"}, "'fine' is not one of"),
        (
            {"values": {"band_gap": 1.0}, "structure": toys.rock_salt("Cs", "I", 6.0)},
            "is CsI, and .* was asked for",
        ),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(untouched, told, message):
    context, crystal = untouched
    with pytest.raises(AnswerError, match=message) as caught:
        answer(context, crystal, **told)
    assert "\n" not in str(caught.value)
    assert context.store.candidate(context.campaign_id, crystal.id).state == "running"
    assert context.store.labels(context.campaign_id) == []


def test_a_total_energy_without_elements_is_refused(untouched):
    context, crystal = untouched
    with pytest.raises(AnswerError, match=r"validation\.references"):
        answer(context, crystal, structure=crystal.structure, energy=-9.0, scale="mp2020")


def test_energies_of_another_scale_never_meet_the_hull(untouched):
    context, crystal = untouched
    with pytest.raises(MixedEnergies, match="'vasp:PBE' and the hull on 'materials-project'"):
        answer(context, crystal, values={"formation_energy": -1.0}, scale="vasp:PBE")
    assert context.store.labels(context.campaign_id) == []


def test_unknown_ids_and_second_answers_are_refused_and_the_same_again_is_not(asked):
    context, crystal = asked
    with pytest.raises(AnswerError, match=r"no candidate 'nobody'; .*gen2dft ask --again"):
        tell(context.store, context.campaign_id, "nobody", Answer({"band_gap": 1.0}))
    state = answer(context, crystal, values={"band_gap": 0.6})
    assert answer(context, crystal, values={"band_gap": 0.6}) == state
    with pytest.raises(AnswerError, match=r"has an answer already \(.*band_gap 0\.6"):
        answer(context, crystal, values={"band_gap": 0.7})
    with pytest.raises(AnswerError, match="has an answer already"):
        answer(context, crystal, failed="after all")
    assert len(context.store.labels(context.campaign_id)) == 1


def test_nobody_answers_what_was_rejected(untouched):
    context, _ = untouched
    rejected = next(
        doc for doc in context.store.candidates(context.campaign_id) if "rejected" in doc.state
    )
    with pytest.raises(AnswerError, match="was not asked for: it is rejected:"):
        tell(context.store, context.campaign_id, rejected.candidate_id, Answer({"band_gap": 1.0}))


def test_a_failure_keeps_its_reason_and_a_result_may_still_follow(asked):
    context, crystal = asked
    told = {"failed": "SCF: not converged!", "core_hours": 3.0}
    assert answer(context, crystal, **told) == "given_up:scf_not_converged"
    assert answer(context, crystal, **told) == "given_up:scf_not_converged"
    candidate = context.store.candidate(context.campaign_id, crystal.id)
    assert (candidate.failure, candidate.lost_core_hours) == ("told: SCF: not converged!", 3.0)
    with pytest.raises(AnswerError, match="only a result can still be told"):
        answer(context, crystal, failed="out of memory")
    assert answer(context, crystal, values={"band_gap": 0.6}) in ("labelled", "hit")


def test_a_told_breakdown_pauses_nothing(begun: Begun):
    context = begun(validation={"engine": "external", "pause_after": 1})
    for crystal in ask(context):
        answer(context, crystal, failed="worker died")
    assert context.store.campaign(context.campaign_id).state == "running"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"values": {"band_gap": 600.0}}, "implausible_gap"),
        ({"values": {"formation_energy": -90.0}, "scale": "mp2020"}, "implausible_energy"),
    ],
)
def test_numbers_that_no_crystal_has_are_no_label(asked, told, reason):
    context, crystal = asked
    assert answer(context, crystal, **told) == f"given_up:{reason}"
    assert context.store.labels(context.campaign_id) == []


def test_a_collapsed_cell_is_no_label(asked):
    context, crystal = asked
    cell = crystal.structure.copy()
    cell.scale_lattice(1.0)
    told = {"values": {"band_gap": 1.0}, "structure": cell}
    assert answer(context, crystal, **told) == "given_up:implausible_volume"


def test_a_campaign_of_an_engine_asks_nobody(begun: Begun):
    context = begun(validation={"engine": "toy"})
    with pytest.raises(AnswerError, match=r"validated by engine 'toy' here.*--engine external"):
        ask(context)
    with pytest.raises(AnswerError, match="validated by engine 'toy'"):
        tell(context.store, context.campaign_id, queued(context)[0], Answer({"band_gap": 1.0}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation": {"correction": "mp2020-v1"}}, "validation.correction: mp2020-v1"),
        ({"validation": {"engine": "external-dft"}}, "name of single answers by DFT"),
        ({"validation": {"competing": True}}, "validation.competing: true"),
        ({"validation": {"refine": {"preset": "told", "max_e_above_hull": 0.1}}}, "refine"),
        ({"hull": {"source": "engine"}}, "hull.source: engine needs an engine"),
        ({"screening": {"surrogate": {"engine": "external"}}}, "screening.surrogate.engine"),
    ],
)
def test_what_needs_an_engine_is_refused_before_work_begins(changes, message):
    validation = {"engine": "external", **changes.pop("validation", {})}
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, **changes, "validation": validation})
    with pytest.raises(CampaignError, match=message):
        check_roles(spec)


def test_any_property_may_be_the_engines_to_judge():
    target = {"property": "band_gap", "max": 1.0, "by": "engine"}
    content = {**toys.TOY_CAMPAIGN, "validation": {"engine": "external"}, "targets": [target]}
    check_roles(CampaignSpec.model_validate(content))


def test_a_digest_tells_answers_apart():
    one = Answer({"band_gap": 0.6}, basis="VASP 6, PBE")
    assert one.digest() == replace(one).digest()
    changed = [{"values": {"band_gap": 0.7}}, {"basis": "VASP 6, HSE06"}, {"dft": True}]
    changed.append({"structure": toys.rock_salt("Na", "Cl", 5.6)})
    assert len({one.digest(), *(replace(one, **change).digest() for change in changed)}) == 5
