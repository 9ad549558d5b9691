"""FireWorks' configuration files for a queue: templates with the values of this installation filled in."""

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
# FireWorks' own scripts for these do not know the words for cores, memory and time that its SLURM script does, and in
# which the stages of a campaign ask for them.
OWN_SCRIPTS = ("pbs", "sge")
# When a SLURM job ends, in seconds since 1970; newer SLURMs say it themselves. The other schedulers' scripts reckon it.
SLURM_END = 'export JOB_END_TIME=${SLURM_JOB_END_TIME:-$(date +%s -d "$(squeue -h -j "$SLURM_JOB_ID" -o %e)")}'
# Settings of the stack that a queue job must have too, if they were made in the environment. Secrets are not among
# them: what needs MP_API_KEY runs before anything is submitted.
PASSED_ON = ("ATOMATE2_CONFIG_FILE", "ATOMATE2_VASP_CMD", "PMG_CONFIG_FILE", "PMG_VASP_PSP_DIR")


def fireworks_files(
    settings: Settings, scheduler: str, folder: Path, config: Path, environment: Mapping[str, str]
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

    Raises
    ------
    SettingsError
        Unknown scheduler, or a database that queue jobs could not reach.
    """
    if scheduler not in SCHEDULERS:
        raise SettingsError(not_one_of("scheduler", scheduler, SCHEDULERS))
    if settings.is_embedded:
        raise SettingsError(
            "the embedded database serves this machine only, and only while gen2dft runs here, so queue jobs cannot "
            "reach it: name a MongoDB server with --database mongodb://user:password@host:27017/"
        )
    names = ["my_launchpad.yaml", "my_fworker.yaml", "my_qadapter.yaml", "FW_config.yaml"]
    if scheduler in OWN_SCRIPTS:
        names.append("queue_script.txt")
    paths = {name: folder / name for name in names}
    rlaunch = Path(sys.executable).with_name("rlaunch")
    exports = _exports(config, paths["FW_config.yaml"], environment)
    values: dict[str, Any] = {
        "uri": settings.database.get_secret_value(),
        "database_name": settings.database_name,
        "user_indices": list(INDICES),
        "worker_name": scheduler,
        "folder": str(folder),
        "launchpad_file": str(paths["my_launchpad.yaml"]),
        "fworker_file": str(paths["my_fworker.yaml"]),
        "qadapter_file": str(paths["my_qadapter.yaml"]),
        "script_file": str(folder / "queue_script.txt"),
        "log_folder": str(folder / "logs"),
        # An absolute path, for the queue's shell knows nothing of this environment.
        "rocket_launch": f"{shlex.quote(str(rlaunch))} -c {shlex.quote(str(folder))} singleshot",
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


def fill_in(template: str, values: Mapping[str, Any]) -> str:
    """A template's text with every value as YAML reads it back, whatever characters it has."""
    text = resources.files("gen2dft.launchpad.templates").joinpath(template).read_text(encoding="utf-8")
    if template.endswith(".txt"):  # FireWorks itself fills these in
        return text
    # JSON on one line is YAML; a dollar sign in a value is not looked at again.
    return Template(text).substitute({name: json.dumps(value) for name, value in values.items()})


def _exports(config: Path, fireworks_config: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables of every queue job."""
    exports = {"GEN2DFT_CONFIG_FILE": str(config), "FW_CONFIG_FILE": str(fireworks_config), "OMP_NUM_THREADS": "1"}
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
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as err:
        raise SettingsError(f"{path} is not a queue adapter of FireWorks: {err}; `gen2dft init` writes one") from err
    return list(adapter.q_commands[adapter.q_type].values())
