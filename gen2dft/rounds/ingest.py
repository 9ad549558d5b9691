"""Write what an engine found out about a candidate: its label, its hit, or why there is none.

Each exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gen2dft.engines.base import CalculationFailure, Outcome
from gen2dft.engines.outcomes import core_hours, finished, stage_problem
from gen2dft.errors import CorrectionRefused, MixedEnergies, PluginMissing
from gen2dft.rounds import breaker, reuse
from gen2dft.rounds.computed_properties import with_properties
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.judging import judge
from gen2dft.rounds.labelling import make_label
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


@dataclass(frozen=True)
class Computed:
    """What was computed for one candidate.

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
    reused_from
        Label whose calculations these are, if they were not made for this candidate.
    """

    calculations: Sequence[Outcome | None]
    refined: Sequence[Outcome | None] = ()
    outcomes: Mapping[str, Any] = field(default_factory=dict)
    reused_from: str | None = None

    @property
    def stages(self) -> dict[str, Sequence[Outcome | None]]:
        """Prefix of the reasons of a stage to its calculations, in order."""
        first = {"": self.calculations}
        return {**first, "refine_": self.refined} if self.refined else first

    @property
    def core_hours(self) -> float:
        """What all of it has cost."""
        return core_hours([*self.calculations, *self.refined])

    def problem(self) -> CalculationFailure | None:
        """Why no label can be made of it; None if one can."""
        for prefix, stage in self.stages.items():
            problem = stage_problem(stage)
            if problem is not None:
                return problem.model_copy(update={"reason": prefix + problem.reason})
        return None


def ingest(
    context: Round,
    candidate_id: str,
    calculations: Sequence[Outcome | None],
    refined: Sequence[Outcome | None] = (),
    outcomes: Mapping[str, Any] | None = None,
    reused_from: str | None = None,
) -> str:
    """Write what was computed for one candidate; the candidate's new state.

    Parameters
    ----------
    calculations, refined, outcomes, reused_from
        As in `Computed`.
    """
    computed = Computed(calculations, refined, outcomes or {}, reused_from)
    problem = computed.problem()
    if problem is not None:
        spent = computed.core_hours
        return give_up(context, candidate_id, problem.reason, problem.detail, spent)
    try:
        label = label_of(context, candidate_id, computed)
    except tuple(REFUSALS) as refusal:
        reason = REFUSALS[type(refusal)]
        return give_up(context, candidate_id, reason, str(refusal), computed.core_hours)
    if reused_from is None:
        first, second = finished(calculations), finished(refined)
        reuse.remember(context, candidate_id, label.id, first, second)
    return keep(context, candidate_id, label)


def label_of(context: Round, candidate_id: str, computed: Computed) -> LabelDoc:
    """The label that a candidate's calculations and property steps make.

    Raises
    ------
    CorrectionRefused, MixedEnergies, PluginMissing
        See `REFUSALS`.
    """
    stages = [finished(stage) for stage in computed.stages.values()]
    label = make_label(footing_of(context), candidate_id, *stages)
    label = with_properties(context, label, computed.outcomes)
    return label.model_copy(update={"reused_from": computed.reused_from})


def keep(context: Round, candidate_id: str, label: LabelDoc) -> str:
    """Write a label, and the hit if it meets the targets; the candidate's new state.

    The label comes first: a worker killed in between leaves a label whose state the next one moves.
    """
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
    if distance is None:
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


def give_up(
    context: Round, candidate_id: str, reason: str, detail: str, core_hours: float = 0.0
) -> str:
    """Close a candidate without a label.

    What it has cost counts against the budget all the same.
    """
    state = State.given_up(reason)
    context.store.move_candidate(
        context.campaign_id, candidate_id, state, failure=detail, lost_core_hours=core_hours
    )
    breaker.engine_failed(context, candidate_id, reason, detail)
    return str(state)
