"""Turn finished calculations into labels, and labels that meet the targets into hits.

Each exactly once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from gen2dft import targets
from gen2dft.engines.base import CalculationDoc, CalculationFailure, CustodianCorrection, Outcome
from gen2dft.engines.outcomes import core_hours, finished, stage_problem
from gen2dft.errors import CorrectionRefused, DatasetError, MixedEnergies, PluginMissing
from gen2dft.ground.energies import FormationEnergy, formation_energy
from gen2dft.property_steps import provided
from gen2dft.rounds import breaker, reuse
from gen2dft.rounds.computed_properties import with_properties
from gen2dft.rounds.context import RoundContext
from gen2dft.store.documents import OPEN, OPEN_STATES, CandidateDoc, HitDoc, LabelDoc
from gen2dft.store.store import candidate_key
from gen2dft.symmetry import space_group_symbol
from gen2dft.thermo.corrections import NONE
from gen2dft.thermo.scales import must_share

PLUGIN_MISSING = "plugin_missing"
# Errors that close a candidate instead of crashing its job, and the reasons that are counted.
REFUSALS: dict[type[Exception], str] = {
    CorrectionRefused: "correction_refused",
    MixedEnergies: "energies_not_comparable",
    PluginMissing: PLUGIN_MISSING,
}


def ingest(
    context: RoundContext,
    candidate_id: str,
    calculations: Sequence[Outcome | None],
    refined: Sequence[Outcome | None] = (),
    outcomes: Mapping[str, Any] | None = None,
) -> str:
    """Write the label of one candidate, or why there is none.

    Parameters
    ----------
    calculations
        The finished calculations in order, the last one with the final energy; None for one that
        left nothing.
    refined
        Those of the second stage, which then make the label; empty if the candidate did not go on
        to it.
    outcomes
        Property to the output of its step; a step that is missing left nothing.

    Returns
    -------
    The candidate's new state.
    """
    label = label_or_failure(context, candidate_id, calculations, refined, outcomes or {})
    if isinstance(label, LabelDoc):
        reuse.remember(context, candidate_id, label.id, finished(calculations), finished(refined))
    return write(context, candidate_id, label)


def label_or_failure(
    context: RoundContext,
    candidate_id: str,
    calculations: Sequence[Outcome | None],
    refined: Sequence[Outcome | None],
    outcomes: Mapping[str, Any],
) -> LabelDoc | CalculationFailure:
    """The label that calculations and property steps make, or why there is none; see `ingest`."""
    stages = [("", calculations), ("refine_", refined)] if refined else [("", calculations)]
    spent = core_hours([*calculations, *refined])
    for prefix, stage in stages:
        if (problem := stage_problem(stage)) is not None:
            reason = prefix + problem.reason
            return CalculationFailure(reason=reason, detail=problem.detail, core_hours=spent)
    try:
        label = make_label(context, candidate_id, *(finished(stage) for _, stage in stages))
        return with_properties(context, label, outcomes)
    except tuple(REFUSALS) as refusal:
        reason = REFUSALS[type(refusal)]
        return CalculationFailure(reason=reason, detail=str(refusal), core_hours=spent)


def write(context: RoundContext, candidate_id: str, label: LabelDoc | CalculationFailure) -> str:
    """Write a label, and the hit that it makes if it meets all targets; a failure closes the
    candidate.

    Writing it again changes nothing. The candidate's new state.
    """
    if isinstance(label, CalculationFailure):
        return give_up(context, candidate_id, label.reason, label.detail, label.core_hours)
    context.store.insert_new(label)
    context.store.move_candidate(context.campaign_id, candidate_id, "labelled")
    breaker.engine_works(context)
    candidate = context.store.candidate(context.campaign_id, candidate_id)
    if (hit := judge(context, candidate, label)) is None:
        return "labelled"
    context.store.insert_new(hit)
    context.store.move_candidate(context.campaign_id, candidate_id, "hit")
    return "hit"


def wants_refinement(
    context: RoundContext, candidate_id: str, calculations: Sequence[Outcome | None]
) -> bool:
    """Whether a candidate goes on to the second stage: the first one succeeded and ended near
    enough to the hull.
    """
    refine = context.spec.validation.refine
    if refine is None or stage_problem(calculations) is not None:
        return False
    try:
        label = make_label(context, candidate_id, finished(calculations))
    except (CorrectionRefused, MixedEnergies):
        return False  # ingest meets the same refusal and writes the reason
    distance = label.values.get("e_above_hull")
    method = context.store.candidate(context.campaign_id, candidate_id).sampler
    return distance is not None and distance <= refine.limit(method)


def begin_attempt(context: RoundContext, candidate_id: str) -> bool:
    """Mark a candidate as running.

    False if it is closed already or has used up its attempts, and is given up.

    While the campaign is paused nothing begins: the candidate stays queued and is dispatched again
    afterwards.
    """
    candidate = context.store.candidate(context.campaign_id, candidate_id)
    if candidate.state not in OPEN_STATES or context.campaign.state == "paused":
        context.store.tally.follow(
            [candidate.id]
        )  # who closed it may have been killed before it was tallied
        return False
    allowed = context.spec.validation.attempts
    if candidate.attempts >= allowed:
        give_up(context, candidate_id, "too_many_attempts", f"its worker died {allowed} times")
        return False
    context.store.set_candidate(context.campaign_id, candidate_id, attempts=candidate.attempts + 1)
    context.store.move_candidate(context.campaign_id, candidate_id, "running")
    return True


def give_up(
    context: RoundContext, candidate_id: str, reason: str, detail: str, core_hours: float = 0.0
) -> str:
    """Close a candidate without a label.

    What it has cost counts against the budget all the same.
    """
    state = f"given_up:{reason}"
    context.store.move_candidate(
        context.campaign_id, candidate_id, state, failure=detail, lost_core_hours=core_hours
    )
    breaker.engine_failed(context, candidate_id, reason, detail)
    return state


def label_id(campaign_id: str, candidate_id: str, engine: str, settings_hash: str) -> str:
    """Hash of candidate, engine and settings: the same calculation gives the same label.

    24 hexadecimal digits.
    """
    content = f"{candidate_key(campaign_id, candidate_id)} {engine} {settings_hash}"
    return hashlib.sha256(content.encode()).hexdigest()[:24]


def make_label(
    context: RoundContext, candidate_id: str, *stages: Sequence[CalculationDoc]
) -> LabelDoc:
    """The label of one candidate from its calculations.

    The last stage makes it, earlier ones go into its provenance.

    Raises
    ------
    CorrectionRefused
        If the campaign's correction does not hold for the calculation.
    MixedEnergies
        If its energy is on another scale than the hull.
    """
    *earlier, last_stage = stages
    everything = [calc for stage in stages for calc in stage]
    last = last_stage[-1]
    values, energy, problems = label_values(context, candidate_id, last)
    correction = context.spec.validation.correction if energy else NONE
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
        corrections=sorted(
            {name for calc in last_stage for name in calc.corrections} | ({correction} - {NONE})
        ),
        adjustments=dict(energy.adjustments) if energy else {},
        adjustment_uncertainty=energy.uncertainty if energy else None,
        run_type=last.run_type,
        custodian=[_made(calc, made) for calc in everything for made in calc.custodian],
        settings_changed=any(calc.settings_changed for calc in last_stage),
        warnings=[text for calc in everything for text in calc.warnings] + problems,
        core_hours=core_hours(everything),
        provenance={**_provenance(last_stage), **_first_stage(context, candidate_id, earlier)},
    )


def label_values(
    context: RoundContext, candidate_id: str, calculation: CalculationDoc
) -> tuple[dict[str, float], FormationEnergy | None, list[str]]:
    """Properties that a calculation tells, the energy behind them, and what is to be said where it
    tells less.

    A label without a formation energy keeps its total energy, so that nothing is lost if references
    come later. There is no distance to the hull where the hull does not cover the chemical system.

    Raises
    ------
    CorrectionRefused, MixedEnergies
        As `make_label`.
    """
    values = dict(calculation.values)
    try:
        energy = corrected_energy(context, candidate_id, calculation)
    except DatasetError as err:
        return values, None, [f"no formation energy: {err}"]
    values["formation_energy"] = energy.value
    composition, problems = calculation.structure.composition, list(energy.warnings)
    if (gap := context.hull.gap(element.symbol for element in composition.elements)) is None:
        values["e_above_hull"] = context.hull.e_above_hull(composition, energy.value)
    else:
        problems.append(gap)
    return values, energy, problems


def corrected_energy(
    context: RoundContext, candidate_id: str, calculation: CalculationDoc
) -> FormationEnergy:
    """Corrected formation energy of a calculation, once it is known that it may meet the hull.

    See `label_values`.
    """
    validation, preset = context.spec.validation, calculation.preset
    energy = formation_energy(
        calculation,
        validation.correction,
        context.fitted(preset),
        context.references(preset),
        candidate_id,
    )
    remedy = "Choose a validation.correction that leads to the hull's scale, or hull.source: engine"
    must_share(context.hull.scale, [energy.scale], f"energies of candidate {candidate_id}", remedy)
    return energy


def _made(calculation: CalculationDoc, made: CustodianCorrection) -> dict[str, Any]:
    """A correction of custodian's, as a label keeps it."""
    return {"preset": calculation.preset, "task": calculation.task, **made.model_dump()}


def _first_stage(
    context: RoundContext, candidate_id: str, earlier: Sequence[Sequence[CalculationDoc]]
) -> dict[str, Any]:
    """What the first stage found, for the provenance of a refined label."""
    if not earlier:
        return {}
    last = earlier[0][-1]
    values, _, _ = label_values(context, candidate_id, last)
    return {
        "first_stage": {
            "preset": last.preset,
            "settings_hash": last.settings_hash,
            "values": values,
        }
    }


def _provenance(calculations: Sequence[CalculationDoc]) -> dict[str, Any]:
    return {
        "versions": calculations[-1].versions,
        "calculations": [
            {
                "task": calc.task,
                "steps": calc.num_steps,
                "max_force": calc.max_force,
                "directory": calc.directory,
            }
            for calc in calculations
        ],
    }


def judge(context: RoundContext, candidate: CandidateDoc, label: LabelDoc) -> HitDoc | None:
    """The hit that a label makes of its candidate, or None if it misses a target."""
    if missed_target(context, candidate.predicted, label.engine, label.values) is not None:
        return None
    values, basis = values_and_basis(context, candidate.predicted, label.engine, label.values)
    from pymatgen.core import Structure

    structure = Structure.from_dict(label.structure)
    names = [target.property for target in context.spec.targets]
    return HitDoc(
        id=candidate.id,
        campaign_id=context.campaign_id,
        round_index=context.index,
        candidate_id=candidate.candidate_id,
        formula=structure.composition.reduced_formula,
        spacegroup=space_group_symbol(structure),
        values={name: values.get(name) for name in names},
        basis={name: basis.get(name, OPEN) for name in names},
        is_dft=label.is_dft and all(basis.get(name) == label.engine for name in names),
        label_id=label.id,
        hull_id=label.hull_id,
        structure=label.structure,
    )


def missed_target(
    context: RoundContext, predicted: Mapping[str, float], engine: str, found: Mapping[str, float]
) -> str | None:
    """The first property whose target a labelled candidate misses, None if it meets all.

    An open target is not missed, unless the engine or a step was to compute the property and yet
    gave no number for this candidate.

    Parameters
    ----------
    predicted, engine, found
        As for `values_and_basis`.
    """
    values, _ = values_and_basis(context, predicted, engine, found)
    still_open = set(context.open_properties) - provided(context.spec, engine)
    return targets.missed_target(context.spec.targets, values, still_open)


def values_and_basis(
    context: RoundContext, predicted: Mapping[str, float], engine: str, found: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, str]]:
    """Values of all properties of a labelled candidate, and where each is from: the engine, or
    `predicted`.

    Parameters
    ----------
    predicted
        What the candidate was predicted to have.
    engine, found
        Who labelled it, and the label's values.
    """
    allowed = context.spec.validation.unlabelled_targets == "predicted"
    # What was to be computed and yet has no number (a hull that lacks the system) is not predicted
    # either.
    refused = provided(context.spec, engine) - set(found)
    believed = {name: value for name, value in predicted.items() if name not in refused}
    values = {**(believed if allowed else {}), **found}
    return values, {name: engine if name in found else "predicted" for name in values}
