"""Which process is meant: a process id with a stamp that tells it from a later process of the same
id.
"""

from __future__ import annotations

from pathlib import Path


def process_stamp(pid: int) -> str | None:
    """A text that only this run of process `pid` has on this machine.

    None if there is no such process.

    On Linux it is made of the machine's boot and the ticks since then, which no change of the clock
    moves. A zombie, dead but not yet collected by its parent, counts as gone.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _portable_stamp(pid)
    return None if fields[0] in "ZX" else f"{boot[:8]}-{fields[19]}"


def _portable_stamp(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.0f}"
    except psutil.Error:
        return None
