"""The embedded database: a private server with its data in `data_dir/db`, reachable only from this
machine and only by its owner.

It is the `mongod` on PATH, or else SecantusDB, always as a process of its own. It listens on
127.0.0.1, requires a password that is stored only in this folder (so that another user's or another
folder's server is never mistaken for it), confirms a write only once it is on disk, and stops by
itself a few seconds after its last client.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from gen2dft.errors import OutputError, StoreError
from gen2dft.store import keeper
from gen2dft.store.first_start import AUTH, HOST, START_SECONDS, USER, server_password
from gen2dft.store.logged import not_started, spawn
from gen2dft.store.processes import module_command, module_environment, process_stamp

if TYPE_CHECKING:
    from pymongo import MongoClient

CACHE_MB = 256
SILENCE_MS = 120_000  # that the server may keep while other processes take the machine

_client_locks: dict[Path, IO[str]] = {}  # one per folder, held until the process ends
_uris: dict[Path, str] = {}  # where the server was found last
# Keepers that this process began, which may outlive it.
_started: list[subprocess.Popen[bytes]] = []


def embedded_uri(data_dir: Path) -> str:
    """URI of the embedded server; starts it if it is not running and keeps it up while this process
    lives.

    Raises
    ------
    StoreError
        There is no server program, or it does not start.
    OutputError
        `data_dir` cannot be written.
    """
    folder = data_dir / "db"
    uri = _uris.get(folder)
    if uri and _keeper_lives(folder) and f":{_port(folder)}/" in uri:
        return uri
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        with keeper.flock(folder / "start.lock", wait=True):
            _join(folder)
            command = server_command(folder)
            password = server_password(folder, command, _storage(command))
            port = _ensure_keeper(folder, command, password)
            _uris[folder] = _uri(port, password)
            return _uris[folder]


def server_command(folder: Path) -> list[str]:
    """Command line of the server, with `{port}` for the port and the storage folder as a word of
    its own.

    A folder keeps to the kind of server that made its data.
    """
    commands = {"mongod": _mongod, "secantus": _secantus}
    made_by = [kind for kind in commands if (folder / kind).is_dir()]
    for kind in made_by or commands:
        storage = folder / kind
        if command := commands[kind](str(storage)):
            storage.mkdir(exist_ok=True)
            return command
    need = "mongod and SecantusDB are"
    if len(made_by) == 1:
        need = f"what made the database in {folder}, {made_by[0]}, is"
    raise StoreError(
        f"{need} not installed here: `pip install 'gen2dft[serve]'` for SecantusDB, or install "
        "mongod, or set "
        "`database` to a MongoDB URI (GEN2DFT_DATABASE, or `gen2dft init --database URI`)"
    )


def stop_server(data_dir: Path) -> None:
    """Stop the embedded server, even if others use it; do nothing if it is not running."""
    folder = data_dir / "db"
    _leave(folder)
    if not folder.is_dir():
        return
    with keeper.flock(folder / "start.lock", wait=True):
        if _keeper_lives(folder):
            for process in _keepers(folder):
                process.terminate()
                process.wait(30)


def is_running(data_dir: Path) -> bool:
    """Whether the embedded server of this folder is kept running."""
    folder = data_dir / "db"
    return folder.is_dir() and _keeper_lives(folder)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        reason = err.strerror or err
        raise OutputError(
            f"cannot keep the database in {folder}: {reason}; free some space or rights there, or "
            "choose another folder by `data_dir` (GEN2DFT_DATA_DIR)"
        ) from err


def _mongod(storage: str) -> list[str] | None:
    program = shutil.which("mongod")
    if program is None:
        return None
    return [
        program,
        "--dbpath",
        storage,
        "--port",
        "{port}",
        "--bind_ip",
        HOST,
        "--nounixsocket",
        "--quiet",
        "--wiredTigerCacheSizeGB",
        str(CACHE_MB / 1000),
        AUTH,
    ]


def _secantus(storage: str) -> list[str] | None:
    here = str(Path(sys.executable).parent)
    path = os.pathsep.join([here, os.environ.get("PATH", "")])
    program = shutil.which("secantusd-py", path=path)
    if program is None:
        return None
    # Without --config it would take settings from files of other projects.
    config = Path(storage).parent / "secantusd.toml"
    config.touch()
    return [
        program,
        "--storage-path",
        storage,
        "--port",
        "{port}",
        "--host",
        HOST,
        "--standalone",
        "--config",
        str(config),
        "--cache-size",
        f"{CACHE_MB}M",
        "--log-level",
        "WARNING",
        "--oplog-max-entries",
        "1000",
        AUTH,
    ]


def _storage(command: list[str]) -> str:
    return command[2]


def _uri(port: int, password: str) -> str:
    # journal: a confirmed write survives a kill of the server.
    # The server is back within seconds of its death, and operations wait for it. On a crowded
    # machine it may be silent for longer than pymongo's 20 s, which would then cancel them.
    options = "authSource=admin&journal=true&directConnection=true"
    patience = f"serverSelectionTimeoutMS=20000&connectTimeoutMS={SILENCE_MS}"
    return f"mongodb://{USER}:{password}@{HOST}:{port}/?{options}&{patience}"


def _join(folder: Path) -> None:
    """Count this process among the server's users until it ends."""
    if folder not in _client_locks:
        file = (folder / "clients.lock").open("a")
        fcntl.flock(file, fcntl.LOCK_SH)
        _client_locks[folder] = file


def _leave(folder: Path) -> None:
    """Stop counting this process among the users."""
    _uris.pop(folder, None)
    if file := _client_locks.pop(folder, None):
        file.close()


def _keeper_lives(folder: Path) -> bool:
    with keeper.flock(folder / "keeper.lock") as free:
        return not free


def _port(folder: Path) -> int | None:
    """Port of the server that a living keeper runs; a dead one's server is about to be replaced."""
    record = keeper.read_record(folder)
    if record is None:
        return None
    port, pid = record
    return port if process_stamp(pid) else None


def _keepers(folder: Path) -> list[Any]:
    import psutil

    words = {keeper.MODULE, str(folder)}
    processes = psutil.process_iter(["cmdline"])
    return [process for process in processes if words <= set(process.info["cmdline"] or ())]


def _ensure_keeper(folder: Path, command: list[str], password: str) -> int:
    """Port of the running server, started first if need be. The caller holds start.lock."""
    process = None
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        alive = _keeper_lives(folder)
        if process is None and not alive:
            words = [*module_command(keeper.MODULE), str(folder), _storage(command), *command]
            process = spawn(folder, words, module_environment())
            _started.append(process)
        elif not alive and process and process.poll() is not None:
            break
        port = _port(folder)
        if alive and port and _answers(_uri(port, password), port):
            return port
        time.sleep(0.05)
    raise not_started(folder)


def _client(uri: str) -> MongoClient[dict[str, Any]]:
    from pymongo import MongoClient

    return MongoClient(
        uri, serverSelectionTimeoutMS=500, connectTimeoutMS=2000, socketTimeoutMS=5000
    )


def _answers(uri: str, port: int) -> bool:
    """Whether a server answers at this URI and knows the password."""
    from pymongo.errors import PyMongoError

    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) != 0:
            return False  # pymongo would try for a while
    with _client(uri) as client:
        try:
            client[USER].command("ping")
        except PyMongoError:
            return False
    return True
