"""What property steps found out about a crystal, taken into its label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gen2dft.property_steps import Made, PropertyStep, StepOutcome, made_by, settings_of, steps_of
from gen2dft.rounds.round import Round
from gen2dft.store.documents import LabelDoc


def with_properties(context: Round, label: LabelDoc, outcomes: Mapping[str, Any]) -> LabelDoc:
    """The label with the values of all steps that the campaign asks for, or why there are none.

    Parameters
    ----------
    outcomes
        Property to the output of its step; a step that is missing left nothing.

    Raises
    ------
    PluginMissing
        If a step is from a package that is not here.
    """
    candidate = context.store.candidate(context.campaign_id, label.candidate_id)
    formula = candidate.formula or ""
    made = Made(
        label.id, label.campaign_id, label.candidate_id, formula,
        label.engine, label.is_dft, label.preset, label.settings_hash,
    )  # fmt: skip
    for step in steps_of(context.spec):
        settings = settings_of(step, context.spec)
        output = outcomes.get(step.name)
        outcome = step.keep(context.store, made, settings, output)
        label = merged(label, step, outcome)
    return label


def merged(label: LabelDoc, step: PropertyStep, outcome: StepOutcome) -> LabelDoc:
    """The label with the outcome of one step; later steps win where two give the same property."""
    said = list(outcome.warnings)
    if outcome.reason is not None:
        wanted = step.name.replace("_", " ")
        said.append(f"no {wanted}: {outcome.reason}: {outcome.detail}")
    core_hours = label.core_hours + outcome.core_hours
    costs = dict(label.costs)
    parts = outcome.costs or {step.name: outcome.core_hours}
    for part, hours in parts.items():
        if hours > 0:  # a step that was left out has cost nothing
            costs[part] = costs.get(part, 0.0) + hours
    earlier = label.provenance.get("properties", {})
    steps = {**earlier, step.name: made_by(step.name, outcome)}
    changed = {
        "values": {**label.values, **outcome.values},
        "errors": {**label.errors, **outcome.errors},
        "doubts": sorted({*label.doubts, *outcome.doubts}),
        "warnings": [*label.warnings, *said],
        "core_hours": core_hours,
        "costs": costs,
        "provenance": {**label.provenance, "properties": steps},
    }
    return label.model_copy(update=changed)
