"""Competing phases of one candidate: each through relax -> static -> keep, unless it is computed
already. Blind to which engine it is.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from gen2dft.flows.common import memory_store, open_round, run_here, tag
from gen2dft.flows.phases import calculations_of
from jobflow import Flow, Job, OnMissing, Response, job

from gen2dft.engines import load_engine
from gen2dft.engines.makers import makers_of
from gen2dft.engines.outcomes import core_hours, stage_problem
from gen2dft.ground.calibrate import Reference, keep_reference, phase_fields
from gen2dft.ground.competing import Competitor
from gen2dft.rounds import competing
from gen2dft.rounds import ingest as ingesting
from gen2dft.rounds.round import Round
from gen2dft.settings import load_settings
from gen2dft.store.connect import open_store
from gen2dft.store.documents import LabelDoc
from gen2dft.store.store import Store


def flow_of_phase(phase: Competitor, reference: Reference, cpu_minutes: float | None) -> Flow:
    """The flow of one phase; its output is that of `keep_phase`.

    Parameters
    ----------
    cpu_minutes
        Limit of CPU time; None: no limit.
    """
    steps = _calculations(reference, cpu_minutes)
    outputs = [step.output for step in steps]
    keep = keep_phase(phase.name, reference.key, phase_fields(reference), outputs)
    # A calculation that crashed leaves nothing; the rest still runs, so that there is a reason.
    for later in (*steps[1:], keep):
        later.config.on_missing_references = OnMissing.NONE
    return Flow([*steps, keep], output=keep.output, name=f"competing {phase.name}")


def _calculations(reference: Reference, cpu_minutes: float | None) -> list[Job]:
    makers = makers_of(load_engine(reference.engine), reference.preset, cpu_minutes)
    return calculations_of(reference.phase, makers.relax, makers.static)


@job
def compete(
    campaign_id: str,
    index: int,
    candidate_id: str,
    calculations: list[Any],
    outcomes: dict[str, Any] | None = None,
) -> Response[dict[str, Any]]:
    """After a candidate's own calculations: replace itself by those of its competing phases, if it
    may become a hit and they are not computed yet.
    """
    context = open_round(campaign_id, index)
    label = ingesting.label_or_failure(context, candidate_id, calculations, (), outcomes or {})
    if not isinstance(label, LabelDoc):
        return Response(output={})
    plan = competing.plan_for(context, label)
    if not plan.phases:
        return Response(output=asdict(plan.told))
    return Response(replace=flow_of(context, candidate_id, plan))


def flow_of(context: Round, candidate_id: str, plan: competing.Plan) -> Flow:
    """The calculations of a plan's phases; its output is what a label takes."""
    limit = context.spec.validation.cpu_minutes
    phases = [flow_of_phase(phase, reference, limit) for phase, reference in plan.phases]
    last = gather(asdict(plan.told), [phase.output for phase in phases])
    last.config.on_missing_references = OnMissing.NONE
    flow = Flow([*phases, last], output=last.output, name=f"competing phases {candidate_id}")
    tag(flow, context, "validate", candidate_id)
    return flow


@job
def gather(told: dict[str, Any], outcomes: list[dict[str, Any] | None]) -> dict[str, Any]:
    """What the phases of one candidate came to."""
    return asdict(competing.Told.of(told).joined(outcomes))


@job
def keep_phase(
    name: str, key: str, phase: dict[str, str], calculations: list[Any]
) -> dict[str, Any]:
    """Keep a computed phase, or say why there is none; it never fails, so that nothing waits."""
    store = open_store(load_settings())
    return kept(store, name, key, phase, calculations)


def kept(
    store: Store, name: str, key: str, phase: dict[str, str], calculations: list[Any]
) -> dict[str, Any]:
    """See `keep_phase`."""
    failure = stage_problem(calculations)
    problem = None
    if failure is None:
        # Without the candidate's own formula a product need not be stable in truth.
        keep_reference(store, key, phase, calculations, known_stable=False)
    else:
        problem = f"{failure.reason}: {failure.detail}"
    return {"name": name, "key": key, "problem": problem, "core_hours": core_hours(calculations)}


def compute_here(
    store: Store, plan: competing.Plan, folder: Path, cpu_minutes: float
) -> competing.Told:
    """Compute a plan's phases in this process, without a queue.

    Each is kept as soon as it is finished, so that the same again goes on from there.

    Parameters
    ----------
    folder
        For the files, one folder per phase.
    cpu_minutes
        Limit of CPU time for one phase.
    """
    told = plan.told
    for phase, reference in plan.phases:
        calculations = calculate_here(reference, folder, cpu_minutes)
        fields = phase_fields(reference)
        outcome = kept(store, phase.name, reference.key, fields, calculations)
        told = told.joined([outcome])
    return told


def calculate_here(reference: Reference, folder: Path, cpu_minutes: float) -> list[Any]:
    """Relaxation and energy of one crystal, in this process; None for what crashed."""
    place = folder / reference.key
    place.mkdir(parents=True, exist_ok=True)
    return run_steps(_calculations(reference, cpu_minutes), place)


def run_steps(steps: list[Job], folder: Path) -> list[Any]:
    """The outputs of jobs that follow each other, run in this process; None for one that
    crashed.
    """
    for later in steps[1:]:
        later.config.on_missing_references = OnMissing.NONE
    collect = outputs_of([step.output for step in steps])
    collect.config.on_missing_references = OnMissing.NONE
    flow = Flow([*steps, collect], output=collect.output)
    found: list[Any] = run_here(flow, folder, memory_store()) or [None] * len(steps)
    return found


@job
def outputs_of(outputs: list[Any]) -> list[Any]:
    """The outputs of the jobs before."""
    return outputs
