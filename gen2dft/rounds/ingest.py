"""Turn finished calculations into labels, and labels that meet the targets into hits; each exactly once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gen2dft import targets
from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.errors import DatasetError
from gen2dft.rounds.context import RoundContext
from gen2dft.settings import ALLOW_STAND_IN
from gen2dft.store.documents import OPEN, OPEN_STATES, CandidateDoc, HitDoc, LabelDoc
from gen2dft.store.store import candidate_key
from gen2dft.thermo.references import energy_against

if TYPE_CHECKING:
    from pymatgen.core import Composition

Calculation = CalculationDoc | CalculationFailure


def ingest(context: RoundContext, candidate_id: str, calculations: Sequence[Calculation | None]) -> str:
    """Write what the engine found out about one candidate.

    Parameters
    ----------
    calculations
        The finished calculations in order, the last one with the final energy; None for one that left nothing.

    Returns
    -------
    The candidate's new state.
    """
    failure = next((_failure(calc) for calc in calculations if not isinstance(calc, CalculationDoc)), None)
    if failure is not None:
        spent = sum(calc.core_hours for calc in calculations if isinstance(calc, CalculationDoc))
        return give_up(context, candidate_id, failure.reason, failure.detail, failure.core_hours + spent)
    if any(calc.is_stand_in for calc in calculations if isinstance(calc, CalculationDoc)) and not _allows_stand_in():
        detail = "a program that only stands in for the engine, as tests use it, computed this: it is no result"
        return give_up(context, candidate_id, "stand_in", detail)
    finished = [calc for calc in calculations if isinstance(calc, CalculationDoc)]
    if not finished[-1].converged or not finished[0].converged:
        return give_up(context, candidate_id, "not_converged", "the relaxation did not converge")
    label = make_label(context, candidate_id, finished)
    context.store.insert_new(label)
    context.store.move_candidate(context.campaign_id, candidate_id, "labelled")
    candidate = context.store.candidate(context.campaign_id, candidate_id)
    if (hit := judge(context, candidate, label)) is None:
        return "labelled"
    context.store.insert_new(hit)
    context.store.move_candidate(context.campaign_id, candidate_id, "hit")
    return "hit"


def _failure(calculation: CalculationFailure | None) -> CalculationFailure:
    if calculation is not None:
        return calculation
    return CalculationFailure(reason="calculation_crashed", detail="the calculation left no result")


def _allows_stand_in() -> bool:
    return os.environ.get(ALLOW_STAND_IN) == "1"


def begin_attempt(context: RoundContext, candidate_id: str) -> bool:
    """Mark a candidate as running; False if it is closed already or has used up its attempts, and is given up."""
    candidate = context.store.candidate(context.campaign_id, candidate_id)
    if candidate.state not in OPEN_STATES:
        return False
    allowed = context.spec.validation.attempts
    if candidate.attempts >= allowed:
        give_up(context, candidate_id, "too_many_attempts", f"its worker died {allowed} times")
        return False
    context.store.set_candidate(context.campaign_id, candidate_id, attempts=candidate.attempts + 1)
    context.store.move_candidate(context.campaign_id, candidate_id, "running")
    return True


def give_up(context: RoundContext, candidate_id: str, reason: str, detail: str, core_hours: float = 0.0) -> str:
    """Close a candidate without a label; what it has cost counts against the budget all the same."""
    state = f"given_up:{reason}"
    context.store.move_candidate(context.campaign_id, candidate_id, state, failure=detail, lost_core_hours=core_hours)
    return state


def label_id(campaign_id: str, candidate_id: str, engine: str, settings_hash: str) -> str:
    """Hash of candidate, engine and settings: the same calculation gives the same label; 24 hexadecimal digits."""
    content = f"{candidate_key(campaign_id, candidate_id)} {engine} {settings_hash}"
    return hashlib.sha256(content.encode()).hexdigest()[:24]


def make_label(context: RoundContext, candidate_id: str, finished: Sequence[CalculationDoc]) -> LabelDoc:
    """The label of one candidate from its calculations."""
    last = finished[-1]
    values, problems = label_values(context, last)
    return LabelDoc(
        id=label_id(context.campaign_id, candidate_id, last.engine, last.settings_hash),
        candidate_id=candidate_id,
        campaign_id=context.campaign_id,
        round_index=context.index,
        engine=last.engine,
        is_dft=last.is_dft,
        preset=last.preset,
        settings_hash=last.settings_hash,
        values=values,
        structure=last.structure.as_dict(verbosity=0),
        energy_per_atom=last.energy_per_atom,
        hull_id=context.hull.hull_hash,
        corrections=sorted({name for calc in finished for name in calc.corrections}),
        custodian=[{"task": calc.task, **made.model_dump()} for calc in finished for made in calc.custodian],
        settings_changed=any(calc.settings_changed for calc in finished),
        warnings=[text for calc in finished for text in calc.warnings] + problems,
        core_hours=sum(calc.core_hours for calc in finished),
        provenance=_provenance(finished),
    )


def label_values(context: RoundContext, last: CalculationDoc) -> tuple[dict[str, float], list[str]]:
    """Properties that a calculation tells, and what is wrong where it should tell more.

    A label without a formation energy keeps its total energy, so that nothing is lost if references come later.
    """
    composition, values, problems = last.structure.composition, {}, []
    try:
        values["formation_energy"] = formation_energy(context, last.engine, composition, last.energy_per_atom)
        values["e_above_hull"] = context.hull.e_above_hull(composition, values["formation_energy"])
    except DatasetError as err:
        problems.append(f"no formation energy: {err}")
    if last.band_gap is not None:
        values["band_gap"] = last.band_gap
    return values, problems


def formation_energy(context: RoundContext, engine: str, composition: Composition, energy_per_atom: float) -> float:
    """Formation energy, eV/atom, against the campaign's elemental references, else against the engine's own.

    Raises
    ------
    DatasetError
        If an element has no reference energy.
    """
    references = context.spec.validation.references
    if references:
        return energy_against(references, composition, energy_per_atom, "validation.references of the campaign")
    return load_engine(engine).formation_energy(composition, energy_per_atom)


def _provenance(finished: Sequence[CalculationDoc]) -> dict[str, Any]:
    return {
        "versions": finished[-1].versions,
        "calculations": [
            {"task": calc.task, "steps": calc.num_steps, "max_force": calc.max_force, "directory": calc.directory}
            for calc in finished
        ],
    }


def judge(context: RoundContext, candidate: CandidateDoc, label: LabelDoc) -> HitDoc | None:
    """The hit that a label makes of its candidate, or None if it misses a target."""
    values, basis = values_and_basis(context, candidate, label)
    if targets.missed_target(context.spec.targets, values, context.open_properties) is not None:
        return None
    from pymatgen.core import Structure

    structure = Structure.from_dict(label.structure)
    names = [target.property for target in context.spec.targets]
    return HitDoc(
        id=candidate.id,
        campaign_id=context.campaign_id,
        round_index=context.index,
        candidate_id=candidate.candidate_id,
        formula=structure.composition.reduced_formula,
        spacegroup=structure.get_space_group_info(symprec=0.1)[0],
        values={name: values.get(name) for name in names},
        basis={name: basis.get(name, OPEN) for name in names},
        is_dft=label.is_dft and all(basis.get(name) == label.engine for name in names),
        label_id=label.id,
        hull_id=label.hull_id,
        structure=label.structure,
    )


def values_and_basis(
    context: RoundContext, candidate: CandidateDoc, label: LabelDoc
) -> tuple[dict[str, float], dict[str, str]]:
    """Values of all properties of a labelled candidate, and where each is from: the engine, or `predicted`."""
    allowed = context.spec.validation.unlabelled_targets == "predicted"
    values = {**(candidate.predicted if allowed else {}), **label.values}
    return values, {name: label.engine if name in label.values else "predicted" for name in values}
