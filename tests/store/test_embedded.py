from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pymongo
import pytest

from gen2dft.errors import OutputError, StoreError
from gen2dft.store import embedded, first_start, keeper
from gen2dft.store.embedded import embedded_uri, is_running, server_command, stop_server

ROOT = Path(__file__).parents[2]
# A client in another process: connects, writes one document, says so, and waits to be told to end.
CLIENT = """
import sys, pymongo
from pathlib import Path
from gen2dft.store.embedded import embedded_uri
uri = embedded_uri(Path(sys.argv[1]))
pymongo.MongoClient(uri).test.clients.insert_one({})
print(uri, flush=True)
sys.stdin.read()
"""


# Another user of the machine: tries to become root on a port by every way in, keeps the
# connections, and ends when it is told to.
ATTACKER = """
import ssl, sys, pymongo
port, own_key = int(sys.argv[1]), sys.argv[2]
ways = [
    {},
    {"tls": True, "tlsInsecure": True},
    {"tls": True, "tlsInsecure": True, "tlsCertificateKeyFile": own_key},
]
kept = []
for way in ways:
    client = pymongo.MongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=1000, **way
    )
    kept.append(client)
    try:
        client.admin.command("createUser", "mallory", pwd="evil", roles=["root"])
        client.planted.documents.insert_one({"planted": True})
    except pymongo.errors.PyMongoError:
        continue
print("tried", flush=True)
sys.stdin.read()
"""


def wait_for(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.02)


def start_client(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CLIENT, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def servers(folder: Path) -> list[psutil.Process]:
    """Processes of the server, not of its keeper."""
    storage = str(folder / "db" / "secantus")
    found = [p for p in psutil.process_iter(["cmdline"]) if storage in (p.info["cmdline"] or ())]
    return [p for p in found if keeper.MODULE not in p.info["cmdline"]]


@contextlib.contextmanager
def collection(uri: str) -> Iterator[pymongo.collection.Collection]:
    with pymongo.MongoClient(uri) as client:
        yield client.test.documents


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that has its password; a copy of it starts its server at once."""
    folder = tmp_path_factory.mktemp("template")
    embedded_uri(folder)
    stop_server(folder)
    return folder


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the tests that do not mind each other."""
    folder = tmp_path_factory.mktemp("shared") / "data"
    shutil.copytree(template, folder)
    yield folder
    stop_server(folder)


@pytest.fixture
def own(template: Path, tmp_path: Path) -> Path:
    """A folder for one test."""
    return Path(shutil.copytree(template, tmp_path / "data"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (embedded, first_start):
        monkeypatch.setattr(module, "START_SECONDS", 5.0)


def test_the_same_server_serves_every_call(shared: Path):
    assert embedded_uri(shared) == embedded_uri(shared)
    assert is_running(shared)
    assert len(servers(shared)) == 1


def test_others_are_kept_out(shared: Path):
    uri = embedded_uri(shared)
    assert stat.S_IMODE((shared / "db").stat().st_mode) == 0o700
    assert stat.S_IMODE((shared / "db/password").stat().st_mode) == 0o600
    with (
        collection(uri.replace("gen2dft:", "gen2dft:x")) as documents,
        pytest.raises(pymongo.errors.OperationFailure),
    ):
        documents.find_one()
    with (
        collection(f"mongodb://{uri.partition('@')[2]}") as documents,
        pytest.raises(pymongo.errors.OperationFailure),
    ):
        documents.find_one()


@pytest.fixture
def attackers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[subprocess.Popen]]:
    """Attackers that connect in the last moment before the server of the first start ends."""
    found: list[subprocess.Popen] = []
    stop = keeper.stop
    theirs = tmp_path / "theirs"
    theirs.mkdir()

    def attack_and_stop(server: subprocess.Popen[bytes]) -> bool:
        port = server.args[server.args.index("--port") + 1]
        with first_start._key_file(theirs) as key:
            command = [sys.executable, "-c", ATTACKER, port, str(key)]
            attacker = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert attacker.stdout.readline() == "tried\n"
        found.append(attacker)
        return stop(server)

    monkeypatch.setattr(keeper, "stop", attack_and_stop)
    yield found
    for attacker in found:
        attacker.communicate()


def test_nobody_else_becomes_root_during_the_first_start(
    tmp_path: Path, attackers: list[subprocess.Popen]
):
    uri = embedded_uri(tmp_path / "data")
    assert len(attackers) == 1
    with pymongo.MongoClient(uri) as client:
        users = client.admin.command("usersInfo", 1)["users"]
        assert [user["user"] for user in users] == ["gen2dft"]
        assert "planted" not in client.list_database_names()
    planted = uri.partition("@")[2]
    with (
        collection(f"mongodb://mallory:evil@{planted}") as documents,
        pytest.raises(pymongo.errors.OperationFailure, match=r"(?i)authentication"),
    ):
        documents.find_one()
    assert list((tmp_path / "data/db").glob("first-start-*")) == []
    stop_server(tmp_path / "data")


def test_mongod_takes_only_holders_of_the_key_before_it_has_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(embedded.shutil, "which", lambda name, path=None: f"/usr/bin/{name}")
    command = embedded._mongod(str(tmp_path))
    closed = first_start.closed_command(command, Path("/key.pem"))
    added = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", "/key.pem"]
    assert closed == [*command[:-1], *added, "--tlsCAFile", "/key.pem"]
    assert command[-1] == "--auth"


def test_confirmed_writes_survive_a_kill_of_the_server(shared: Path):
    with collection(embedded_uri(shared)) as documents:
        for number in range(200):
            documents.insert_one({"_id": number})
        (server,) = servers(shared)
        server.kill()
        server.wait()
        wait_for(lambda: servers(shared))
        assert documents.count_documents({}) == 200


def test_a_killed_keeper_is_replaced_and_its_server_with_it(shared: Path):
    with collection(embedded_uri(shared)) as documents:
        documents.insert_one({"_id": "kept"})
    (process,) = embedded._keepers(shared / "db")
    process.kill()
    process.wait()
    with collection(embedded_uri(shared)) as documents:
        assert documents.find_one({"_id": "kept"})
    assert len(servers(shared)) == 1


@pytest.mark.parametrize(
    "content", ["", '{"port"', "[]", '{"port": 70000, "keeper": 1}', '{"port": null}']
)
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, content: str):
    (tmp_path / "server.json").write_text(content)
    assert keeper.read_record(tmp_path) is None


def test_a_port_that_is_taken_is_replaced():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert keeper.free_port(port) not in (port, 0)
    assert keeper.free_port(port) == port


def test_a_broken_record_is_healed(shared: Path):
    stop_server(shared)
    (shared / "db/server.json").write_text('{"port": 1')
    with collection(embedded_uri(shared)) as documents:
        documents.find_one()


def test_two_processes_that_start_at_once_share_one_server(shared: Path):
    stop_server(shared)
    clients = [start_client(shared) for _ in range(2)]
    uris = {client.stdout.readline() for client in clients}
    assert len(uris) == 1
    assert len(servers(shared)) == 1
    for client in clients:
        client.communicate()


def test_the_server_ends_after_its_last_client_even_a_killed_one(own: Path):
    first, second = start_client(own), start_client(own)
    assert first.stdout.readline() == second.stdout.readline()
    first.communicate()
    assert servers(own)
    second.send_signal(signal.SIGKILL)
    second.communicate()
    wait_for(lambda: not is_running(own))
    assert servers(own) == []


def test_the_server_ends_when_its_folder_is_removed(own: Path):
    client = start_client(own)
    client.stdout.readline()
    process = servers(own)
    (own / "db").rename(own / "gone")
    wait_for(lambda: not process[0].is_running())
    client.communicate()


def test_a_password_that_was_lost_is_drawn_anew(shared: Path):
    stop_server(shared)
    (shared / "db/password").unlink()
    with collection(embedded_uri(shared)) as documents:
        documents.find_one()


def test_without_a_server_program_the_remedies_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(embedded.shutil, "which", lambda *args, **kwargs: None)
    with pytest.raises(StoreError, match=r"pip install 'gen2dft\[serve\]'.*GEN2DFT_DATABASE"):
        embedded_uri(tmp_path)


def test_data_of_another_server_are_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "mongod").mkdir()
    monkeypatch.setattr(embedded, "_mongod", lambda storage: None)
    with pytest.raises(StoreError, match=r"what made the database in .*, mongod, is not installed"):
        server_command(tmp_path)


def test_a_mongod_on_the_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "mongod"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "db").mkdir()
    assert server_command(tmp_path / "db")[:3] == [
        str(program),
        "--dbpath",
        str(tmp_path / "db/mongod"),
    ]


def test_a_server_that_does_not_start_shows_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, impatient: None
):
    script = [sys.executable, "-c", "raise SystemExit('no room in the inn')", "{port}"]
    monkeypatch.setattr(embedded, "server_command", lambda folder: script)
    with pytest.raises(
        StoreError, match=r"(?s)does not start; its log ends with:.*no room in the inn"
    ):
        embedded_uri(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        OutputError, match=rf"cannot keep the database in {tmp_path}/file/db: .*GEN2DFT_DATA_DIR"
    ):
        embedded_uri(tmp_path / "file")


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(OutputError, match="No space left on device; free some space"):
        embedded_uri(tmp_path)


def test_a_silent_server_is_waited_for_longer_than_pymongo_would(shared: Path):
    # After its own 20 s of silence pymongo's monitor cancels what is running.
    with pymongo.MongoClient(embedded_uri(shared)) as client:
        assert client.options.pool_options.connect_timeout == embedded.SILENCE_MS / 1000 > 60
