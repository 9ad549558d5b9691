from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fireworks import Firework
from gen2dft.launchpad import supervise
from gen2dft.launchpad.connect import configure_jobflow, connect_launchpad
from gen2dft.launchpad.lost import recover_lost_runs
from gen2dft.launchpad.supervise import WorkerPool, run_workers, worker_environment
from gen2dft.launchpad.worker import Worker, remove_bare_launches

from gen2dft.errors import OutputError, StoreError, WorkerError
from gen2dft.settings import Settings
from gen2dft.store.connect import connect
from gen2dft.store.processes import process_stamp
from tests.support.firetasks import DieOnce, Mark, Nothing, WaitFor


@pytest.fixture
def lpad(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervise, "TICK_SECONDS", 0.1)
    connect(settings).campaigns.insert_one({"_id": "c", "state": "running"})
    return connect_launchpad(settings)


def add_firework(lpad, task, campaign_id: str = "c") -> int:
    (fw_id,) = lpad.add_wf(
        Firework([task], spec={"gen2dft": {"campaign_id": campaign_id}})
    ).values()
    return fw_id


def states(lpad) -> list[str]:
    return [doc["state"] for doc in lpad.fireworks.find().sort("fw_id", 1)]


def until(lpad, *expected: str) -> Callable[[], bool]:
    """A tick that ends when the fireworks' states are these."""
    return lambda: states(lpad) != list(expected)


def wait_for(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.02)


def test_workers_run_the_fireworks_of_their_campaign_only(settings: Settings, lpad, tmp_path: Path):
    for campaign_id in ("c", "other", "c"):
        add_firework(lpad, Mark(file=str(tmp_path / "marks")), campaign_id)
    run_workers(settings, "c", 1, until(lpad, "COMPLETED", "READY", "COMPLETED"))
    marks = (tmp_path / "marks").read_text().split()
    assert len(marks) == 2
    assert str(os.getpid()) not in marks


def test_a_worker_ends_with_its_campaign(settings: Settings, lpad):
    connect(settings).campaigns.update_one({"_id": "c"}, {"$set": {"state": "finished"}})
    add_firework(lpad, Nothing())
    Worker(settings, "c").run()
    assert states(lpad) == ["READY"]


def test_a_worker_that_dies_is_replaced_and_its_firework_runs_again(
    settings: Settings, lpad, tmp_path: Path
):
    add_firework(lpad, DieOnce(file=str(tmp_path / "died")))
    run_workers(settings, "c", 1, until(lpad, "COMPLETED"))
    assert [launch["state"] for launch in lpad.launches.find().sort("launch_id", 1)] == [
        "FIZZLED",
        "COMPLETED",
    ]


def test_a_firework_that_kills_every_worker_ends_the_run(
    settings, lpad, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervise, "MAX_DEATHS", 1)
    add_firework(lpad, DieOnce(file=str(tmp_path / "died"), always=True))
    with pytest.raises(
        WorkerError, match=r"workers died 2 times, the last by signal 9; .* fewer --workers"
    ):
        run_workers(settings, "c", 1, lambda: True)


def test_what_runs_at_the_end_is_made_ready_again(
    settings, lpad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervise, "GRACE_SECONDS", 0.1)
    add_firework(lpad, WaitFor(file=str(tmp_path / "never")))
    run_workers(settings, "c", 1, until(lpad, "RUNNING"))
    assert states(lpad) == ["READY"]


def test_after_ctrl_c_the_running_firework_is_finished(settings: Settings, lpad, tmp_path: Path):
    add_firework(lpad, WaitFor(file=str(tmp_path / "go")))
    add_firework(lpad, Nothing())

    def tick() -> bool:
        if (tmp_path / "go.begun").exists():
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        run_workers(
            settings, "c", 1, tick, say=lambda text: (tmp_path / "go").write_text(text) and None
        )
    assert states(lpad) == ["COMPLETED", "READY"]
    assert "Ctrl-C again" in (tmp_path / "go").read_text()


def test_workers_die_with_a_killed_supervisor(settings: Settings, lpad, tmp_path: Path):
    add_firework(lpad, WaitFor(file=str(tmp_path / "never")))
    configure_jobflow(settings)
    script = (
        "from gen2dft.launchpad.supervise import *; from gen2dft.settings import load_settings; "
    )
    script += "run_workers(load_settings(), 'c', 1, lambda: True)"
    run = subprocess.Popen([sys.executable, "-c", script], env=worker_environment(settings))
    wait_for((tmp_path / "never.begun").exists)
    run.kill()
    run.wait()
    worker = int((tmp_path / "never.begun").read_text())
    wait_for(lambda: process_stamp(worker) is None)
    assert states(lpad) == ["RUNNING"]
    assert recover_lost_runs(lpad) == [1]
    assert states(lpad) == ["READY"]


def test_a_database_that_does_not_come_back(settings, lpad, monkeypatch: pytest.MonkeyPatch):
    def tick() -> bool:
        raise StoreError("cannot reach the database")

    monkeypatch.setattr(supervise, "OUTAGE_SECONDS", 0.0)
    with pytest.raises(StoreError, match="cannot reach"):
        run_workers(settings, "c", 1, tick)


def test_a_log_that_cannot_be_written(settings: Settings, tmp_path: Path):
    (tmp_path / "file").write_text("")
    broken = settings.model_copy(update={"data_dir": tmp_path / "file"})
    with pytest.raises(
        OutputError, match=r"cannot start a worker that writes to .*file/logs/worker-0\.log"
    ):
        WorkerPool(broken, "c", 1)


def test_the_environment_of_a_worker(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    environment = worker_environment(settings)
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["GEN2DFT_DATABASE_NAME"] == settings.database_name


def test_a_sigterm_does_not_interrupt_a_firework(settings: Settings):
    worker = Worker(settings, "c")
    worker.stop(signal.SIGTERM, None)
    assert worker.stopping


def test_launch_folders_with_results_stay(tmp_path: Path):
    for name, files in {
        "launcher_1": ["FW.json"],
        "launcher_2": ["FW.json", "OUTCAR"],
        "other": [],
    }.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("")
    remove_bare_launches(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["launcher_2", "other"]
