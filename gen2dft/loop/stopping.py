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
        New hits of each closed round, in order.
    oracle_calls, core_hours
        Spent on validation so far.
    """
    if len(hits_per_round) >= spec.rounds:
        return f"all {spec.rounds} rounds are done"
    if spec.budget.oracle_calls is not None and oracle_calls >= spec.budget.oracle_calls:
        return f"the budget of {spec.budget.oracle_calls} oracle calls is spent"
    if spec.budget.core_hours is not None and core_hours >= spec.budget.core_hours:
        return f"the budget of {spec.budget.core_hours:g} core-hours is spent"
    if spec.hits is not None and sum(hits_per_round) >= spec.hits:
        return f"{sum(hits_per_round)} hits are found, {spec.hits} were wanted"
    if (
        spec.patience is not None
        and len(hits_per_round) >= spec.patience
        and not any(hits_per_round[-spec.patience :])
    ):
        return f"no new hit in the last {spec.patience} rounds"
    return None


def calls_left(spec: LearningSpec, oracle_calls: int) -> int:
    """How many candidates the next batch may hold."""
    if spec.budget.oracle_calls is None:
        return spec.batch
    return max(0, min(spec.batch, spec.budget.oracle_calls - oracle_calls))
