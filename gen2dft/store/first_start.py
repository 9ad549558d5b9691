"""The first start of the embedded server, which creates its only user.

A server without users can only be given one over a connection that no password guards. So the first
start asks for more than a password: it speaks TLS alone and takes no client but the holder of a key
that is drawn for this start, lies in the owner's folder, and is deleted with it. Other processes of
the machine see the port and are turned away in the handshake, before they can name a command. The
server that holds their sockets then ends; the one with passwords is another process.
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2dft.store import keeper
from gen2dft.store.files import write_private
from gen2dft.store.logged import not_started, spawn

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate
    from pymongo import MongoClient

USER = "gen2dft"
AUTH = "--auth"
HOST = "127.0.0.1"
START_SECONDS = 60.0
VALID = timedelta(days=1)
KEY_FOLDER = "first-start-"


def server_password(folder: Path, command: list[str], storage: str) -> str:
    """The server's password; on first use it is drawn at random and given to the server's user.

    Parameters
    ----------
    command
        The server's command line, with `{port}` for the port and `--auth` as a word.

    Raises
    ------
    StoreError
        The server does not start.
    """
    path = folder / "password"
    with contextlib.suppress(FileNotFoundError):
        if password := path.read_text().strip():
            return password
    password = secrets.token_urlsafe(24)
    keeper.stop_strays(storage)
    with _key_file(folder) as key:
        port = keeper.free_port(None)
        closed = [word.replace("{port}", str(port)) for word in closed_command(command, key)]
        server = spawn(folder, closed)
        try:
            with _client(port, key) as client:
                _wait_for(client, server, folder)
                _set_password(client, password)
        finally:
            keeper.stop(server)
    write_private(path, password)
    return password


def closed_command(command: list[str], key: Path) -> list[str]:
    """Command of a server without passwords that answers the holder of a key alone."""
    file = str(key)
    if "--dbpath" in command:  # mongod asks every client for a certificate as soon as it has a CA
        flags = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", file, "--tlsCAFile", file]
    else:
        flags = ["--tls-cert-file", file, "--tls-key-file", file, "--tls-ca-file", file]
        flags.append("--tls-require-client-cert")
    return [word for word in command if word != AUTH] + flags


@contextlib.contextmanager
def _key_file(folder: Path) -> Iterator[Path]:
    """A key and its own certificate in a file that is gone afterwards."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = _certificate(key).public_bytes(Encoding.PEM)
    for left in folder.glob(f"{KEY_FOLDER}*"):  # by a first start that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=KEY_FOLDER, dir=folder) as private_folder:
        path = Path(private_folder) / "key.pem"
        write_private(path, (private + public).decode())
        yield path


def _certificate(key: EllipticCurvePrivateKey) -> Certificate:
    """A certificate that a key signs for itself: server, client and authority in one."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gen2dft embedded database")])
    moment = datetime.now(UTC)
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    addresses = [x509.IPAddress(ipaddress.ip_address(HOST))]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - VALID)
        .not_valid_after(moment + VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .sign(key, SHA256())
    )


def _client(port: int, key: Path) -> MongoClient[dict[str, Any]]:
    """A client that shows the certificate, and takes no server but the one that has it too."""
    from pymongo import MongoClient

    return MongoClient(
        HOST,
        port,
        directConnection=True,
        tls=True,
        tlsCAFile=str(key),
        tlsCertificateKeyFile=str(key),
        serverSelectionTimeoutMS=500,
        connectTimeoutMS=2000,
        socketTimeoutMS=5000,
    )


def _wait_for(
    client: MongoClient[dict[str, Any]], server: subprocess.Popen[bytes], folder: Path
) -> None:
    from pymongo.errors import PyMongoError

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            client.admin.command("ping")
        except PyMongoError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise not_started(folder) from None
            time.sleep(0.05)
        else:
            return


def _set_password(client: MongoClient[dict[str, Any]], password: str) -> None:
    from pymongo.errors import OperationFailure

    try:
        client.admin.command("createUser", USER, pwd=password, roles=["root"])
    except OperationFailure:  # it exists, but its password was lost
        client.admin.command("updateUser", USER, pwd=password)
