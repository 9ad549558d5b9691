"""What jobs of every flow share: the round opened on the worker that runs them, and the tags by
which FireWorks finds them.
"""

from __future__ import annotations

from typing import Any

from jobflow import Flow, Job

from gen2dft.campaign import StageResources
from gen2dft.rounds.context import RoundContext
from gen2dft.settings import load_settings
from gen2dft.store.connect import open_store


def open_round(campaign_id: str, index: int) -> RoundContext:
    """The round, read from this worker's store."""
    return RoundContext(open_store(load_settings()), campaign_id, index)


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
