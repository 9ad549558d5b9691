"""What jobs of every flow share: the round opened on the worker that runs them, and the tags by
which FireWorks finds them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobflow import Flow, Job, JobStore

from gen2dft.campaign import StageResources
from gen2dft.rounds.round import Round
from gen2dft.settings import load_settings
from gen2dft.store.connect import open_store


def open_round(campaign_id: str, index: int) -> Round:
    """The round, read from this worker's store."""
    return Round(open_store(load_settings()), campaign_id, index)


# Further apart than rounds are.
OF_STEPS, OF_BEGUN = 2_000_000, 1_000_000


def priority(belongs: Mapping[str, Any]) -> int:
    """Priority of a firework; FireWorks begins with the largest.

    The steps of a round come first, so that what is left over of a closed round never delays the
    next training. A candidate that has begun is finished before another one begins, and one of a
    later round begins before what an earlier one left over.

    Parameters
    ----------
    belongs
        Its stage, and the number of its round if it belongs to one.
    """
    stage, index = belongs["stage"], int(belongs.get("round", 0))
    if stage == "dispatch":
        return index
    return index + (OF_BEGUN if stage == "validate" else OF_STEPS)


def memory_store() -> JobStore:
    """A job store for work of this process alone."""
    from maggma.stores import MemoryStore

    return JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})


def run_here(work: Flow | Job, folder: Path, store: JobStore) -> Any:
    """The output of a flow or a job, run in this process without a queue; None if it crashed.

    Each job has a folder of its own below the one given.
    """
    from jobflow import run_locally
    from monty.json import MontyDecoder

    with warnings.catch_warnings():
        # jobflow 0.4.0 with monty >= 2026
        warnings.filterwarnings("ignore", "cd is deprecated", FutureWarning)
        run_locally(work, create_folders=True, root_dir=folder, store=store, log=False)
    return MontyDecoder().process_decoded(store.get_output(work.output.uuid, load=True))


def tag(flow: Flow | Job, context: Round, stage: str, candidate_id: str | None = None) -> None:
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
    config["_priority"] = priority(belongs)
    if resources.category is not None:
        config["_category"] = resources.category
    flow.update_metadata({"gen2dft": belongs})
    flow.update_config({"manager_config": config})
