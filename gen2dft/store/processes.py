"""Stamps that tell a process from a later one with the same id."""

from __future__ import annotations

from pathlib import Path


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
