"""`gen2dft run`, its workers and the database killed with SIGKILL in the middle of each stage, and
between two writes.

After each the campaign comes to what it comes to undisturbed: the same hits, nothing lost, nothing
doubled.
"""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from gen2dft.launchpad.lost import recover_lost_runs
from gen2dft.launchpad.submit import submit

from gen2dft.campaign import load_campaign
from gen2dft.rounds.prepare import prepare
from gen2dft.settings import Settings
from gen2dft.store.connect import open_store
from gen2dft.store.embedded import server_command, stop_server
from tests import toys
from tests.launchpad.test_campaign import check_books
from tests.support.killed_worker import POINTS
from tests.support.toy_folder import make_toy_folder, toy_environment
from tests.support.undisturbed import hits_of, undisturbed


@pytest.fixture
def folder(tmp_path):
    """A campaign file, its dataset, and the toys as an installed plugin."""
    make_toy_folder(tmp_path, toys.TOY_CAMPAIGN, toys.toy_dataset())
    yield tmp_path
    stop_server(tmp_path / "data")


def start(folder):
    environment = toy_environment(folder, GEN2DFT_DATA_DIR=str(folder / "data"), TOY_SECONDS="0.3")
    command = [
        sys.executable,
        "-m",
        "gen2dft.cli.app",
        "run",
        "-w",
        "2",
        "-f",
        str(folder / "toy.yaml"),
    ]
    with (folder / "out.log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )


def wait_for(folder, stage, process):
    """Wait until the campaign is in the middle of a stage."""
    store = open_store(Settings(data_dir=folder / "data"))
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        for campaign in store.campaigns():
            progress = store.rounds(campaign.id)[-1].progress
            running = store.state_counts(campaign.id).get("running", 0)
            if progress.get("stage") == stage and (progress["done"] or running):
                return
        time.sleep(0.05)
    pytest.fail(f"never in the middle of {stage}: {(folder / 'out.log').read_text()[-2000:]}")


def kill_child(process, word, *others):
    """Kill a process below another whose command line has a word and none of others."""
    for child in psutil.Process(process.pid).children(recursive=True):
        words = " ".join(child.cmdline())
        if word in words and not any(other in words for other in others):
            child.kill()
            return
    pytest.fail(f"no {word} below process {process.pid}")


def kill_server(folder):
    """Kill the database server, not its keeper, which starts it again."""
    storage = server_command(folder / "data" / "db")[2]
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if storage in words and not any("keeper.py" in word for word in words):
            process.kill()
            return
    pytest.fail(f"no server of {storage}")


def test_workers_killed_in_each_stage_and_the_database_too(folder):
    process = start(folder)
    for stage in ("train", "screen", "validate"):
        wait_for(folder, stage, process)
        kill_child(process, "gen2dft.launchpad.worker")
    wait_for(folder, "validate", process)
    kill_server(folder)
    assert process.wait(300) == 0, (folder / "out.log").read_text()[-3000:]
    store = open_store(Settings(data_dir=folder / "data"))
    (campaign,) = store.campaigns()
    assert campaign.state == "finished"
    check_books(store, campaign.id)
    assert (campaign.id, hits_of(store, campaign.id)) == undisturbed(folder / "toy.yaml")


def test_killed_in_training_screening_and_validation_and_then_finished(folder):
    for stage in ("train", "screen", "validate"):
        process = start(folder)
        wait_for(folder, stage, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert start(folder).wait(300) == 0, (folder / "out.log").read_text()[-3000:]
    store = open_store(Settings(data_dir=folder / "data"))
    (campaign,) = store.campaigns()
    assert (campaign.state, campaign.stop_reason) == ("finished", "all 2 rounds are done")
    check_books(store, campaign.id)
    assert (campaign.id, hits_of(store, campaign.id)) == undisturbed(folder / "toy.yaml")
    before = store.database.fireworks.count_documents({})
    assert start(folder).wait(120) == 0
    assert store.database.fireworks.count_documents({}) == before
    assert "already there" in (folder / "out.log").read_text()


@pytest.mark.usefixtures("toy_plugins")
def test_workers_killed_between_any_two_writes_of_a_round(bench, settings, tmp_path):
    store, lpad, work = bench
    file = make_toy_folder(tmp_path, toys.TOY_CAMPAIGN, toys.toy_dataset())
    spec = load_campaign(str(file))
    campaign_id = submit(store, lpad, spec, *prepare(spec)).campaign_id
    place = {"cwd": tmp_path, "env": toy_environment(tmp_path, **settings.as_environment())}
    for point in POINTS:
        command = [sys.executable, "-m", "tests.support.killed_worker", point, campaign_id]
        worker = subprocess.run(
            command, **place, capture_output=True, text=True, timeout=120, check=False
        )
        assert worker.returncode == -signal.SIGKILL, f"{point}: {worker.stderr[-2000:]}"
        assert recover_lost_runs(lpad), point
    work()
    assert store.campaign(campaign_id).state == "finished"
    check_books(store, campaign_id)
    assert store.tally.recount(campaign_id) == 0
    assert (campaign_id, hits_of(store, campaign_id)) == undisturbed(file)
    hits = {doc.candidate_id for doc in store.candidates(campaign_id, state="hit")}
    assert hits == set(hits_of(store, campaign_id))
