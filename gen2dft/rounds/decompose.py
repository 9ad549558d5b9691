"""Decomposition energies by hand, of candidates that are labelled already: which come first, and
what becomes of label and hit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gen2dft.composition import crystal_fields
from gen2dft.crystal_documents import structure_of
from gen2dft.engines.base import CalculationDoc
from gen2dft.engines.outcomes import core_hours, costs_of
from gen2dft.ground.calibrate import Reference, reference_key
from gen2dft.ground.competing import Method, Sources
from gen2dft.ground.phases import Found
from gen2dft.loop.costs import per_core_hour
from gen2dft.loop.shortlist import DISTANCE
from gen2dft.loop.targets import is_met
from gen2dft.rounds.competing import (
    REACH,
    Plan,
    Prices,
    Told,
    decomposed,
    plan_of,
)
from gen2dft.rounds.judging import evidence_of, judge
from gen2dft.rounds.labelling import label_id
from gen2dft.rounds.round import Round
from gen2dft.store.documents import CandidateDoc, HitDoc, LabelDoc

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.engines.base import Engine
    from gen2dft.store.store import Store

MISSED = "misses_e_above_hull"  # remark on a hit whose decomposition energy misses the target


@dataclass(frozen=True)
class Case:
    """A candidate, and what its decomposition energy asks for.

    Parameters
    ----------
    label
        Its label by the method; None: its own energy is to be computed first.
    start
        Structure that its own calculation begins with.
    distance
        eV/atom above the hull by what is known so far; None: nothing tells.
    plan
        The phases to compute.
    hours
        Predicted core-hours of all that is to be computed.
    """

    candidate: CandidateDoc
    label: LabelDoc | None
    start: Structure
    distance: float | None
    plan: Plan
    hours: float


def case_of(store: Store, candidate: CandidateDoc, method: Method, sources: Sources) -> Case:
    """What a candidate's decomposition energy by an engine and preset asks for."""
    label = own_label(store, candidate, method)
    start = _start(store, candidate) if label is None else structure_of(label.structure)
    plan = plan_of(store, method, start.composition.get_el_amt_dict(), sources)
    prices = Prices.of(store, method)
    wanted = [reference.phase.structure for _, reference in plan.phases]
    if label is None:
        wanted.append(start)
    hours = sum(prices.core_hours(structure) for structure in wanted)
    distance = candidate.verdict.e_above_hull
    return Case(candidate, label, start, distance, plan, hours)


def own_label(store: Store, candidate: CandidateDoc, method: Method) -> LabelDoc | None:
    """The label of a candidate that holds the energy of its relaxed crystal by the method."""
    key = label_id(
        candidate.campaign_id, candidate.candidate_id, method.engine, method.settings_hash
    )
    label = store.find(LabelDoc, key)
    if label is None or label.energy_per_atom is None:
        return None
    tasks = [summary["task"] for summary in label.provenance.get("calculations", [])]
    return None if tasks and tasks[-1] == "look" else label


def _start(store: Store, candidate: CandidateDoc) -> Structure:
    """Where a candidate's own calculation begins: its best structure."""
    labels = store.labels(candidate.campaign_id, candidate_id=candidate.candidate_id)
    by_dft = [label.structure for label in labels if label.is_dft]
    found = [*by_dft, *(label.structure for label in labels)]
    known = candidate.verdict.structure or candidate.structure or {}
    return structure_of(found[0] if found else known)


def best_first(cases: Sequence[Case]) -> list[Case]:
    """Cases in the order in which they are worth their cost.

    The nearer to the hull the likelier is a crystal stable by DFT too: its worth is
    exp(-distance / REACH) per predicted core-hour, as long as no chance is known.
    """
    if not cases:
        return []
    distances = np.array([_known(case.distance) for case in cases])
    hours = np.array([case.hours for case in cases])
    priced = hours if np.all(hours > 0) else None
    worth = per_core_hour(-distances / REACH, priced, 1.0)
    order = np.argsort(-worth, kind="stable")
    return [cases[row] for row in order]


def _known(distance: float | None) -> float:
    """A distance, eV/atom; far away where nothing tells."""
    return 10 * REACH if distance is None else distance


def own_reference(engine: Engine, preset: str, start: Structure, name: str) -> Reference:
    """A crystal as what computes competing phases takes it."""
    phase = Found(start.composition.reduced_formula, name, start, "candidate")
    return Reference(reference_key(engine, preset, phase), phase, engine.name, preset)


def label_by_hand(
    store: Store, candidate: CandidateDoc, calculations: Sequence[CalculationDoc]
) -> LabelDoc:
    """Keep the energy of a candidate that was computed outside its campaign's validation.

    It joins the label that bands by hand have left, if there is one.
    """
    last = calculations[-1]
    energy: dict[str, Any] = {
        "energy_per_atom": last.energy_per_atom,
        "structure": last.structure.as_dict(verbosity=0),
        "run_type": last.run_type,
        "settings_changed": any(each.settings_changed for each in calculations),
        **crystal_fields(last.structure),
    }
    label = _new_label(store, candidate, calculations, energy)
    if not store.insert_new(label):
        earlier = store.label(label.id)
        values = {**label.values, **earlier.values}
        store.set_label(label.id, **energy, values=values, basis={**label.basis, **earlier.basis})
    return store.label(label.id)


def _new_label(
    store: Store,
    candidate: CandidateDoc,
    calculations: Sequence[CalculationDoc],
    energy: Mapping[str, Any],
) -> LabelDoc:
    """A label of calculations by hand, with the surrogate's energies beside it."""
    last, told = calculations[-1], _of_the_screen(candidate)
    campaign = store.campaign(candidate.campaign_id)
    ids = (candidate.campaign_id, candidate.candidate_id)
    return LabelDoc(
        id=label_id(*ids, last.engine, last.settings_hash),
        candidate_id=candidate.candidate_id,
        campaign_id=candidate.campaign_id,
        round_index=candidate.round_index,
        engine=last.engine,
        is_dft=last.is_dft,
        preset=last.preset,
        settings_hash=last.settings_hash,
        values={**last.values, **told},
        basis=dict.fromkeys(told, candidate.verdict.engine),
        hull_id=campaign.screen_hull_id or campaign.hull_id,
        warnings=list(last.warnings),
        core_hours=core_hours(calculations),
        costs=costs_of(calculations),
        by_hand=True,
        **energy,
    )


def _of_the_screen(candidate: CandidateDoc) -> dict[str, float]:
    """Energies that the surrogate gave."""
    values = candidate.verdict.values
    return {name: value for name, value in values.items() if value is not None}


def write_decomposition(store: Store, label: LabelDoc, told: Told) -> LabelDoc:
    """Write what the phases came to into a label, and into the hit that it bears on."""
    found = decomposed(store, label, told)
    changed = ("values", "basis", "doubts", "warnings", "core_hours", "costs")
    fields = {name: getattr(found, name) for name in changed}
    record = found.decomposition
    fields["decomposition"] = None if record is None else record.model_dump()
    store.set_label(found.id, **fields)
    context = Round(store, found.campaign_id, found.round_index)
    hits = store.hits(found.campaign_id, candidate_id=found.candidate_id)
    if hits:
        _update_hit(context, hits[0], found)
    elif not found.by_hand:
        _new_hit(context, found)
    return found


def _update_hit(context: Round, hit: HitDoc, label: LabelDoc) -> None:
    """A hit whose distance to the hull DFT has replaced: value, evidence, doubts, and a remark if
    the target is missed now.
    """
    if DISTANCE not in hit.basis:
        return
    values = {**hit.values, DISTANCE: label.values.get(DISTANCE)}
    basis = {**hit.basis, DISTANCE: label.basis.get(DISTANCE, label.engine)}
    labels = context.store.labels(hit.campaign_id, candidate_id=hit.candidate_id)
    evidence = evidence_of(basis.values(), {each.engine for each in labels if each.is_dft})
    remarks = [remark for remark in hit.remarks if remark != MISSED]
    if not _is_met(context, values[DISTANCE]):
        remarks.append(MISSED)
    stability = None if label.is_decomposed else hit.stability
    context.store.set_hit(
        hit.id,
        values=values,
        stability=None if stability is None else stability.model_dump(),
        basis=basis,
        evidence=evidence,
        is_dft=evidence == "dft",
        doubts=sorted({*hit.doubts, *label.doubts}),
        remarks=remarks,
    )


def _is_met(context: Round, value: float | None) -> bool:
    wanted = [target for target in context.spec.targets if target.property == DISTANCE]
    return all(is_met(target, value) for target in wanted)


def _new_hit(context: Round, label: LabelDoc) -> None:
    """A candidate that a decomposition energy makes a hit."""
    candidate = context.store.candidate(label.campaign_id, label.candidate_id)
    hit = judge(context, candidate, label)
    if hit is not None:
        context.store.insert_new(hit)
        context.store.move_candidate(label.campaign_id, label.candidate_id, "hit")


def chosen(store: Store, campaign_id: str, identifiers: Iterable[str]) -> list[CandidateDoc]:
    """Candidates by their ids; without any the campaign's hits."""
    ids = list(identifiers) or [hit.candidate_id for hit in store.hits(campaign_id)]
    return [store.candidate(campaign_id, key) for key in ids]
