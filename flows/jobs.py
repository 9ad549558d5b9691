"""Thin jobs round the steps of a round; each opens the store of the worker's own settings.

What passes from job to job through the job store is small: ids and counters. Everything else lies
in the store.

Fireworks of running campaigns name jobs by this module: names and arguments stay. `refine`,
`collect` and `ingest` moved to `flows.candidates`; what stands here serves candidates that an
earlier version expanded.
"""

from __future__ import annotations

from typing import Any

from gen2dft.flows.candidates import refine
from gen2dft.flows.common import open_round, tag
from jobflow import Flow, Response, job

from gen2dft.ground import calibrate as calibrating
from gen2dft.rounds import ingest as ingesting
from gen2dft.rounds import propose as proposing
from gen2dft.rounds import screen as screening
from gen2dft.rounds import select as selecting
from gen2dft.rounds import train as training
from gen2dft.settings import load_settings
from gen2dft.store.connect import open_store
from gen2dft.transport import POWER_FACTOR

__all__ = [
    "collect",
    "finish_screen",
    "ingest",
    "keep_reference",
    "propose",
    "refine",
    "screen",
    "screen_chunk",
    "select",
    "train",
]


@job
def train(campaign_id: str, index: int) -> str:
    """Train the round's generator; the snapshot's id."""
    checkpoints = load_settings().data_dir / "checkpoints" / f"{campaign_id}-{index}"
    context = open_round(campaign_id, index)
    return training.train(context, checkpoints)


@job
def propose(campaign_id: str, index: int, snapshot_id: str) -> list[str]:  # noqa: ARG001
    """Sample, decode and pass the cheap gates; ids of the survivors."""
    context = open_round(campaign_id, index)
    return proposing.propose(context)


@job
def screen(campaign_id: str, index: int, candidate_ids: list[str]) -> Response[dict[str, Any]]:
    """Replace itself by one job per chunk of survivors and one that counts them."""
    context = open_round(campaign_id, index)
    context.progress("screen", 0, len(candidate_ids))
    chunks = []
    for chunk in screening.chunks(context, candidate_ids):
        step = screen_chunk(campaign_id, index, chunk)
        chunks.append(step)
    outputs = [chunk.output for chunk in chunks]
    last = finish_screen(campaign_id, index, candidate_ids, outputs)
    flow = Flow([*chunks, last], output=last.output, name="screen")
    tag(flow, context, "screen")
    return Response(replace=flow)


@job
def screen_chunk(campaign_id: str, index: int, candidate_ids: list[str]) -> int:
    """Relax one chunk with the ML potential and place it on the hull."""
    context = open_round(campaign_id, index)
    screening.screen_chunk(context, candidate_ids)
    return len(candidate_ids)


@job
def finish_screen(
    campaign_id: str,
    index: int,
    candidate_ids: list[str],
    chunks: list[int],  # noqa: ARG001 - gives the order
) -> dict[str, Any]:
    """Counters of the surrogate stage."""
    context = open_round(campaign_id, index)
    count = screening.finish_screen(context, candidate_ids)
    return count.model_dump()


@job
def select(campaign_id: str, index: int, surrogate_count: dict[str, Any]) -> int:
    """Queue the batch; how many candidates it holds."""
    context = open_round(campaign_id, index)
    return selecting.select(context, surrogate_count)


@job
def collect(calculations: list[Any], transport: Any = None) -> dict[str, Any]:
    """The job of that name in `flows.candidates`, as fireworks of earlier versions call it."""
    return {"calculations": calculations, "outcomes": {POWER_FACTOR: transport}}


@job
def ingest(
    campaign_id: str,
    index: int,
    candidate_id: str,
    calculations: list[Any],
    refined: dict[str, Any] | None = None,
    transport: Any = None,
) -> str:
    """The job of that name in `flows.candidates`, as fireworks of earlier versions call it."""
    fine = refined or {"calculations": [], "transport": transport}
    # A second stage that began under this version has given outcomes already.
    outcomes = fine.get("outcomes", {POWER_FACTOR: fine.get("transport")})
    context = open_round(campaign_id, index)
    return ingesting.ingest(context, candidate_id, calculations, fine["calculations"], outcomes)


@job
def keep_reference(
    key: str, phase: dict[str, str], calculations: list[Any], fit: dict[str, Any] | None = None
) -> str | None:
    """Keep a reference phase, and fit the correction if it was the last one.

    The calibration's id.
    """
    store = open_store(load_settings())
    calibrating.keep_reference(store, key, phase, calculations)
    if not fit:
        return None
    wanted = calibrating.Fit(**fit)
    calibration = calibrating.fit_if_complete(store, wanted)
    if calibration is None:
        return None
    return calibration.id
