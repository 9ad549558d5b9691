"""A worker process of `gen2dft run`: FireWorks' own rocket launching, until the campaign is
finished.

It lives as long as there is work, so that models and libraries are loaded once, not once per
firework. Started by `gen2dft.launchpad.supervise` as `python -m gen2dft.launchpad.worker
CAMPAIGN_ID PARENT_PID`.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from gen2dft.launchpad.connect import configure_jobflow, connect_launchpad
from gen2dft.launchpad.lost import worker_name

from gen2dft.engines.kept import FILE as OUTCOME
from gen2dft.settings import load_settings
from gen2dft.store.connect import connect

if TYPE_CHECKING:
    from gen2dft.settings import Settings

IDLE_SECONDS = 0.5
PING_SECONDS = 60
PARENT_SECONDS = 0.5


class Worker:
    """Runs the fireworks of one campaign, one after another.

    Parameters
    ----------
    settings
        Where the database is and where launch folders go (`data_dir/launches`).
    campaign_id
        Only fireworks of this campaign are run, or of an engine's reference phases
        (`references-<engine>`).
    on_tick
        Called before each rocket; False ends the work. None: it ends with the campaign alone.
    log_level
        Of the lines that FireWorks prints.
    """

    def __init__(
        self,
        settings: Settings,
        campaign_id: str,
        on_tick: Callable[[], bool] | None = None,
        log_level: str = "INFO",
    ) -> None:
        self.settings = settings
        self.campaign_id = campaign_id
        self.on_tick = on_tick
        self.log_level = log_level
        self.stopping = False

    def run(self) -> None:
        """Launch rockets until the campaign is finished or paused, or the worker is asked to
        stop.
        """
        configure_jobflow(self.settings)
        from fireworks import FWorker
        from fireworks.core import rocket
        from fireworks.core.rocket_launcher import rapidfire

        # Signs of life often enough for `gen2dft advance` on other machines; FireWorks' own default
        # is an hour.
        rocket.PING_TIME_SECS = min(PING_SECONDS, rocket.PING_TIME_SECS)
        lpad = connect_launchpad(self.settings)
        fworker = FWorker(worker_name(), query={"spec.gen2dft.campaign_id": self.campaign_id})
        folder = self.settings.data_dir / "launches" / f"{os.getpid()}"
        folder.mkdir(parents=True, exist_ok=True)
        while not self.stopping and not self._is_over():
            # One rocket, or one pause if there is nothing to launch.
            rapidfire(
                lpad,
                fworker,
                str(folder),
                nlaunches=1,
                max_loops=1,
                sleep_time=IDLE_SECONDS,
                strm_lvl=self.log_level,
            )
            remove_bare_launches(folder)
        remove_if_empty(folder)

    def stop(self, signum: int, frame: FrameType | None) -> None:
        """Signal handler: end after the present firework.

        An exception would make FireWorks call it fizzled.
        """
        del signum, frame
        self.stopping = True

    def _is_over(self) -> bool:
        if self.on_tick is not None and not self.on_tick():
            return True
        campaign = connect(self.settings).campaigns.find_one(
            {"_id": self.campaign_id}, {"state": 1}
        )
        # Reference phases belong to no campaign; then the supervisor says when it is over.
        return campaign is not None and campaign["state"] != "running"


def remove_bare_launches(folder: Path) -> None:
    """Remove launch folders whose files are all in the database too; they would add up."""
    for launch in folder.glob("launcher_*"):
        if {entry.name for entry in launch.iterdir()} <= {"FW.json", OUTCOME}:
            shutil.rmtree(launch)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder unless it holds anything."""
    os.chdir(folder.parent)
    if not any(folder.iterdir()):
        folder.rmdir()


def end_with(parent: int) -> None:
    """Kill this process and all it started as soon as its parent is gone, even if it was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def main(campaign_id: str, parent: int) -> None:
    """Work on a campaign as the child of process `parent`, in a process group of its own."""
    end_with(parent)
    worker = Worker(load_settings(), campaign_id)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker.run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
