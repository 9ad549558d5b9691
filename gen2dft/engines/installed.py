"""What the engines need of this machine: programs, pseudopotentials, packages, keys. Looked up, not run."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shlex
import shutil
from pathlib import Path

POTCAR_FOLDERS = ("POT_GGA_PAW_PBE", "POT_GGA_PAW_PBE_52", "POT_GGA_PAW_PBE_54", "POT_PAW_PBE_52", "POT_PAW_PBE_54")
# Words of a VASP command that only start the program.
LAUNCHERS = ("mpirun", "mpiexec", "srun")


def package_version(package: str, module: str | None = None) -> str | None:
    """Version of an installed package, None if it cannot be imported here; nothing is imported."""
    if importlib.util.find_spec(module or package) is None:
        return None
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown version"


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
    programs = words[:1] + ([word for word in words[1:] if "vasp" in word] if words[:1] and is_launcher(words[0]) else [])
    return command, bool(programs) and all(shutil.which(program) for program in programs)


def is_launcher(program: str) -> bool:
    """Whether a program starts others in parallel."""
    return Path(program).name in LAUNCHERS
