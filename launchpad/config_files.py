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

import yaml
from gen2dft.launchpad.connect import CONFIG_VARIABLE, INDICES

from gen2dft.errors import SettingsError, not_one_of

if TYPE_CHECKING:
    from gen2dft.settings import Settings

SCHEDULERS = ("slurm", "pbs", "sge")
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
    """FireWorks' files and what is to be in them.

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
            "queue jobs cannot "
            "reach it: name a MongoDB server with --database mongodb://user:password@host:27017/"
        )
    names = ["my_launchpad.yaml", "my_fworker.yaml", "my_qadapter.yaml", "FW_config.yaml"]
    if scheduler in OWN_SCRIPTS:
        names.append("queue_script.txt")
    paths = {name: folder / name for name in names}
    exports = _exports(config, paths["FW_config.yaml"], environment)
    values: dict[str, Any] = {
        "uri": settings.database.get_secret_value(),
        "database_name": settings.database_name,
        "user_indices": list(INDICES),
        "worker_name": f"{scheduler}-{category}" if category else scheduler,
        "category": category,
        "cores": pack,
        "walltime": WALLTIME,
        "folder": str(folder),
        "launchpad_file": str(paths["my_launchpad.yaml"]),
        "fworker_file": str(paths["my_fworker.yaml"]),
        "qadapter_file": str(paths["my_qadapter.yaml"]),
        "script_file": str(folder / "queue_script.txt"),
        "log_folder": str(folder / "logs"),
        "launch_comment": PACKED if pack > 1 else SINGLE,
        "rocket_launch": _rocket_launch(folder, pack),
        "pre_rocket": "\n".join(
            [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
            + [SLURM_END] * (scheduler == "slurm")
        ),
    }
    variants = {
        "my_qadapter.yaml": f"my_qadapter_{scheduler}.yaml",
        "queue_script.txt": f"queue_script_{scheduler}.txt",
    }
    return {path: fill_in(variants.get(name, name), values) for name, path in paths.items()}


def _rocket_launch(folder: Path, pack: int) -> str:
    """What a queue job runs.

    With an absolute path, for the queue's shell knows nothing of this environment.
    """
    rlaunch = (
        f"{shlex.quote(sys.executable)} -m gen2dft.launchpad.rlaunch -c {shlex.quote(str(folder))}"
    )
    return f"{rlaunch} singleshot" if pack == 1 else f"{rlaunch} multi {pack} {PACKING}"


def fill_in(template: str, values: Mapping[str, Any]) -> str:
    """A template's text with every value as YAML reads it back, whatever characters it has."""
    text = (
        resources.files("gen2dft.launchpad.templates")
        .joinpath(template)
        .read_text(encoding="utf-8")
    )
    if template.endswith(".txt"):  # FireWorks itself fills these in
        return text
    # JSON on one line is YAML; a dollar sign in a value is not looked at again.
    texts = {
        name: value if name in COMMENTS else json.dumps(value) for name, value in values.items()
    }
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
    passed = (CONFIG_VARIABLE, *PASSED_ON)
    return {**exports, **{name: environment[name] for name in passed if environment.get(name)}}


def scheduler_commands(folder: Path) -> list[str]:
    """Commands that the queue adapter in `folder` calls; empty if there is none.

    Raises
    ------
    SettingsError
        my_qadapter.yaml is not one that FireWorks can read.
    """
    path = folder / "my_qadapter.yaml"
    if not path.is_file():
        return []
    from fireworks.user_objects.queue_adapters.common_adapter import CommonAdapter

    try:
        adapter = CommonAdapter.from_dict(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (
        OSError,
        UnicodeDecodeError,
        yaml.YAMLError,
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
    ) as err:
        raise SettingsError(
            f"{path} is not a queue adapter of FireWorks: {err}; `gen2dft init` writes one"
        ) from err
    return list(adapter.q_commands[adapter.q_type].values())
