from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from fireworks import FWorker, LaunchPad
from fireworks.user_objects.queue_adapters.common_adapter import CommonAdapter
from gen2dft.launchpad.config_files import SCHEDULERS, fireworks_files, scheduler_commands

from gen2dft.errors import SettingsError
from gen2dft.settings import Settings

# Characters that YAML, the shell or string.Template might take for their own.
URI = "mongodb://ann:p%40ss$word@db.example.org:27017/?authSource=admin"
STAGE = {"ntasks": 12, "walltime": "3:00:00", "mem": "8G"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "my $folder: x"
    path.mkdir()
    return path


def write(
    folder: Path, scheduler: str, category: str = "", pack: int = 1, **environment: str
) -> Path:
    settings = Settings(database=URI, database_name="crystals", data_dir=folder)
    workers = {"category": category, "pack": pack}
    files = fireworks_files(
        settings, scheduler, folder, folder / "config.yaml", environment, **workers
    )
    for path, text in files.items():
        path.write_text(text)
    return folder


def script(folder: Path, **resources: object) -> list[str]:
    adapter = CommonAdapter.from_file(str(folder / "my_qadapter.yaml"))
    adapter.update(resources)
    return adapter.get_script_str(str(folder)).splitlines()


def test_the_launchpad_is_read_by_fireworks(folder: Path):
    lpad = LaunchPad.from_file(str(write(folder, "slurm") / "my_launchpad.yaml"))
    assert (lpad.host, lpad.name, lpad.uri_mode) == (URI, "crystals", True)
    assert "spec.gen2dft.candidate_id" in lpad.user_indices


def test_the_worker_is_read_by_fireworks(folder: Path):
    worker = FWorker.from_file(str(write(folder, "pbs") / "my_fworker.yaml"))
    assert (worker.name, worker.category) == ("pbs", "")


def test_workers_of_a_category_take_its_stages_only(folder: Path):
    worker = FWorker.from_file(str(write(folder, "slurm", category="gpu") / "my_fworker.yaml"))
    assert (worker.name, worker.query["spec._category"]) == ("slurm-gpu", "gpu")


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_several_fireworks_share_a_queue_job(folder: Path, scheduler: str):
    write(folder, scheduler, pack=4)
    own = {"parallel_environment": "smp"} if scheduler == "sge" else {}
    lines = script(folder, **own)
    (line,) = (line for line in lines if "rlaunch" in line)
    assert line.endswith(" multi 4 --nlaunches infinite --max_loops 5 --sleep 60 --timeout 72000")
    assert {"slurm": "#SBATCH --ntasks=4", "pbs": "#PBS -l nodes=1:ppn=4", "sge": "#$ -pe smp 4"}[
        scheduler
    ] in lines


def test_rlaunch_takes_the_arguments_of_fireworks(monkeypatch: pytest.MonkeyPatch):
    from fireworks.scripts import rlaunch_run
    from gen2dft.launchpad import rlaunch
    from gen2dft.launchpad.ids import SharedLaunchPad

    monkeypatch.setattr(rlaunch_run, "LaunchPad", LaunchPad)
    with pytest.raises(SystemExit, match="0"):
        rlaunch.main(["multi", "--help"])
    assert rlaunch_run.LaunchPad is SharedLaunchPad


def test_fireworks_finds_its_files_through_its_configuration(folder: Path):
    write(folder, "slurm")
    code = (
        "from fireworks import fw_config as c; print(c.LAUNCHPAD_LOC, c.QUEUEADAPTER_LOC, "
        "c.PING_TIME_SECS, sep='|')"
    )
    environment = {"FW_CONFIG_FILE": str(folder / "FW_config.yaml"), "HOME": str(folder)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=folder, capture_output=True, text=True
    )
    assert run.stdout.strip() == f"{folder}/my_launchpad.yaml|{folder}/my_qadapter.yaml|60"


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_script_of_a_queue_job(folder: Path, scheduler: str):
    write(folder, scheduler, ATOMATE2_VASP_CMD="srun vasp_std > 'x'", MP_API_KEY="secret")
    lines = script(folder)
    rlaunch = f"{sys.executable} -m gen2dft.launchpad.rlaunch"
    assert f"{rlaunch} -c {shlex.quote(str(folder))} singleshot" in lines
    assert f"export GEN2DFT_CONFIG_FILE={shlex.quote(str(folder / 'config.yaml'))}" in lines
    assert (
        f"export ATOMATE2_VASP_CMD={shlex.quote(chr(39).join(['srun vasp_std > ', 'x', '']))}"
        in lines
    )
    assert not any("secret" in line or "p%40ss" in line or "$$" in line for line in lines)


@pytest.mark.parametrize(
    ("scheduler", "asked"),
    [
        ("slurm", ["#SBATCH --ntasks=12", "#SBATCH --time=3:00:00", "#SBATCH --mem=8G"]),
        ("pbs", ["#PBS -l nodes=1:ppn=12", "#PBS -l walltime=3:00:00", "#PBS -l mem=8G"]),
        ("sge", ["#$ -pe smp 12", "#$ -l h_rt=3:00:00", "#$ -l mem_free=8G"]),
    ],
)
def test_a_stage_gets_the_resources_it_asks_for(folder: Path, scheduler: str, asked: list[str]):
    own = {"parallel_environment": "smp"} if scheduler == "sge" else {}
    assert set(asked) <= set(script(write(folder, scheduler), **STAGE, **own))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_what_is_not_filled_in_is_left_out(folder: Path, scheduler: str):
    lines = script(write(folder, scheduler))
    assert not any(
        word in line for line in lines for word in ("account", "-A", "None", "null", "mem")
    )


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_script_is_sound_bash(folder: Path, scheduler: str):
    text = "\n".join(script(write(folder, scheduler)))
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_script_tells_when_the_job_ends(
    folder: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
):
    lines = script(write(folder, scheduler), walltime="3:00:30")
    (line,) = (line for line in lines if line.startswith("export JOB_END_TIME="))
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 10830))
    told = subprocess.run(
        ["bash", "-c", f"{line}; echo $JOB_END_TIME"], capture_output=True, text=True, check=True
    )
    assert float(told.stdout) == pytest.approx(time.time() + 10830, abs=60)


@pytest.mark.parametrize(
    ("scheduler", "commands"), [("slurm", ["sbatch", "squeue"]), ("pbs", ["qsub", "qstat"])]
)
def test_the_commands_of_a_scheduler(folder: Path, scheduler: str, commands: list[str]):
    assert scheduler_commands(folder) == []
    assert scheduler_commands(write(folder, scheduler)) == commands


@pytest.mark.parametrize("text", ["_fw_q_type: [", "- a", "_fw_q_type: lsf", "queue: x"])
def test_a_broken_queue_adapter_is_named(folder: Path, text: str):
    (folder / "my_qadapter.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"my_qadapter\.yaml is not a queue adapter"):
        scheduler_commands(folder)


def test_an_unknown_scheduler(folder: Path):
    with pytest.raises(SettingsError, match=r"scheduler 'slrum' .*Did you mean 'slurm'"):
        write(folder, "slrum")


def test_queue_jobs_cannot_use_the_embedded_database(folder: Path):
    with pytest.raises(
        SettingsError, match="queue jobs cannot reach it: name a MongoDB server with --database"
    ):
        fireworks_files(Settings(data_dir=folder), "slurm", folder, folder / "config.yaml", {})


def test_every_file_is_yaml_with_comments(folder: Path):
    for path in write(folder, "sge").glob("*.yaml"):
        assert path.read_text().startswith("# ")
        assert isinstance(yaml.safe_load(path.read_text()), dict)
