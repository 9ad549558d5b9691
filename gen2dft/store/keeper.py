"""The keeper: a small process that runs the embedded database server as long as somebody uses it.

`gen2dft.store.embedded` starts it as `python -m gen2dft.store.keeper FOLDER STORAGE COMMAND...`,
where `{port}` in the command stands for the port. It holds `keeper.lock` while it lives, writes the
port to `server.json`, restarts a server that died on the same port, and stops the server once no
process has held `clients.lock` for a while. The kernel releases the locks of a dead process, so
neither a killed client nor a killed keeper leaves anything behind that the next one cannot repair.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from gen2dft.atomic import write_atomically

MODULE = "gen2dft.store.keeper"  # as a command line names it
POLL_SECONDS = 0.2
LINGER_SECONDS = 5.0  # so that commands typed one after another find the server up
STOP_SECONDS = 20.0  # for a server to write what it holds
MAX_STARTS, WITHIN_SECONDS = 5, 60.0


@contextlib.contextmanager
def flock(path: Path, *, shared: bool = False, wait: bool = False) -> Iterator[bool]:
    """Hold a lock on a file; yields whether it was acquired (always, with `wait`)."""
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    if not wait:
        kind |= fcntl.LOCK_NB
    with path.open("a") as file:
        try:
            fcntl.flock(file, kind)
        except BlockingIOError:
            yield False
        else:
            yield True


def read_record(folder: Path) -> tuple[int, int] | None:
    """Port and process id that a keeper of this folder last wrote; None if they cannot be read."""
    try:
        record = json.loads((folder / "server.json").read_text())
        port = int(record["port"])
        pid = int(record["keeper"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (port, pid) if 0 < port < 65536 else None


def stop_strays(storage: str) -> None:
    """Stop servers of this storage that a dead keeper left."""
    import psutil

    processes = psutil.process_iter(["cmdline", "uids"])
    strays = [process for process in processes if _serves(process.info, storage)]
    for process in strays:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(strays, timeout=STOP_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _serves(info: dict[str, Any], storage: str) -> bool:
    """Whether a process of this user is a server of the storage.

    A keeper has the same words in its command line, but is no server.
    """
    words = info["cmdline"] or ()
    if storage not in words or info["uids"].real != os.getuid():
        return False
    return MODULE not in words


class Keeper:
    """Runs one server.

    Parameters
    ----------
    folder
        Where locks and `server.json` are.
    storage
        The server's data, one of the words of `command`.
    command
        How to start the server.
    """

    def __init__(self, folder: Path, storage: str, command: list[str]) -> None:
        self.folder = folder
        self.storage = storage
        self.command = command
        self.stopping = False

    def run(self) -> int:
        """Keep the server up until nobody uses it; return the process's exit code."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        starts: list[float] = []
        while True:
            now = time.monotonic()
            starts = [moment for moment in starts if now - moment < WITHIN_SECONDS]
            starts.append(now)
            if len(starts) > MAX_STARTS:
                sys.stderr.write(
                    f"keeper: the server ended {MAX_STARTS} times in {WITHIN_SECONDS:.0f} s; "
                    "giving up\n"
                )
                return 1
            stop_strays(self.storage)
            server = self._start()
            if self._watch(server):
                return 0
            sys.stderr.write(
                f"keeper: the server ended with code {server.returncode}; starting it again\n"
            )

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        self.stopping = True

    def _start(self) -> subprocess.Popen[bytes]:
        last = read_record(self.folder)
        # On the same port, if it is free, clients find the server again by themselves.
        port = free_port(last and last[0])
        record = {"port": port, "keeper": os.getpid()}
        write_atomically(self.folder / "server.json", json.dumps(record))
        command = [word.replace("{port}", str(port)) for word in self.command]
        return subprocess.Popen(command, cwd=self.folder)

    def _watch(self, server: subprocess.Popen[bytes]) -> bool:
        """Wait; True if the server was stopped because it is no longer wanted, False if it died."""
        idle_since: float | None = None
        while server.poll() is None:
            time.sleep(POLL_SECONDS)
            if self.stopping or not self.folder.is_dir():
                return stop(server)
            with flock(self.folder / "clients.lock") as unused:
                idle_since = (idle_since or time.monotonic()) if unused else None
            if idle_since and time.monotonic() - idle_since > LINGER_SECONDS:
                # Whoever comes now waits at start.lock and then finds no keeper, so it starts a new
                # one.
                with (
                    flock(self.folder / "start.lock") as got,
                    flock(self.folder / "clients.lock") as unused,
                ):
                    if got and unused:
                        return stop(server)
        return False


def stop(server: subprocess.Popen[bytes]) -> bool:
    """Stop the server in an orderly way, or else by force; returns True."""
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    return True


def free_port(wanted: int | None) -> int:
    """`wanted` if it is free, else any free port of 127.0.0.1."""
    for port in (wanted or 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def main(arguments: list[str]) -> int:
    """Run as `python -m gen2dft.store.keeper FOLDER STORAGE COMMAND...`."""
    name, storage, *command = arguments
    folder = Path(name)
    with flock(folder / "keeper.lock") as only_one:
        if not only_one:
            return 0
        return Keeper(folder, storage, command).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
