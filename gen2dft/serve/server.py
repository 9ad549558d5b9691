"""The server process: where it listens, who may read."""

from __future__ import annotations

import secrets
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

from gen2dft.errors import ServeError
from gen2dft.serve.security import is_loopback

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from uvicorn import Config


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
        A token too short to be a secret.
    """
    if given is not None and len(given) < 16:
        raise ServeError("--token must have at least 16 characters; leave it out to get a good one")
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
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family = found[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as err:
        cause = getattr(err, "strerror", None) or err
        raise ServeError(
            f"cannot listen at {host}, port {port}: {cause}; choose others with --host and --port"
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
