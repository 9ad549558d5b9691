"""FireTasks of the tests, importable by worker processes.

Explicit, or FireWorks looks for them in its own tests.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from fireworks import FiretaskBase, explicit_serialize


@explicit_serialize
class Nothing(FiretaskBase):
    def run_task(self, fw_spec):
        return None


@explicit_serialize
class Mark(FiretaskBase):
    """Append the worker's process id to a file."""

    required_params = ("file",)

    def run_task(self, fw_spec):
        with Path(self["file"]).open("a") as file:
            file.write(f"{os.getpid()}\n")


@explicit_serialize
class WaitFor(FiretaskBase):
    """Write `file`.begun, then wait until `file` is there."""

    required_params = ("file",)

    def run_task(self, fw_spec):
        Path(self["file"] + ".begun").write_text(str(os.getpid()))
        while not Path(self["file"]).exists():
            time.sleep(0.05)


@explicit_serialize
class DieOnce(FiretaskBase):
    """Kill the worker, unless `file` says that this has been done; with `always` every time."""

    required_params = ("file",)
    optional_params = ("always",)

    def run_task(self, fw_spec):
        if self.get("always") or not Path(self["file"]).exists():
            Path(self["file"]).write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
