"""Fireworks of campaigns that began under an earlier version: their jobs are found and run on."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from example_campaign import transport
from gen2dft.flows import candidates, jobs
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder

from tests import toys
from tests.flows.test_candidates import KEY, waiting

# As version 0.1.0 wrote it: flows of one candidate with bands, with and without a second stage.
STORED = Path(__file__).parent / "stored"
ARGUMENTS = {
    "train": ["campaign_id", "index"],
    "propose": ["campaign_id", "index", "snapshot_id"],
    "screen": ["campaign_id", "index", "candidate_ids"],
    "screen_chunk": ["campaign_id", "index", "candidate_ids"],
    "finish_screen": ["campaign_id", "index", "candidate_ids", "chunks"],
    "select": ["campaign_id", "index", "surrogate_count"],
    "refine": ["campaign_id", "index", "candidate_id", "calculations"],
    "collect": ["calculations", "transport"],
    "ingest": [
        "campaign_id", "index", "candidate_id", "calculations", "refined", "transport",
    ],
    "keep_reference": ["key", "phase", "calculations", "fit"],
}  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_stored_jobs_find_their_functions_and_arguments(name: str):
    assert list(inspect.signature(getattr(jobs, name).original).parameters) == ARGUMENTS[name]


@pytest.mark.parametrize(("name", "refined"), [("candidate", False), ("refined_candidate", True)])
def test_a_stored_candidate_is_computed_to_its_label(
    monkeypatch, tmp_path, banded, name: str, refined: bool
):
    refine = {"preset": "toy-fine-v1", "max_e_above_hull": 9.0} if refined else None
    context = waiting(
        monkeypatch,
        targets=[*toys.TOY_CAMPAIGN["targets"], {"property": "power_factor", "min": 0.01}],
        validation={"engine": "toy", "preset": "toy-v1", "refine": refine},
        transport={"tolerance": 1.0},
    )
    monkeypatch.setattr(jobs, "open_round", lambda *_: context)
    monkeypatch.chdir(tmp_path)
    flow = MontyDecoder().process_decoded(json.loads((STORED / f"{name}.json").read_text()))
    run_locally(
        flow, store=JobStore(MemoryStore()), log=False, create_folders=True, raise_immediately=True
    )
    (label,) = context.store.labels(context.campaign_id)
    assert label.preset == ("toy-fine-v1" if refined else "toy-v1")
    assert label.values["power_factor"] > 0
    assert len(context.store.from_bands(context.campaign_id)) == 1


def test_a_second_stage_of_either_version_reaches_the_label(monkeypatch, banded):
    context = waiting(
        monkeypatch,
        targets=[*toys.TOY_CAMPAIGN["targets"], {"property": "power_factor", "min": 0.01}],
    )
    monkeypatch.setattr(jobs, "open_round", lambda *_: context)
    seen = []
    monkeypatch.setattr(jobs.ingesting, "ingest", lambda *given: seen.append(given[3:]))
    doc = transport()
    jobs.ingest.original(
        context.campaign_id, 0, KEY, [], refined={"calculations": [1], "transport": doc}
    )
    stage = jobs.collect.original([1], doc)
    jobs.ingest.original(context.campaign_id, 0, KEY, [], refined=stage)
    stage = candidates.collect.original([1], {"power_factor": doc})
    jobs.ingest.original(context.campaign_id, 0, KEY, [], refined=stage)
    assert seen == [([1], {"power_factor": doc})] * 3
