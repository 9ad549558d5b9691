"""FireWorks' configuration files for a queue: templates with the values of this installation filled
in.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from gen2dft.launchpad.connect import CONFIG_VARIABLE, INDICES

from gen2dft.errors import SettingsError, not_one_of
from gen2dft.plain_yaml import read_yaml_file

if TYPE_CHECKING:
    from gen2dft.settings import Settings

SCHEDULERS = ("slurm", "pbs", "sge")
# Names of the files.
LAUNCHPAD, FWORKER, QADAPTER = "my_launchpad.yaml", "my_fworker.yaml", "my_qadapter.yaml"
FW_CONFIG, SCRIPT = "FW_config.yaml", "queue_script.txt"
# Everything that reading a file raises if it holds no queue adapter.
NO_ADAPTER = (
    SettingsError,
    KeyError,
    TypeError,
    AttributeError,
    ValueError,
)
# FireWorks' own scripts for these do not know the words for cores, memory and time that its SLURM
# script does, and in which the stages of a campaign ask for them.
OWN_SCRIPTS = ("pbs", "sge")
# When a SLURM job ends, in seconds since 1970; newer SLURMs say it themselves. The other
# schedulers' scripts reckon it.
SLURM_END = (
    'export JOB_END_TIME=${SLURM_JOB_END_TIME:-$(date +%s -d "$(squeue -h -j "$SLURM_JOB_ID" '
    '-o %e)")}'
)
WALLTIME = "24:00:00"
# How fireworks share a queue job: nothing begins in the last four hours of the walltime above, and
# the job ends early once it has found nothing to do for five minutes in all.
PACKING = "--nlaunches infinite --max_loops 5 --sleep 60 --timeout 72000"
COMMENTS = ("launch_comment",)
SINGLE = """\
# One firework per queue job, for `qlaunch -r`. For fireworks side by side in one job:
# gen2dft init --pack N."""
PACKED = """\
# Several fireworks side by side, each process taking one after another: call qlaunch without -r.
# Nothing begins after --timeout seconds, so let that be the walltime less what a firework takes;
# after --max_loops looks at an empty queue, --sleep seconds apart, a process ends, so that nothing
# idles."""
# Settings of the stack that a queue job must have too, if they were made in the environment.
# Secrets are not among them: what needs MP_API_KEY runs before anything is submitted.
PASSED_ON = ("ATOMATE2_CONFIG_FILE", "ATOMATE2_VASP_CMD", "PMG_CONFIG_FILE", "PMG_VASP_PSP_DIR")


def fireworks_files(
    settings: Settings,
    scheduler: str,
    folder: Path,
    config: Path,
    environment: Mapping[str, str],
    *,
    category: str = "",
    pack: int = 1,
) -> dict[Path, str]:
    """FireWorks' files with their content.

    Parameters
    ----------
    scheduler
        One of `SCHEDULERS`.
    folder
        Where the files go.
    config
        gen2dft's configuration file, which queue jobs read.
    environment
        Variables of this process, of which jobflow's and VASP's are passed on.
    category
        Of the stages that these workers take; empty: of all.
    pack
        Fireworks side by side in one queue job, one core each; 1: one firework per queue job.

    Raises
    ------
    SettingsError
        Unknown scheduler, or a database that queue jobs could not reach.
    """
    if scheduler not in SCHEDULERS:
        raise SettingsError(not_one_of("scheduler", scheduler, SCHEDULERS))
    if settings.is_embedded:
        raise SettingsError(
            "the embedded database serves this machine only, and only while gen2dft runs here, so "
            "queue jobs cannot reach it: name a MongoDB server with "
            "--database mongodb://user:password@host:27017/"
        )
    exports = _exports(config, folder / FW_CONFIG, environment)
    values = _database(settings) | _worker(scheduler, category) | _queue(folder, pack)
    values["pre_rocket"] = _pre_rocket(scheduler, exports)
    # File to the template that it is made of.
    templates = {
        LAUNCHPAD: LAUNCHPAD,
        FWORKER: FWORKER,
        QADAPTER: f"my_qadapter_{scheduler}.yaml",
        FW_CONFIG: FW_CONFIG,
    }
    if scheduler in OWN_SCRIPTS:
        templates[SCRIPT] = f"queue_script_{scheduler}.txt"
    return {folder / name: fill_in(template, values) for name, template in templates.items()}


def _database(settings: Settings) -> dict[str, Any]:
    return {
        "uri": settings.database.get_secret_value(),
        "database_name": settings.database_name,
        "user_indices": list(INDICES),
    }


def _worker(scheduler: str, category: str) -> dict[str, Any]:
    name = f"{scheduler}-{category}" if category else scheduler
    return {"worker_name": name, "category": category}


def _queue(folder: Path, pack: int) -> dict[str, Any]:
    """The queue job, and the files that it needs."""
    return {
        "cores": pack,
        "walltime": WALLTIME,
        "folder": str(folder),
        "launchpad_file": str(folder / LAUNCHPAD),
        "fworker_file": str(folder / FWORKER),
        "qadapter_file": str(folder / QADAPTER),
        "script_file": str(folder / SCRIPT),
        "log_folder": str(folder / "logs"),
        "launch_comment": PACKED if pack > 1 else SINGLE,
        "rocket_launch": _rocket_launch(folder, pack),
    }


def _rocket_launch(folder: Path, pack: int) -> str:
    """The command of a queue job.

    With an absolute path, for the queue's shell knows nothing of this environment.
    """
    python, quoted_folder = shlex.quote(sys.executable), shlex.quote(str(folder))
    rlaunch = f"{python} -m gen2dft.launchpad.rlaunch -c {quoted_folder}"
    if pack == 1:
        return f"{rlaunch} singleshot"
    return f"{rlaunch} multi {pack} {PACKING}"


def _pre_rocket(scheduler: str, exports: Mapping[str, str]) -> str:
    """Shell lines before that command."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
    if scheduler == "slurm":
        lines.append(SLURM_END)
    return "\n".join(lines)


def fill_in(template: str, values: Mapping[str, Any]) -> str:
    """A template's text with every value as YAML reads it back, whatever characters it has."""
    file = resources.files("gen2dft.launchpad.templates") / template
    text = file.read_text(encoding="utf-8")
    if template.endswith(".txt"):  # FireWorks itself fills these in
        return text
    # JSON on one line is YAML; a dollar sign in a value is not looked at again.
    texts = {}
    for name, value in values.items():
        texts[name] = value if name in COMMENTS else json.dumps(value)
    return Template(text).substitute(texts)


def _exports(
    config: Path, fireworks_config: Path, environment: Mapping[str, str]
) -> dict[str, str]:
    """Variables of every queue job."""
    exports = {
        "GEN2DFT_CONFIG_FILE": str(config),
        "FW_CONFIG_FILE": str(fireworks_config),
        "OMP_NUM_THREADS": "1",
    }
    for name in (CONFIG_VARIABLE, *PASSED_ON):
        value = environment.get(name)
        if value:
            exports[name] = value
    return exports


def scheduler_commands(folder: Path) -> list[str]:
    """Commands that the queue adapter in `folder` calls; empty if there is none.

    Raises
    ------
    SettingsError
        my_qadapter.yaml is not one that FireWorks can read.
    """
    path = folder / QADAPTER
    if not path.is_file():
        return []
    from fireworks.user_objects.queue_adapters.common_adapter import CommonAdapter

    try:
        content = read_yaml_file(path, "FireWorks' file", SettingsError)
        adapter = CommonAdapter.from_dict(content)
    except NO_ADAPTER as err:
        raise SettingsError(
            f"{path} is not a queue adapter of FireWorks: {err}; `gen2dft init` writes one"
        ) from err
    commands = adapter.q_commands[adapter.q_type]
    return list(commands.values())
