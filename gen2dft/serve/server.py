"""The server process: where it listens, who may read."""

from __future__ import annotations

import re
import secrets
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

from gen2dft.errors import ServeError
from gen2dft.serve.security import is_loopback
from gen2dft.store.filters import shortened

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from uvicorn import Config


# 2**96 guesses of the shortest one; characters that need no escape in an address or a cookie.
TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,500}")


def require_packages() -> None:
    """Raise ServeError, with the remedy, if the web server's packages are not installed."""
    import importlib.util

    missing = [
        name
        for name in ("starlette", "uvicorn", "optimade")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ServeError(f"{', '.join(missing)} not installed here: `pip install 'gen2dft[web]'`")


def reader_token(host: str, given: str | None) -> str | None:
    """The token that readers need: the given one, or a new one if other machines reach the host.

    None otherwise.

    Raises
    ------
    ServeError
        A token too short to be a secret, or one that no address and cookie can carry.
    """
    if given is not None and not TOKEN.fullmatch(given):
        raise ServeError(
            "--token must have at least 16 characters, of letters, digits and -._~ alone; leave it "
            "out to get a good one"
        )
    if given or is_loopback(host):
        return given or None
    return secrets.token_urlsafe(24)


def listen(host: str, port: int) -> socket.socket:
    """A socket at a host and port (0: a free one).

    Raises
    ------
    ServeError
        The port is taken, or the address is not one of this machine's.
    """
    try:
        if not host:  # would mean every address of this machine
            raise ValueError
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family = found[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError, ValueError) as err:  # ValueError: no name of a host at all
        cause = getattr(err, "strerror", None) or "this is no name or address of a host"
        raise ServeError(
            f"cannot listen at {shortened(host)}, port {port}: {cause}; choose others with --host "
            "and --port"
        ) from err


def address(listening: socket.socket, token: str | None) -> str:
    """The address to open in a browser."""
    host, port = listening.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        name = socket.gethostname()
    query = f"?token={quote(token)}" if token else ""
    return f"http://{name}:{port}/{query}"


def serve(app: Starlette, listening: socket.socket) -> None:
    """Serve until the process is stopped."""
    from uvicorn import Server

    server = Server(server_config(app))
    server.run(sockets=[listening])


def server_config(app: Starlette) -> Config:
    """How uvicorn serves: requests are not logged, because an address may hold a token."""
    from uvicorn import Config

    return Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off", ws="none"
    )
