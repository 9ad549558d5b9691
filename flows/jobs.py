"""Thin jobs round the steps of a round; each opens the store of the worker's own settings.

What passes from job to job through the job store is small: ids and counters. Everything else lies
in the store.
"""

from __future__ import annotations

from typing import Any

from jobflow import Flow, Job, Response, job

from gen2dft.campaign import StageResources
from gen2dft.ground import calibrate as calibrating
from gen2dft.rounds import ingest as ingesting
from gen2dft.rounds import propose as proposing
from gen2dft.rounds import screen as screening
from gen2dft.rounds import select as selecting
from gen2dft.rounds import train as training
from gen2dft.rounds.context import RoundContext
from gen2dft.settings import load_settings
from gen2dft.store.connect import open_store


def open_round(campaign_id: str, index: int) -> RoundContext:
    """The round, read from this worker's store."""
    return RoundContext(open_store(load_settings()), campaign_id, index)


@job
def train(campaign_id: str, index: int) -> str:
    """Train the round's generator; the snapshot's id."""
    checkpoints = load_settings().data_dir / "checkpoints" / f"{campaign_id}-{index}"
    return training.train(open_round(campaign_id, index), checkpoints)


@job
def propose(campaign_id: str, index: int, snapshot_id: str) -> list[str]:  # noqa: ARG001
    """Sample, decode and pass the cheap gates; ids of the survivors."""
    return proposing.propose(open_round(campaign_id, index))


@job
def screen(campaign_id: str, index: int, candidate_ids: list[str]) -> Response[dict[str, Any]]:
    """Replace itself by one job per chunk of survivors and one that counts them."""
    context = open_round(campaign_id, index)
    context.progress("screen", 0, len(candidate_ids))
    chunks = [
        screen_chunk(campaign_id, index, chunk)
        for chunk in screening.chunks(context, candidate_ids)
    ]
    last = finish_screen(campaign_id, index, candidate_ids, [chunk.output for chunk in chunks])
    flow = Flow([*chunks, last], output=last.output, name="screen")
    tag(flow, context, "screen")
    return Response(replace=flow)


@job
def screen_chunk(campaign_id: str, index: int, candidate_ids: list[str]) -> int:
    """Relax one chunk with the ML potential and place it on the hull."""
    screening.screen_chunk(open_round(campaign_id, index), candidate_ids)
    return len(candidate_ids)


@job
def finish_screen(
    campaign_id: str,
    index: int,
    candidate_ids: list[str],
    chunks: list[int],  # noqa: ARG001 - gives the order
) -> dict[str, Any]:
    """Counters of the surrogate stage."""
    return screening.finish_screen(open_round(campaign_id, index), candidate_ids).model_dump()


@job
def select(campaign_id: str, index: int, surrogate_count: dict[str, Any]) -> int:
    """Queue the batch; how many candidates it holds."""
    return selecting.select(open_round(campaign_id, index), surrogate_count)


@job
def refine(
    campaign_id: str, index: int, candidate_id: str, calculations: list[Any]
) -> Response[dict[str, Any]]:
    """Near enough to the hull: replace itself by the second stage and what it gives.

    Nothing without that stage.
    """
    from gen2dft.flows.candidates import CandidateMaker

    context = open_round(campaign_id, index)
    if not ingesting.wants_refinement(context, candidate_id, calculations):
        return Response(output={})
    return Response(
        replace=CandidateMaker.of_campaign(context).second_stage(
            context, candidate_id, calculations[-1]
        )
    )


@job
def collect(calculations: list[Any], transport: Any = None) -> dict[str, Any]:
    """What a stage gives: its calculations, those too that left nothing, and the transport if it
    was computed.
    """
    return {"calculations": calculations, "transport": transport}


@job
def ingest(
    campaign_id: str,
    index: int,
    candidate_id: str,
    calculations: list[Any],
    refined: dict[str, Any] | None = None,
    transport: Any = None,
) -> str:
    """Write the label of one candidate, or why there is none; the candidate's new state."""
    fine = refined or {"calculations": [], "transport": transport}
    context = open_round(campaign_id, index)
    return ingesting.ingest(
        context, candidate_id, calculations, fine["calculations"], fine["transport"]
    )


@job
def keep_reference(
    key: str, phase: dict[str, str], calculations: list[Any], fit: dict[str, Any] | None = None
) -> str | None:
    """Keep a reference phase, and fit the correction if it was the last one.

    The calibration's id.
    """
    store = open_store(load_settings())
    calibrating.keep_reference(store, key, phase, calculations)
    calibration = calibrating.fit_if_complete(store, calibrating.Fit(**fit)) if fit else None
    return calibration.id if calibration else None


def tag(
    flow: Flow | Job, context: RoundContext, stage: str, candidate_id: str | None = None
) -> None:
    """Write into every job of a round what it belongs to, and what it asks of the queue."""
    resources = {
        "train": context.spec.resources.train,
        "validate": context.spec.resources.validate_,
    }.get(stage, context.spec.resources.screen)
    belongs = {"campaign_id": context.campaign_id, "round": context.index, "stage": stage}
    if candidate_id is not None:
        belongs["candidate_id"] = candidate_id
    mark(flow, belongs, resources)


def mark(flow: Flow | Job, belongs: dict[str, Any], resources: StageResources) -> None:
    """Write into every job what it belongs to and asks of the queue.

    FireWorks shows both in its spec.
    """
    queue: dict[str, Any] = {"ntasks": resources.cores, "walltime": resources.walltime}
    if resources.memory_gb is not None:
        queue["mem"] = f"{resources.memory_gb:g}G"
    config: dict[str, Any] = {"_queueadapter": queue}
    if belongs["stage"] == "validate":
        config["_priority"] = 1  # one candidate is finished before the next is expanded
    if resources.category is not None:
        config["_category"] = resources.category
    flow.update_metadata({"gen2dft": belongs})
    flow.update_config({"manager_config": config})
