"""Which step of which candidate runs, and how long such steps took before, in a line each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from gen2dft.ledger import STEPS
from gen2dft.report.wording import chemical, duration
from gen2dft.store.documents import now

if TYPE_CHECKING:
    from gen2dft.launchpad.running import Running
    from gen2dft.store.store import Store

HOUR = 3600.0
TIMES = " for "  # in a line, between the step and how long it has been at work


def at_work(store: Store, lpad: Any, campaign_id: str) -> list[str]:
    """A line for each step of a candidate that runs, the longest at work first.

    Parameters
    ----------
    lpad
        FireWorks' LaunchPad.
    """
    from gen2dft.launchpad.running import running

    runs = [run for run in running(lpad, campaign_id) if run.candidate_id is not None]
    if not runs:
        return []
    names = formulas(store, campaign_id, runs)
    usual = usual_seconds(store, campaign_id)
    moment = now()
    return [_line(run, names, usual, moment) for run in runs]


def formulas(store: Store, campaign_id: str, runs: list[Running]) -> dict[str, str]:
    """Candidate to formula."""
    keys = [run.candidate_id for run in runs]
    fields = ("candidate_id", "formula")
    found = store.candidate_fields(campaign_id, fields, candidate_id={"$in": keys})
    return {entry["candidate_id"]: chemical(entry.get("formula") or "") for entry in found}


def usual_seconds(store: Store, campaign_id: str) -> dict[str, float]:
    """Step to the median CPU time that it took for the labels of a campaign, s."""
    times: dict[str, list[float]] = defaultdict(list)
    for label in store.label_fields(campaign_id, ("costs",)):
        for step, hours in (label.get("costs") or {}).items():
            times[step].append(HOUR * hours)
    return {step: median(seconds) for step, seconds in times.items()}


def _line(
    run: Running, names: Mapping[str, str], usual: Mapping[str, float], moment: datetime
) -> str:
    seconds = (moment - run.since).total_seconds()
    candidate = str(run.candidate_id)
    who = f"{names.get(candidate, '')} {candidate}".strip()
    line = f"{who}: {run.name}{TIMES}{duration(max(seconds, 0.0))}"
    before = usual.get(step_of(run.name))
    return line if before is None else f"{line}, usually {duration(before)}"


def step_of(name: str) -> str:
    """The step of a validation that a job's name speaks of; the name itself if it names none."""
    spoken = name.split()
    return next((step for step in STEPS if step in spoken), name)
