"""The keeper: a small process that runs the embedded database server as long as somebody uses it.

`gen2dft.store.embedded` starts it as a script: `python keeper.py FOLDER STORAGE COMMAND...`, where
`{port}` in the command stands for the port. It holds `keeper.lock` while it lives, writes the port
to `server.json`, starts a server that died again on the same port, and stops the server once no
process has held `clients.lock` for a while. The kernel gives up a dead process's locks, so neither
a killed client nor a killed keeper leaves anything behind that the next one cannot put right.
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

POLL_SECONDS = 0.2
LINGER_SECONDS = 5.0  # so that commands typed one after another find the server up
MAX_STARTS, WITHIN_SECONDS = 5, 60.0


@contextlib.contextmanager
def flock(path: Path, *, shared: bool = False, wait: bool = False) -> Iterator[bool]:
    """Hold a lock on a file; yields whether it was got (always, with `wait`)."""
    with path.open("a") as file:
        try:
            fcntl.flock(
                file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
            )
        except BlockingIOError:
            yield False
        else:
            yield True


def read_record(folder: Path) -> tuple[int, int] | None:
    """Port and process id that a keeper of this folder last wrote; None if they cannot be read."""
    try:
        record = json.loads((folder / "server.json").read_text())
        port, pid = int(record["port"]), int(record["keeper"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (port, pid) if 0 < port < 65536 else None


def stop_strays(storage: str) -> None:
    """Stop servers of this storage that a dead keeper left."""
    import psutil

    strays = [
        process
        for process in psutil.process_iter(["cmdline", "uids"])
        if storage in (process.info["cmdline"] or ())
        and not any(Path(word).name == Path(__file__).name for word in process.info["cmdline"])
        and process.info["uids"].real == os.getuid()
    ]
    for process in strays:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(strays, timeout=20)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


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
        """Keep the server up until nobody uses it; the process's exit code."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        starts: list[float] = []
        while True:
            now = time.monotonic()
            starts = [moment for moment in starts if now - moment < WITHIN_SECONDS] + [now]
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
        port = free_port(last and last[0])
        # Not by gen2dft.atomic: the keeper runs as a script, without the package.
        record = self.folder / "server.json.new"
        record.write_text(json.dumps({"port": port, "keeper": os.getpid()}))
        record.replace(self.folder / "server.json")
        return subprocess.Popen(
            [word.replace("{port}", str(port)) for word in self.command], cwd=self.folder
        )

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
    """Stop the server in an orderly way, or else by force; True."""
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    return True


def free_port(wanted: int | None) -> int:
    """`wanted` if it can be had, else any free port of 127.0.0.1."""
    for port in (wanted or 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def main(arguments: list[str]) -> int:
    """Run as `keeper.py FOLDER STORAGE COMMAND...`."""
    folder, storage, *command = arguments
    with flock(Path(folder) / "keeper.lock") as only_one:
        return Keeper(Path(folder), storage, command).run() if only_one else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
