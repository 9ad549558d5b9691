"""Outcomes of calculations are kept on disk until the database has them.

A worker may lose the database just when hours of computing have ended. So the outcome is written to
the folder of the run first, under the identity of its job; the same job, run again there or after a
lost run, takes it from there.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from monty.json import jsanitize

from gen2dft.atomic import write_atomically
from gen2dft.engines.base import CalculationDoc, CalculationFailure, Outcome
from gen2dft.engines.kit import lost_runs

FILE = "gen2dft-outcome.json"
KINDS: dict[str, type[Outcome]] = {
    kind.__name__: kind for kind in (CalculationDoc, CalculationFailure)
}
P = ParamSpec("P")
R = TypeVar("R")


def computed_once(compute: Callable[P, R]) -> Callable[P, R]:
    """Let a function that computes in a firework's folder give what it has computed before, if that
    is still there.
    """

    @functools.wraps(compute)
    def with_memory(*args: P.args, **kwargs: P.kwargs) -> R:
        job = _job()
        if job is None:
            return compute(*args, **kwargs)
        for folder in (Path.cwd(), *map(Path, reversed(lost_runs()))):
            if (known := read_outcome(folder / FILE, job)) is not None:
                return cast("R", known)
        outcome = compute(*args, **kwargs)
        if isinstance(outcome, Outcome):
            write_outcome(Path.cwd() / FILE, job, outcome)
        return outcome

    return with_memory


def write_outcome(path: Path, job: str, outcome: Outcome) -> None:
    """Write an outcome as a whole or not at all."""
    content = {"job": job, "kind": type(outcome).__name__, "outcome": plain(outcome)}
    write_atomically(path, json.dumps(content))


def read_outcome(path: Path, job: str) -> Outcome | None:
    """The outcome that a file holds, if it is of this job.

    None without a file, as in a folder of another machine.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    return (
        KINDS[content["kind"]].model_validate(content["outcome"]) if content["job"] == job else None
    )


def plain(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON and MongoDB take it; the class's `model_validate` reads it."""
    data: dict[str, Any] = jsanitize(outcome.model_dump(), strict=True)
    return data


def _job() -> str | None:
    """Identity of the job that runs as a firework just now; None outside of one."""
    from jobflow import CURRENT_JOB

    job = CURRENT_JOB.job
    return f"{job.uuid} {job.index}" if job is not None and "fw_id" in job.metadata else None
