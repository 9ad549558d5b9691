"""What the engines need of this machine: programs, pseudopotentials, packages, keys.

Looked up, not run.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import shlex
import shutil
from collections.abc import Collection
from pathlib import Path

from gen2dft.errors import SettingsError

POTCAR_FOLDERS = (
    "POT_GGA_PAW_PBE",
    "POT_GGA_PAW_PBE_52",
    "POT_GGA_PAW_PBE_54",
    "POT_PAW_PBE_52",
    "POT_PAW_PBE_54",
)
# Words of a VASP command that only start the program.
LAUNCHERS = ("mpirun", "mpiexec", "srun")


def package_version(module: str, *distributions: str) -> str | None:
    """Version of a module that could be imported, None if it is not there; nothing is imported.

    Parameters
    ----------
    distributions
        Names under which the module may have been installed; default: its own.
    """
    if importlib.util.find_spec(module) is None:
        return None
    for name in distributions or (module,):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return "of unknown version"


def versions_of_packages(packages: Collection[str], engine: str, remedy: str) -> dict[str, str]:
    """Versions of the distributions that an engine needs; SettingsError if one is missing.

    Parameters
    ----------
    remedy
        Command that installs them.
    """
    try:
        return {package: importlib.metadata.version(package) for package in packages}
    except importlib.metadata.PackageNotFoundError as err:
        raise SettingsError(f"engine {engine!r} needs the package {err.name}: {remedy}") from err


def pymatgen_setting(name: str) -> str | None:
    """A setting of pymatgen's: from the environment, or from ~/.config/.pmgrc.yaml."""
    from pymatgen.core import SETTINGS

    return os.environ.get(name) or SETTINGS.get(name) or None


def potcar_folders() -> tuple[Path | None, list[str]]:
    """The folder that PMG_VASP_PSP_DIR names, and the PBE sets that are in it."""
    named = pymatgen_setting("PMG_VASP_PSP_DIR")
    if named is None:
        return None, []
    folder = Path(named).expanduser()
    return folder, [name for name in POTCAR_FOLDERS if (folder / name).is_dir()]


def vasp_command() -> tuple[str, bool]:
    """Atomate2's command for VASP, and whether every program in it is found."""
    from atomate2 import SETTINGS

    command = os.path.expandvars(str(SETTINGS.VASP_CMD))
    words = shlex.split(command)
    programs = words[:1]
    if programs and Path(programs[0]).name in LAUNCHERS:
        programs += [word for word in words[1:] if "vasp" in word]
    found = [shutil.which(program) for program in programs]
    return command, bool(found) and None not in found
