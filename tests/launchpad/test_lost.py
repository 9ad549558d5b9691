from __future__ import annotations

import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fireworks import Firework, FWAction, FWorker, Workflow
from gen2dft.launchpad import lost
from gen2dft.launchpad.connect import connect_launchpad
from gen2dft.launchpad.lost import recover_lost_runs, recover_now_and_then, worker_name

from gen2dft.engines.base import LOST_RUN_TAG
from gen2dft.settings import Settings
from gen2dft.store.connect import open_store
from gen2dft.store.processes import process_stamp
from tests.support.firetasks import Nothing


@pytest.fixture
def lpad(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    for name in ("LOCK_SECONDS", "INSERT_SECONDS", "RESERVED_SECONDS"):
        monkeypatch.setattr(lost, name, 0.3)
    return connect_launchpad(settings)


@pytest.fixture(scope="module")
def dead_worker() -> str:
    """Name of a worker whose process is gone."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stamp = process_stamp(process.pid)
    process.communicate(b"\n")
    return f"{socket.gethostname()}/{process.pid}/{stamp}"


def add_firework(lpad, **spec) -> int:
    (fw_id,) = lpad.add_wf(Firework([Nothing()], spec=spec)).values()
    return fw_id


def state(lpad, fw_id: int) -> str:
    return lpad.fireworks.find_one({"fw_id": fw_id})["state"]


def test_a_process_stamp_is_of_one_process(dead_worker: str):
    assert process_stamp(1) is not None
    assert process_stamp(int(dead_worker.split("/")[1])) != dead_worker.split("/")[2]


def test_the_run_of_a_dead_local_worker_runs_again(lpad, dead_worker: str):
    fw_id = add_firework(lpad)
    _, launch_id = lpad.checkout_fw(FWorker(dead_worker), ".")
    assert recover_lost_runs(lpad) == [fw_id]
    assert state(lpad, fw_id) == "READY"
    assert lpad.get_launch_by_id(launch_id).state == "FIZZLED"
    assert recover_lost_runs(lpad) == []


def test_a_calculation_is_told_where_its_lost_run_left_its_files(lpad, dead_worker: str):
    calculation, other = (
        add_firework(lpad, gen2dft={"stage": "validate"}),
        add_firework(lpad, gen2dft={"stage": "train"}),
    )
    for _ in range(2):
        for folder in ("/scratch/a", "/scratch/b"):
            lpad.checkout_fw(FWorker(dead_worker), folder)
        assert set(recover_lost_runs(lpad)) == {calculation, other}
    tags = lpad.fireworks.find_one({"fw_id": calculation})["spec"]["tags"]
    assert len(tags) == 2
    assert all(tag.startswith(f"{LOST_RUN_TAG}/scratch/") for tag in tags)
    assert "tags" not in lpad.fireworks.find_one({"fw_id": other})["spec"]


def test_the_run_of_a_living_local_worker_is_left_however_old(lpad):
    fw_id = add_firework(lpad)
    lpad.checkout_fw(FWorker(worker_name()), ".")
    assert recover_lost_runs(lpad, expiration_secs=0) == []
    assert state(lpad, fw_id) == "RUNNING"


@pytest.mark.parametrize(("expiration", "expected"), [(3600, "RUNNING"), (60, "READY")])
def test_a_worker_elsewhere_is_lost_when_it_gave_no_sign(lpad, expiration: int, expected: str):
    fw_id = add_firework(lpad)
    _, launch_id = lpad.checkout_fw(FWorker("slurm"), ".")
    lpad.ping_launch(launch_id, ptime=datetime.now(UTC) - timedelta(seconds=600))
    recover_lost_runs(lpad, expiration_secs=expiration)
    assert state(lpad, fw_id) == expected


def test_children_that_allow_fizzled_parents_do_not_run_meanwhile(lpad, dead_worker: str):
    parent = Firework([Nothing()])
    child = Firework([Nothing()], spec={"_allow_fizzled_parents": True}, parents=[parent])
    lpad.add_wf(Workflow([parent, child]))
    lpad.checkout_fw(FWorker(dead_worker), ".")
    recover_lost_runs(lpad)
    assert sorted(doc["state"] for doc in lpad.fireworks.find()) == ["READY", "WAITING"]


def test_a_launch_that_somebody_else_recovers_is_left(lpad, dead_worker: str):
    add_firework(lpad)
    _, launch_id = lpad.checkout_fw(FWorker(dead_worker), ".")
    lpad.launches.update_one({"launch_id": launch_id}, {"$set": {"recovering": datetime.now(UTC)}})
    assert recover_lost_runs(lpad) == []


def test_a_reservation_without_a_launch_is_released(lpad):
    fw_id = add_firework(lpad)
    old = datetime.now(UTC) - timedelta(seconds=60)
    lpad.fireworks.update_one({"fw_id": fw_id}, {"$set": {"state": "RESERVED", "updated_on": old}})
    assert recover_lost_runs(lpad) == [fw_id]
    assert state(lpad, fw_id) == "READY"


def test_a_fresh_reservation_is_left(lpad):
    fw_id = add_firework(lpad)
    lpad.fireworks.update_one(
        {"fw_id": fw_id}, {"$set": {"state": "RESERVED", "updated_on": datetime.now(UTC)}}
    )
    assert recover_lost_runs(lpad) == []


def test_those_who_work_look_after_the_others_once_a_minute(
    lpad, settings, dead_worker: str, monkeypatch
):
    store = open_store(settings)
    store.database.campaigns.insert_one({"_id": "c", "state": "running"})
    first = add_firework(lpad)
    lpad.checkout_fw(FWorker(dead_worker), ".")
    assert recover_now_and_then(store, lpad, "c") == [first]
    lpad.checkout_fw(FWorker(dead_worker), ".")
    assert recover_now_and_then(store, lpad, "c") == []
    monkeypatch.setattr(lost, "RECOVERY_SECONDS", 0.0)
    assert recover_now_and_then(store, lpad, "c") == [first]


def complete_but_die(lpad, monkeypatch: pytest.MonkeyPatch, where: str, dead_worker: str) -> int:
    """Run a firework that adds a detour by a worker that dies at `where` while it writes the
    result.
    """
    fw_id = add_firework(lpad)
    _, launch_id = lpad.checkout_fw(FWorker(dead_worker), ".")

    def die(*args, **kwargs):
        raise SystemExit

    with monkeypatch.context() as patch:
        places = {
            "refresh": (lpad, "_refresh_wf"),
            "workflow": (lpad.workflows, "find_one_and_replace"),
        }
        patch.setattr(*places[where], die)
        # The lock stays: a killed process does not leave the `with` block.
        patch.setattr("fireworks.core.launchpad.WFLock.__exit__", lambda *args: None)
        with pytest.raises(SystemExit):
            lpad.complete_launch(launch_id, FWAction(detours=Firework([Nothing()])))
    return fw_id


@pytest.mark.parametrize("where", ["refresh", "workflow"])
def test_a_result_that_was_half_written_is_completed(
    lpad, monkeypatch, where: str, dead_worker: str
):
    fw_id = complete_but_die(lpad, monkeypatch, where, dead_worker)
    recover_lost_runs(lpad)
    assert state(lpad, fw_id) == "COMPLETED"
    (workflow,) = lpad.workflows.find()
    assert "locked" not in workflow
    assert sorted(workflow["nodes"]) == sorted(doc["fw_id"] for doc in lpad.fireworks.find())
    assert sorted(doc["state"] for doc in lpad.fireworks.find()) == ["COMPLETED", "READY"]


def test_the_lock_of_a_living_worker_is_left(lpad, monkeypatch: pytest.MonkeyPatch):
    fw_id = add_firework(lpad)
    lpad.workflows.update_one({"nodes": fw_id}, {"$set": {"locked": True}})
    pauses = []

    def somebody_unlocks(seconds: float) -> None:
        pauses.append(seconds)
        lpad.workflows.update_one(
            {"nodes": fw_id}, {"$set": {"locked": True, "updated_on": f"moment {len(pauses)}"}}
        )

    monkeypatch.setattr(lost.time, "sleep", somebody_unlocks)
    recover_lost_runs(lpad)
    assert lpad.workflows.find_one({"nodes": fw_id})["locked"]
