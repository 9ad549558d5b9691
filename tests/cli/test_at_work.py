"""Whoever watches sees which step of which candidate runs, and how long such steps took before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import mongomock
import pytest
from example_campaign import CAMPAIGN_ID, candidate_id, example_store

from gen2dft.cli.at_work import at_work, step_of, usual_seconds
from gen2dft.report.wording import chemical
from gen2dft.store.store import Store

BEGUN = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def store() -> Store:
    store = example_store()
    labels = store.labels(CAMPAIGN_ID)
    for label, seconds in zip(labels[:3], (10, 20, 60), strict=True):
        costs = {"relax": seconds / 3600, "bands": 2 * seconds / 3600}
        store.database.labels.update_one({"_id": label.id}, {"$set": {"costs": costs}})
    return store


@pytest.fixture
def lpad() -> Any:
    """The collections of a LaunchPad."""
    database = mongomock.MongoClient()["fireworks"]
    return SimpleNamespace(fireworks=database["fireworks"], launches=database["launches"])


def runs(lpad: Any, fw_id: int, name: str, since: datetime, **place: Any) -> None:
    """Add a firework that runs, whose job was reserved an hour before."""
    spec = {"gen2dft": {"campaign_id": CAMPAIGN_ID, **place}}
    firework = {"fw_id": fw_id, "name": name, "state": "RUNNING", "spec": spec}
    lpad.fireworks.insert_one(firework)
    reserved = {"state": "RESERVED", "created_on": (since - timedelta(hours=1)).isoformat()}
    # FireWorks writes the times of a launch as texts without a time zone.
    running = {"state": "RUNNING", "created_on": since.replace(tzinfo=None).isoformat()}
    launch = {"fw_id": fw_id, "state": "RUNNING", "state_history": [reserved, running]}
    lpad.launches.insert_one(launch)


def test_a_line_names_candidate_step_and_times(
    store: Store, lpad: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = BEGUN + timedelta(seconds=65)
    monkeypatch.setattr("gen2dft.cli.at_work.now", lambda: moment)
    first, second = candidate_id(0, 0), candidate_id(0, 1)
    late = BEGUN + timedelta(seconds=60)
    runs(lpad, 1, "transport", late, candidate_id=second)
    runs(lpad, 2, "gpaw relax", BEGUN, candidate_id=first)
    runs(lpad, 3, "train", BEGUN)
    longest, other = at_work(store, lpad, CAMPAIGN_ID)
    formula = chemical(store.candidate(CAMPAIGN_ID, first).formula or "")
    assert longest == f"{formula} {first}: gpaw relax for 1 min 05 s, usually 20 s"
    assert other.endswith(f"{second}: transport for 5 s")


def test_nothing_runs(store: Store, lpad: Any) -> None:
    assert at_work(store, lpad, CAMPAIGN_ID) == []


def test_usual_times_are_medians_of_the_labels(store: Store) -> None:
    assert usual_seconds(store, CAMPAIGN_ID) == pytest.approx({"relax": 20, "bands": 40})


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("gpaw uniform bands", "bands"),
        ("vasp relax", "relax"),
        ("bulk modulus", "bulk modulus"),
        ("ingest_looked", "ingest_looked"),
    ],
)
def test_a_job_belongs_to_a_step(name: str, step: str) -> None:
    assert step_of(name) == step
