"""A campaign through a real SLURM: gen2dft init, submit, and qlaunch with the files that init
wrote.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from gen2dft.launchpad.connect import connect_launchpad
from gen2dft.launchpad.lost import recover_lost_runs
from pymatgen.core import Composition

from gen2dft.settings import Settings
from gen2dft.store.connect import database_uri, open_store
from gen2dft.store.documents import CandidateDoc, now
from tests import toys
from tests.launchpad.test_campaign import check_books
from tests.support.slurm import Slurm, why_not
from tests.support.toy_folder import make_toy_folder, toy_environment
from tests.support.undisturbed import hits_of, undisturbed

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"SLURM: {why_not()}")
SECONDS = 600.0


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    folder = Path(tempfile.mkdtemp(prefix="slurm"))  # a short name, see Slurm
    cluster = Slurm(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_jobs_left(slurm: Slurm) -> Iterator[None]:
    yield
    slurm.cancel_all()


class Site:
    """A user's folder on a cluster: campaign file, settings, and FireWorks' files by category."""

    def __init__(
        self, folder: Path, settings: Settings, slurm: Slurm, campaign: dict, **variables: str
    ) -> None:
        self.folder = folder
        self.file = make_toy_folder(folder, campaign, toys.wide_dataset())
        self.settings = settings
        self.slurm = slurm
        config = str(folder / "config.yaml")
        self.environment = {
            **slurm.environment,
            **toy_environment(folder, GEN2DFT_CONFIG_FILE=config, **variables),
            "PATH": slurm.environment["PATH"],
        }

    def gen2dft(self, *words: str) -> str:
        command = [sys.executable, "-m", "gen2dft.cli.app", *words]
        run = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def init(self, category: str, pack: int, walltime: str = "0:20:00") -> Path:
        """Write a category's files by `gen2dft init`, and shorten FireWorks' pauses.

        The folder of the files.
        """
        uri = database_uri(self.settings).get_secret_value()
        place = [
            "--database",
            uri,
            "--name",
            self.settings.database_name,
            "--data-dir",
            str(self.folder / "data"),
        ]
        self.gen2dft(
            "init",
            "-y",
            "--scheduler",
            "slurm",
            "--category",
            category,
            "--pack",
            str(pack),
            *place,
        )
        files = self.folder / (f"fireworks-{category}" if category else "fireworks")
        with (files / "FW_config.yaml").open("a") as file:
            file.write("QUEUE_UPDATE_INTERVAL: 1\nRAPIDFIRE_SLEEP_SECS: 1\n")
        adapter = files / "my_qadapter.yaml"
        text = (
            adapter.read_text()
            .replace("--sleep 60", "--sleep 1")
            .replace("--max_loops 5", "--max_loops 200")
        )
        adapter.write_text(text.replace("24:00:00", walltime))
        return files

    def qlaunch(self, files: Path, *words: str) -> subprocess.Popen[bytes]:
        """Let qlaunch send jobs until it is stopped."""
        launches = self.folder / "data" / "launches"
        environment = {**self.environment, "FW_CONFIG_FILE": str(files / "FW_config.yaml")}
        command = [sys.executable, "-m", "fireworks.scripts.qlaunch_run", "-c", str(files), *words]
        with (files / "qlaunch.log").open("wb") as log:
            return subprocess.Popen(command, cwd=launches, env=environment, stdout=log, stderr=log)

    def logs(self) -> str:
        """What went on, for the message of a failure."""
        files = [
            *self.folder.rglob("qlaunch.log"),
            *self.folder.rglob("*.error"),
            *self.folder.rglob("*.out"),
        ]
        return "\n".join(
            f"--- {path}\n{path.read_text(errors='replace')[-1500:]}" for path in files[:12]
        )


def wait_until_finished(site: Site, campaign_id: str) -> None:
    store = open_store(site.settings)
    deadline = time.monotonic() + SECONDS
    while store.campaign(campaign_id).state != "finished":
        assert time.monotonic() < deadline, (
            f"{store.state_counts(campaign_id)}\n{site.logs()}\n{site.slurm.log()}"
        )
        time.sleep(0.5)


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Let qlaunch send no more jobs."""
    for process in processes:
        process.terminate()
        process.wait(30)


def test_two_rounds_of_20_candidates_by_workers_of_two_categories(slurm, settings, tmp_path):
    resources = {
        "train": {"category": "gpu"},
        "screen": {"category": "cpu"},
        "validate": {"category": "cpu"},
    }
    site = Site(tmp_path, settings, slurm, {**toys.WIDE_CAMPAIGN, "resources": resources})
    gpu, cpu = site.init("gpu", 1), site.init("cpu", 2)
    site.gen2dft("submit", "-f", str(site.file))
    (campaign,) = open_store(settings).campaigns()
    queues = [
        site.qlaunch(gpu, "-r", "rapidfire", "-m", "1", "--nlaunches", "infinite", "--sleep", "1"),
        site.qlaunch(cpu, "rapidfire", "-m", "1", "--nlaunches", "infinite", "--sleep", "1"),
    ]
    try:
        wait_until_finished(site, campaign.id)
    finally:
        stop(queues)
    store = open_store(settings)
    check_books(store, campaign.id)
    assert [r.dispatch_size for r in store.rounds(campaign.id)] == [20, 20]
    workers = {"train": set(), "other": set()}
    for firework in store.database.fireworks.find({}, {"spec.gen2dft.stage": 1, "launches": 1}):
        stage = "train" if firework["spec"]["gen2dft"]["stage"] == "train" else "other"
        for launch in store.database.launches.find({"launch_id": {"$in": firework["launches"]}}):
            workers[stage].add(launch["fworker"]["name"])
    assert workers == {"train": {"slurm-gpu"}, "other": {"slurm-cpu"}}
    script = next((tmp_path / "data" / "launches").rglob("FW_submit.script")).read_text()
    assert "#SBATCH --ntasks=" in script
    assert yaml.safe_load((cpu / "my_fworker.yaml").read_text())["category"] == "cpu"


def test_time_limits_failures_and_silence(slurm, settings, tmp_path):
    """Two of ten candidates fail, one never answers, and SLURM ends the job that waits for it."""
    validation = {"engine": "toy", "preset": "toy-v1", "pause_after": None}
    learning = {"rounds": 1, "batch": 20, "deadline_hours": 1}
    campaign = {**toys.WIDE_CAMPAIGN, "validation": validation, "learning": learning}
    site = Site(tmp_path, settings, slurm, campaign, TOY_FAULTS="1")
    files = site.init("", 5)
    site.gen2dft("submit", "-f", str(site.file))
    store = open_store(settings)
    (document,) = store.campaigns()
    queue = site.qlaunch(files, "rapidfire", "-m", "1", "--nlaunches", "infinite", "--sleep", "1")
    try:
        wait_until_silent(site, document.id)
    finally:
        stop([queue])
    (job,) = slurm.jobs()
    slurm.command("scontrol", "update", f"JobId={job}", "EndTime=now+2")
    while slurm.jobs():
        time.sleep(0.5)
    assert "JobState=TIMEOUT" in slurm.command("scontrol", "show", "job", job).stdout
    fates = {doc.candidate_id: fate(doc) for doc in dispatched(store, document.id)}
    again = recover_lost_runs(connect_launchpad(settings), expiration_secs=1)
    silent = {key for key, number in fates.items() if number == 2}
    assert {
        store.database.fireworks.find_one({"fw_id": key})["spec"]["gen2dft"]["candidate_id"]
        for key in again
    } == silent
    store.update_round(document.id, 0, dispatched=now() - timedelta(hours=2))
    assert "closed round 0" in site.gen2dft("advance")
    check_books(store, document.id)
    reasons = store.round(document.id, 0).funnel[-3].reasons
    assert reasons["toy_broke"] == sum(number < 2 for number in fates.values()) > 1
    assert reasons["unfinished"] == len(silent) > 1
    calm_id, calm = undisturbed(site.file)
    assert calm_id == document.id
    assert hits_of(store, document.id) == {
        key: values for key, values in calm.items() if fates[key] > 2
    }


def fate(doc: CandidateDoc) -> int:
    return toys.toy_fate(Composition(doc.formula).reduced_formula)


def dispatched(store, campaign_id):
    return [doc for doc in store.candidates(campaign_id) if not doc.state.startswith("rejected:")]


def wait_until_silent(site: Site, campaign_id: str) -> None:
    """Wait until nothing is left but candidates that never answer."""
    store = open_store(site.settings)
    deadline = time.monotonic() + SECONDS
    while True:
        is_open = [
            doc
            for doc in dispatched(store, campaign_id)
            if doc.state in ("sampled", "queued", "running")
        ]
        if is_open and all(doc.state == "running" and fate(doc) == 2 for doc in is_open):
            return
        assert time.monotonic() < deadline, (
            f"{store.state_counts(campaign_id)}\n{site.logs()}\n{site.slurm.log()}"
        )
        time.sleep(0.5)
