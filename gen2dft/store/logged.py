"""Processes of the embedded server, whose output goes to `server.log` in its folder."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from gen2dft.errors import StoreError

FILE = "server.log"
MAX_LOG_BYTES = 5_000_000
LAST_LINES = 8


def spawn(
    folder: Path, command: list[str], environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one."""
    path = folder / FILE
    is_too_long = path.is_file() and path.stat().st_size > MAX_LOG_BYTES
    mode = "wb" if is_too_long else "ab"
    with path.open(mode) as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )


def not_started(folder: Path) -> StoreError:
    """The error of a server that did not come up, with the end of its log."""
    log = (folder / FILE).read_text(errors="replace")
    last = log.splitlines()[-LAST_LINES:]
    tail = "\n".join(f"  {line}" for line in last)
    return StoreError(
        f"the embedded database in {folder} does not start; its log ends with:\n{tail}"
    )
