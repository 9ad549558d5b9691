"""Processes of this package: how one is started, and stamps that tell it from a later one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import gen2dft


def module_command(module: str) -> list[str]:
    """Command that runs a module of this package as a program.

    A file run by its path would put its folder first on `sys.path`, where a neighbour of the same
    name hides a module of the standard library; `-P` keeps the working folder out as well.
    """
    return [sys.executable, "-P", "-m", module]


def module_environment() -> dict[str, str]:
    """Environment in which another process finds this very package."""
    root = Path(gen2dft.__file__).parents[1]
    if not (root / "flows").is_dir():
        return dict(os.environ)
    # A checkout, which need not be installed.
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def process_stamp(pid: int) -> str | None:
    """A text unique to this run of process `pid` on this machine; None if there is no such process.

    On Linux it combines the machine's boot id and the ticks since then, which do not depend on the
    clock. A zombie, dead but not yet collected by its parent, counts as gone.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _portable_stamp(pid)
    # The name of the program, in brackets, may hold blanks and brackets itself.
    _, _, after_name = status.rpartition(")")
    fields = after_name.split()
    state, ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{boot[:8]}-{ticks}"


def _portable_stamp(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.0f}"
    except psutil.Error:
        return None
