"""What the calculations of one stage come to: finished documents, the first problem, the cost."""

from __future__ import annotations

from collections.abc import Sequence

from gen2dft.campaign.engine_defaults import EXTERNAL
from gen2dft.engines import ENGINES, load_engine
from gen2dft.engines.base import BREAKDOWNS, STEPS, CalculationDoc, CalculationFailure, Outcome
from gen2dft.engines.guard import NOT_CONVERGED, bounds_of, problem_of
from gen2dft.settings import allows_stand_in


def stage_problem(calculations: Sequence[Outcome | None]) -> CalculationFailure | None:
    """Why the calculations of one stage make no label; None if they do."""
    failure = next(
        (_failure(calc) for calc in calculations if not isinstance(calc, CalculationDoc)), None
    )
    if failure is not None:
        return failure
    done = finished(calculations)
    if any(calculation.is_stand_in for calculation in done) and not allows_stand_in():
        detail = (
            "a program that only stands in for the engine, as tests use it, computed this: "
            "it is no result"
        )
        return CalculationFailure(reason="stand_in", detail=detail)
    for calculation in done:
        # Again: a document may have been read from disk, or be of another campaign or version.
        problem = problem_of(calculation, bounds_of(calculation.engine))
        if problem is not None:
            return problem
    if all(calculation.converged for calculation in done):
        return None
    return CalculationFailure(reason=NOT_CONVERGED, detail="the relaxation did not converge")


def tells_of_the_engine(engine: str, reason: str) -> bool:
    """Whether a failure says that the engine does not work, whatever the crystal.

    A worker that lacks the engine knows only the reasons that all engines share. Of an engine whose
    results are told nobody here can tell.
    """
    if engine == EXTERNAL:
        return False
    own = load_engine(engine).breakdowns if engine in ENGINES else frozenset()
    return reason in BREAKDOWNS | own


def core_hours(calculations: Sequence[Outcome | None]) -> float:
    """What the calculations of one candidate have cost.

    A failure is handed on through its stage and counts once.
    """
    failures = [calc for calc in calculations if isinstance(calc, CalculationFailure)]
    failed = failures[0].core_hours if failures else 0.0
    return failed + sum(calc.core_hours for calc in finished(calculations))


def costs_of(calculations: Sequence[Outcome | None]) -> dict[str, float]:
    """What the calculations of one candidate have cost by step, core-hours; failures as in
    `core_hours`.
    """
    costs: dict[str, float] = {}
    for calculation in finished(calculations):
        step = STEPS[calculation.task]
        costs[step] = costs.get(step, 0.0) + calculation.core_hours
    failures = [calc for calc in calculations if isinstance(calc, CalculationFailure)]
    for step, hours in failures[0].costs.items() if failures else ():
        costs[step] = costs.get(step, 0.0) + hours
    return costs


def finished(calculations: Sequence[Outcome | None]) -> list[CalculationDoc]:
    """Those of the calculations that ended with a result."""
    return [calculation for calculation in calculations if isinstance(calculation, CalculationDoc)]


def _failure(calculation: CalculationFailure | None) -> CalculationFailure:
    if calculation is not None:
        return calculation
    return CalculationFailure(reason="calculation_crashed", detail="the calculation left no result")
