"""Write what an engine found out about a candidate: its label, its hit, or why there is none.

Each exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gen2dft.engines.base import CalculationFailure, Outcome
from gen2dft.engines.outcomes import core_hours, costs_of, finished, stage_problem
from gen2dft.errors import CorrectionRefused, MixedEnergies, PluginMissing
from gen2dft.rounds import breaker, reuse
from gen2dft.rounds.competing import COMPETING, with_decomposition
from gen2dft.rounds.computed_properties import with_properties
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.judging import judge
from gen2dft.rounds.labelling import make_label
from gen2dft.rounds.plausible import label_problem, with_remark
from gen2dft.rounds.round import Round
from gen2dft.store.documents import LabelDoc
from gen2dft.store.states import State

PLUGIN_MISSING = "plugin_missing"
# Errors that close a candidate instead of crashing its job.
REFUSALS: dict[type[Exception], str] = {
    CorrectionRefused: "correction_refused",
    MixedEnergies: "energies_not_comparable",
    PluginMissing: PLUGIN_MISSING,
}


def ingest(
    context: Round,
    candidate_id: str,
    calculations: Sequence[Outcome | None],
    refined: Sequence[Outcome | None] = (),
    outcomes: Mapping[str, Any] | None = None,
) -> str:
    """Write the label of one candidate, or why there is none; the candidate's new state.

    Parameters
    ----------
    calculations
        The finished calculations in order, the last one with the final energy; None for one that
        left nothing.
    refined
        Those of the second stage, which then make the label; empty if the candidate did not go on
        to it.
    outcomes
        Property to the output of its step; a step that is missing left nothing. Under COMPETING
        what the competing phases came to.
    """
    label = label_or_failure(context, candidate_id, calculations, refined, outcomes or {})
    if isinstance(label, LabelDoc):
        reuse.remember(context, candidate_id, label.id, finished(calculations), finished(refined))
    return write(context, candidate_id, label)


def label_or_failure(
    context: Round,
    candidate_id: str,
    calculations: Sequence[Outcome | None],
    refined: Sequence[Outcome | None],
    outcomes: Mapping[str, Any],
) -> LabelDoc | CalculationFailure:
    """The label that calculations and property steps make, or why there is none; see `ingest`."""
    stages = {"": calculations, "refine_": refined} if refined else {"": calculations}
    everything = [*calculations, *refined]
    spent = {"core_hours": core_hours(everything), "costs": costs_of(everything)}
    for prefix, stage in stages.items():
        problem = stage_problem(stage)
        if problem is not None:
            reason = prefix + problem.reason
            return CalculationFailure(reason=reason, detail=problem.detail, **spent)
    done = [finished(stage) for stage in stages.values()]
    try:
        label = make_label(footing_of(context), candidate_id, *done)
        problem = label_problem(context, label, done[-1][-1])
        if problem is not None:
            return problem.model_copy(update=spent)
        if done[-1][-1].task != "look":  # which relaxed nothing
            label = with_decomposition(context, label, outcomes.get(COMPETING))
        return with_properties(context, with_remark(context, label), outcomes)
    except tuple(REFUSALS) as refusal:
        reason = REFUSALS[type(refusal)]
        return CalculationFailure(reason=reason, detail=str(refusal), **spent)


def write(context: Round, candidate_id: str, label: LabelDoc | CalculationFailure) -> str:
    """Write a label, and the hit that it makes if it meets all targets; a failure closes the
    candidate.

    Writing it again changes nothing: a worker that is killed in between leaves the rest to the next
    one. The candidate's new state.
    """
    if isinstance(label, CalculationFailure):
        lost = Lost(label.core_hours, label.costs)
        return give_up(context, candidate_id, label.reason, label.detail, lost)
    store = context.store
    store.insert_new(label)
    store.move_candidate(context.campaign_id, candidate_id, "labelled")
    breaker.engine_works(context)
    candidate = store.candidate(context.campaign_id, candidate_id)
    hit = judge(context, candidate, label)
    if hit is None:
        return "labelled"
    store.insert_new(hit)
    store.move_candidate(context.campaign_id, candidate_id, "hit")
    return "hit"


def wants_refinement(
    context: Round, candidate_id: str, calculations: Sequence[Outcome | None]
) -> bool:
    """Whether a candidate goes on to the second stage: the first one succeeded and ended near
    enough to the hull.
    """
    refine = context.spec.validation.refine
    if refine is None or stage_problem(calculations) is not None:
        return False
    try:
        label = make_label(footing_of(context), candidate_id, finished(calculations))
    except (CorrectionRefused, MixedEnergies):
        return False  # ingest meets the same refusal and writes the reason
    distance = label.values.get("e_above_hull")
    last = finished(calculations)[-1]
    if distance is None or label_problem(context, label, last) is not None:
        return False
    method = context.store.candidate(context.campaign_id, candidate_id).sampler
    return distance <= refine.limit(method)


def begin_attempt(context: Round, candidate_id: str) -> bool:
    """Mark a candidate as running.

    False if it is closed already or has used up its attempts, and is given up. While the campaign
    is paused nothing begins: the candidate stays queued and is dispatched again afterwards.
    """
    store, campaign_id = context.store, context.campaign_id
    candidate = store.candidate(campaign_id, candidate_id)
    if not candidate.standing.is_open or context.campaign.state == "paused":
        # Whoever closed it may have been killed before it was tallied.
        store.tally.follow([candidate.id])
        return False
    allowed = context.spec.validation.attempts
    if candidate.attempts >= allowed:
        give_up(context, candidate_id, "too_many_attempts", f"its worker died {allowed} times")
        return False
    store.set_candidate(campaign_id, candidate_id, attempts=candidate.attempts + 1)
    store.move_candidate(campaign_id, candidate_id, "running")
    return True


@dataclass(frozen=True)
class Lost:
    """What calculations without a label have cost: core-hours in all, and by step."""

    core_hours: float = 0.0
    costs: Mapping[str, float] = field(default_factory=dict)


def give_up(
    context: Round, candidate_id: str, reason: str, detail: str, lost: Lost | None = None
) -> str:
    """Close a candidate without a label.

    What it has cost counts against the budget all the same.
    """
    state = State.given_up(reason)
    lost = lost or Lost()
    cost = {"lost_core_hours": lost.core_hours, "lost_costs": dict(lost.costs)}
    context.store.move_candidate(context.campaign_id, candidate_id, state, failure=detail, **cost)
    breaker.engine_failed(context, candidate_id, reason, detail)
    return str(state)
