"""Tell: what came out elsewhere becomes the label of its candidate, by the same steps as an
engine's result.
"""

from __future__ import annotations

from typing import Any

from pymatgen.core import Structure

from gen2dft.campaign.engine_defaults import EXTERNAL
from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.engines.guard import bounds_of, problem_of
from gen2dft.engines.kit import versions_of
from gen2dft.errors import AnswerError
from gen2dft.ground.energies import FormationEnergy, uncorrected
from gen2dft.ground.footing import Footing
from gen2dft.rounds.answers import FORMATION_ENERGY, Answer, Origin, checked
from gen2dft.rounds.asking import refuse_engine
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.ingest import Lost, give_up, write
from gen2dft.rounds.labelling import (
    Told,
    label_of,
    with_energies_of_the_screen,
    with_formation_energy,
)
from gen2dft.rounds.plausible import label_problem, with_remark
from gen2dft.rounds.reuse import start_of
from gen2dft.rounds.round import Round
from gen2dft.store.documents import CandidateDoc, LabelDoc
from gen2dft.store.states import Kind
from gen2dft.store.store import Store, candidate_key
from gen2dft.thermo.scales import must_share

KEY = "told"  # in a label's provenance
REMEDY = "Tell the other values without it, and the screen's distance counts"


def tell(store: Store, campaign_id: str, candidate_id: str, answer: Answer) -> str:
    """Write what came out for a candidate that was asked for; the candidate's new state.

    What was given up meanwhile is labelled all the same, and teaches the next round that is
    trained. The same answer again changes nothing.

    Raises
    ------
    AnswerError
        No such candidate, one that was never asked for, a second answer, or one that is not
        understood; nothing is written then.
    MixedEnergies
        An energy on another scale than the hull's.
    """
    candidate = _candidate(store, campaign_id, candidate_id)
    context = Round(store, campaign_id, candidate.round_index)
    refuse_engine(context)
    plain = checked(answer, context.spec.known_properties)
    if _is_repeated(store, candidate, plain):
        return candidate.state
    if plain.failed:
        _refuse_late_failure(candidate)
        lost = Lost(plain.core_hours)
        give_up(context, candidate_id, plain.reason, f"told: {plain.failed}", lost)
    else:
        write(context, candidate_id, label_or_problem(context, candidate, plain))
    return store.candidate(campaign_id, candidate_id).state


def _candidate(store: Store, campaign_id: str, candidate_id: str) -> CandidateDoc:
    """The candidate; AnswerError if it is unknown or nobody was to be asked for it."""
    found = store.find(CandidateDoc, candidate_key(campaign_id, candidate_id))
    if found is None:
        raise AnswerError(
            f"campaign {campaign_id} has no candidate {candidate_id!r}; ids are those that "
            "`gen2dft ask` gives (`gen2dft ask --again` lists what waits for an answer)"
        )
    if found.standing.kind in (Kind.SAMPLED, Kind.REJECTED):
        raise AnswerError(
            f"candidate {candidate_id} was not asked for: it is {found.state}; `gen2dft ask "
            "--again` lists what waits for an answer"
        )
    return found


def _is_repeated(store: Store, candidate: CandidateDoc, answer: Answer) -> bool:
    """Whether a candidate has this very answer already; AnswerError if it has another one."""
    labels = store.labels(candidate.campaign_id, candidate_id=candidate.candidate_id)
    earlier = [label for label in labels if not label.by_hand]
    if earlier:
        known = earlier[0].provenance.get(KEY, {}).get("answer")
        if known == answer.digest():
            return True
        values = ", ".join(f"{name} {value:g}" for name, value in earlier[0].values.items())
        raise AnswerError(
            f"candidate {candidate.candidate_id} has an answer already ({values}); a second one is "
            "not taken"
        )
    return bool(answer.failed) and candidate.failure == f"told: {answer.failed}"


def _refuse_late_failure(candidate: CandidateDoc) -> None:
    """AnswerError for a failure of a candidate that is closed: only a result could add to it."""
    if not candidate.standing.is_open:
        raise AnswerError(
            f"candidate {candidate.candidate_id} is {candidate.state} already; only a result can "
            "still be told"
        )


def label_or_problem(
    context: Round, candidate: CandidateDoc, answer: Answer
) -> LabelDoc | CalculationFailure:
    """The label that an answer makes, or why its numbers are not believed."""
    origin = Origin.of(answer)
    calculation = document_of(candidate, answer, origin)
    problem = problem_of(calculation, bounds_of(origin.engine.name))
    if problem is not None:
        return problem
    footing, key = footing_of(context), candidate.candidate_id
    energy = told_energy(footing, key, answer, origin)
    if energy is None:
        told = with_energies_of_the_screen(footing, key, dict(calculation.values))
    else:
        told = with_formation_energy(footing, calculation, energy)
    label = label_of(footing, key, told, [calculation])
    label = label.model_copy(update=_as_told(footing, label, answer, told))
    problem = label_problem(context, label, calculation)
    return with_remark(context, label) if problem is None else problem


def document_of(candidate: CandidateDoc, answer: Answer, origin: Origin) -> CalculationDoc:
    """An answer as the calculation that it stands for; without an energy that reads 0."""
    start = start_of(candidate)
    structure = answer.structure or start
    _must_be_the_same(candidate, structure, start)
    values = {name: value for name, value in answer.values.items() if name != FORMATION_ENERGY}
    energy = answer.energy or 0.0
    return CalculationDoc(
        engine=origin.engine.name,
        task="static",
        preset=origin.preset,
        settings_hash=origin.settings_hash,
        is_dft=origin.engine.is_dft,
        structure=structure,
        energy=energy,
        energy_per_atom=energy / len(structure),
        values=values,
        converged=True,
        wall_seconds=0.0,
        core_hours=answer.core_hours,
        versions=versions_of(origin.engine),
    )


def _must_be_the_same(candidate: CandidateDoc, told: Structure, asked: Structure) -> None:
    """AnswerError for a crystal of another composition."""
    formulas = [crystal.composition.reduced_formula for crystal in (told, asked)]
    if formulas[0] != formulas[1]:
        raise AnswerError(
            f"the structure told of candidate {candidate.candidate_id} is {formulas[0]}, and "
            f"{formulas[1]} was asked for: another crystal's file?"
        )


def told_energy(
    footing: Footing, candidate_id: str, answer: Answer, origin: Origin
) -> FormationEnergy | None:
    """The formation energy that is told, once it may meet the hull; None if there is none.

    Raises
    ------
    AnswerError
        An energy without its scale, or a total energy without energies of the elements.
    MixedEnergies
        Another scale than the hull's.
    DatasetError
        The engine in the basis has no reference energy of an element.
    """
    if not answer.has_energy:
        return None
    scale = answer.named_scale or origin.scale
    if scale is None:
        raise AnswerError(
            f"the energy told of candidate {candidate_id} needs its scale: scale='mp2020' for the "
            f"Materials Project's corrected energies; the hull is on {footing.hull.scale!r}"
        )
    must_share(footing.hull.scale, [scale], f"the energy told of candidate {candidate_id}", REMEDY)
    value = _formation_energy(footing, answer, origin)
    return FormationEnergy(value, scale, {}, None, ())


def _formation_energy(footing: Footing, answer: Answer, origin: Origin) -> float:
    """eV/atom: as told, or the cell's energy less that of its elements."""
    if answer.energy is None or answer.structure is None:
        return answer.values[FORMATION_ENERGY]
    per_atom = answer.energy / len(answer.structure)
    composition = answer.structure.composition
    validation = footing.spec.validation
    by = origin.engine.name if origin.is_named else EXTERNAL
    is_own = by == validation.engine  # whose energies of the elements the campaign gives
    elements = footing.references(origin.preset) if is_own else {}
    if not origin.is_named and not elements:
        raise AnswerError(
            "a total energy needs the energies of its elements: give them in the campaign file "
            "(validation.references), or tell formation_energy in eV/atom"
        )
    return uncorrected(origin.engine, composition, per_atom, elements)


def _as_told(footing: Footing, label: LabelDoc, answer: Answer, told: Told) -> dict[str, Any]:
    """Fields of a label that say what was told, and by whom."""
    by_whom = {
        "basis": answer.basis,
        "scale": answer.named_scale,
        "relaxed": answer.structure is not None,
        "answer": answer.digest(),
    }
    hull = footing.screen_hull if told.energy is None else footing.hull
    return {
        "energy_per_atom": None if answer.energy is None else label.energy_per_atom,
        "hull_id": hull.hull_hash,
        "provenance": {**label.provenance, KEY: by_whom},
    }
