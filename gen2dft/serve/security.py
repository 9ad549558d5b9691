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
LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]"]

Handler = Callable[["Request"], Awaitable["Response"]]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address or name to listen at."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def guard(request: Request, go_on: Handler, token: str | None) -> Response:
    """Answer a request that may be answered, and no other.

    Parameters
    ----------
    token
        What every reader must know; None: whoever reaches the server may read.
    """
    from starlette.responses import PlainTextResponse, RedirectResponse

    if request.method not in READING:
        return _sealed(
            PlainTextResponse("this page only reads\n", 405, {"Allow": ", ".join(READING)})
        )
    if token is not None:
        asked = request.query_params.get("token")
        if asked is not None and _same(asked, token):
            # Out of the address, where it would be seen and kept, into a cookie.
            rest = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
            target = request.url.path + (f"?{urlencode(rest)}" if rest else "")
            moved = RedirectResponse(f"/{target.lstrip('/')}", 303)
            moved.set_cookie(
                COOKIE,
                token,
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
            )
            return _sealed(moved)
        if not _knows(request, token):
            text = (
                "a token is needed: open the address that `gen2dft serve` printed, with "
                "?token=...\n"
            )
            return _sealed(PlainTextResponse(text, 401, {"WWW-Authenticate": "Bearer"}))
    return _sealed(await go_on(request))


def _knows(request: Request, token: str) -> bool:
    """Whether the request carries the token, as a cookie or as `Authorization: Bearer`."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    return _same(request.cookies.get(COOKIE, ""), token) or (
        kind.lower() == "bearer" and _same(given, token)
    )


def _same(given: str, token: str) -> bool:
    """Compared in a time that tells nothing of how much of it is right."""
    return hmac.compare_digest(given.encode(), token.encode())


def _sealed(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Content-Security-Policy", POLICY)
    return response
