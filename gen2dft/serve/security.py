"""Who may read, and what a page may load: loopback by default, a token elsewhere, nothing from
outside.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

COOKIE = "gen2dft-token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "
    "'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
READING = ("GET", "HEAD")
# No address of these pages is longer; an OPTIMADE filter of 2,000 characters fits, each in three.
MAX_PATH, MAX_QUERY = 2000, 16_000
LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]"]

Handler = Callable[["Request"], Awaitable["Response"]]


def is_loopback(host: str) -> bool:
    """Whether an address or name to listen at can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def guard(request: Request, go_on: Handler, token: str | None) -> Response:
    """Answer a request of a reader who may read, refuse any other.

    Parameters
    ----------
    token
        The secret of the readers; None: everybody who reaches the server may read.
    """
    if request.method not in READING:
        return _sealed(_only_reads())
    if len(request.url.path) > MAX_PATH or len(request.url.query) > MAX_QUERY:
        return _sealed(_too_long())
    if token is not None:
        asked = request.query_params.get("token")
        if asked is not None and _same(asked, token):
            return _sealed(_moved_to_cookie(request, token))
        if not _knows(request, token):
            return _sealed(_token_needed())
    return _sealed(await go_on(request))


def _only_reads() -> Response:
    from starlette.responses import PlainTextResponse

    headers = {"Allow": ", ".join(READING)}
    return PlainTextResponse("this page only reads\n", 405, headers)


def _too_long() -> Response:
    from starlette.responses import PlainTextResponse

    text = f"an address has at most {MAX_PATH} characters, and {MAX_QUERY} after its `?`\n"
    return PlainTextResponse(text, 414)


def _moved_to_cookie(request: Request, token: str) -> Response:
    """Redirect to the address without its token, which histories would keep; a cookie holds it."""
    from starlette.responses import RedirectResponse

    rest = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
    query = f"?{urlencode(rest)}" if rest else ""
    path = request.url.path.lstrip("/")
    moved = RedirectResponse(f"/{path}{query}", 303)
    is_secure = request.url.scheme == "https"
    moved.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=is_secure)
    return moved


def _token_needed() -> Response:
    from starlette.responses import PlainTextResponse

    text = "a token is needed: open the address that `gen2dft serve` printed, with ?token=...\n"
    return PlainTextResponse(text, 401, {"WWW-Authenticate": "Bearer"})


def _knows(request: Request, token: str) -> bool:
    """Whether the request carries the token, as a cookie or as `Authorization: Bearer`."""
    cookie = request.cookies.get(COOKIE, "")
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    is_bearer = kind.lower() == "bearer"
    return _same(cookie, token) or (is_bearer and _same(given, token))


def _same(given: str, token: str) -> bool:
    """Compare in constant time: the time must not tell how much of a guess is right."""
    return hmac.compare_digest(given.encode(), token.encode())


def _sealed(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Content-Security-Policy", POLICY)
    return response
