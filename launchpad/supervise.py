"""Worker processes of `gen2dft run`: start, replace the dead, recover lost runs, stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gen2dft.launchpad.connect import configure_jobflow, connect_launchpad
from gen2dft.launchpad.lost import recover_lost_runs

from gen2dft.errors import OutputError, StoreError, WorkerError
from gen2dft.store.processes import module_command, module_environment

if TYPE_CHECKING:
    from gen2dft.settings import Settings

TICK_SECONDS = 1.0
RECOVER_SECONDS = 10.0
OUTAGE_SECONDS = 60.0
GRACE_SECONDS = 15.0
MAX_DEATHS, DEATH_SECONDS = 5, 600.0  # per worker, on average, within so many seconds
MAX_LOG_BYTES = 20_000_000
STOPPING = (
    "finishing the fireworks that are running; Ctrl-C again stops at once, and they will run again"
)


def run_workers(
    settings: Settings,
    campaign_id: str,
    workers: int,
    on_tick: Callable[[], bool],
    say: Callable[[str], None] | None = None,
) -> None:
    """Work on a campaign with several processes until `on_tick` says that it is over.

    Parameters
    ----------
    on_tick
        Called about once a second; False ends the work.
    say
        Gets a line for people when Ctrl-C was pressed. A second Ctrl-C stops at once; either way
        nothing is lost.

    Raises
    ------
    WorkerError
        Workers die again and again; the message holds the end of their log.
    StoreError
        The database does not come back.
    KeyboardInterrupt
        After Ctrl-C, once the workers have ended.
    """
    configure_jobflow(settings)
    recover_lost_runs(connect_launchpad(settings))
    pool = WorkerPool(settings, campaign_id, workers)
    try:
        _watch(pool, on_tick)
        pool.stop(GRACE_SECONDS)
    except KeyboardInterrupt:
        if say:
            say(STOPPING)
        pool.stop(None)
        raise
    finally:
        if pool.kill():
            recover_lost_runs(connect_launchpad(settings))


def _watch(pool: WorkerPool, on_tick: Callable[[], bool]) -> None:
    """Tick until told to end.

    The database may be away for a moment, for the embedded one is started again.
    """
    from pymongo.errors import ConnectionFailure

    last_seen = last_recovered = time.monotonic()
    while True:
        try:
            if not on_tick():
                return
            if pool.replace_dead() or time.monotonic() - last_recovered > RECOVER_SECONDS:
                recover_lost_runs(connect_launchpad(pool.settings))
                last_recovered = time.monotonic()
            last_seen = time.monotonic()
        except (ConnectionFailure, StoreError):
            if time.monotonic() - last_seen > OUTAGE_SECONDS:
                raise
        time.sleep(TICK_SECONDS)


class WorkerPool:
    """The worker processes of one campaign.

    Parameters
    ----------
    settings
        Handed on to every worker.
    campaign_id
        What they work on.
    size
        How many there are.
    """

    def __init__(self, settings: Settings, campaign_id: str, size: int) -> None:
        self.settings = settings
        self.campaign_id = campaign_id
        self.deaths: list[float] = []
        self.processes = [self._spawn(index) for index in range(size)]

    def replace_dead(self) -> bool:
        """Start a new worker for each that died; whether there was one."""
        dead = [index for index, process in enumerate(self.processes) if process.poll() is not None]
        for index in dead:
            self._count_death(index)
            self.processes[index] = self._spawn(index)
        return bool(dead)

    def stop(self, seconds: float | None) -> None:
        """Ask all to end after their present firework, and wait, at most so long."""
        for process in self.processes:
            process.terminate()
        deadline = None if seconds is None else time.monotonic() + seconds
        for process in self.processes:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                process.wait(left)
            except subprocess.TimeoutExpired:
                return

    def kill(self) -> bool:
        """Kill those that still live, with all that they started; whether there was one."""
        living = [process for process in self.processes if process.poll() is None]
        for process in living:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return bool(living)

    def log_file(self, index: int) -> Path:
        """Where worker `index` writes its output."""
        return self.settings.data_dir / "logs" / f"worker-{index}.log"

    def _spawn(self, index: int) -> subprocess.Popen[bytes]:
        path = self.log_file(index)
        module = module_command("gen2dft.launchpad.worker")
        command = [*module, self.campaign_id, str(os.getpid())]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            too_long = path.is_file() and path.stat().st_size > MAX_LOG_BYTES
            with path.open("wb" if too_long else "ab") as log:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=worker_environment(self.settings),
                    cwd=path.parent,
                    # Ctrl-C goes to the supervisor alone; see WorkerPool.kill
                    start_new_session=True,
                )
        except OSError as err:
            raise OutputError(
                f"cannot start a worker that writes to {path}: {err.strerror or err}"
            ) from err

    def _count_death(self, index: int) -> None:
        now = time.monotonic()
        recent = [moment for moment in self.deaths if now - moment < DEATH_SECONDS]
        self.deaths = [*recent, now]
        if len(self.deaths) <= MAX_DEATHS * len(self.processes):
            return
        how = _how_it_ended(self.processes[index].returncode)
        log = self.log_file(index)
        lines = log.read_text(errors="replace").splitlines()
        tail = "\n".join(lines[-12:])
        raise WorkerError(
            f"workers died {len(self.deaths)} times, the last by {how}. Its log {log} ends "
            f"with:\n{tail}\nAfter mending it, the same command goes on where it was."
        )


def _how_it_ended(code: int) -> str:
    """A process's end in words; a negative code is a signal."""
    if code >= 0:
        return f"exit code {code}"
    if code == -signal.SIGKILL:
        return f"signal {-code}; the system may have run out of memory, so try fewer --workers"
    return f"signal {-code}"


def worker_environment(settings: Settings) -> dict[str, str]:
    """Environment of a worker: these settings wherever it runs, one thread per process, no
    chatter.
    """
    return {
        "OMP_NUM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **module_environment(),
        **settings.as_environment(),
    }
