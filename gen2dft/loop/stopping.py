"""When a campaign ends, and how many calls are left to it."""

from __future__ import annotations

from collections.abc import Sequence

from gen2dft.campaign import LearningSpec


def stop_reason(
    spec: LearningSpec, hits_per_round: Sequence[int], oracle_calls: int, core_hours: float
) -> str | None:
    """Why the campaign ends after the rounds closed so far, or None to go on.

    Parameters
    ----------
    hits_per_round
        New hits of each closed round, in order; those that count (`counts`).
    oracle_calls, core_hours
        Spent on validation so far.
    """
    rounds, hits = len(hits_per_round), sum(hits_per_round)
    budget = spec.budget
    if rounds >= spec.rounds:
        return f"all {spec.rounds} rounds are done"
    if budget.oracle_calls is not None and oracle_calls >= budget.oracle_calls:
        return f"the budget of {budget.oracle_calls} oracle calls is spent"
    if budget.core_hours is not None and core_hours >= budget.core_hours:
        return f"the budget of {budget.core_hours:g} core-hours is spent"
    if spec.hits is not None and hits >= spec.hits:
        return f"{hits} hits are found, {spec.hits} were wanted"
    if spec.patience is None or rounds < spec.patience:
        return None
    lately = hits_per_round[-spec.patience :]
    if any(lately):
        return None
    return f"no new hit in the last {spec.patience} rounds"


def counts(spec: LearningSpec, evidence: str) -> bool:
    """Whether a hit of this evidence counts for the rules on hits."""
    enough = {
        "any": ("dft", "mixed", "surrogate"),
        "mixed": ("dft", "mixed"),
        "dft": ("dft",),
    }
    return evidence in enough[spec.hits_evidence]


def calls_left(spec: LearningSpec, oracle_calls: int) -> int:
    """How many candidates the next batch may hold."""
    budget = spec.budget.oracle_calls
    if budget is None:
        return spec.batch
    left = max(0, budget - oracle_calls)
    return min(spec.batch, left)
