"""The web application: maps addresses to pages.

Pages only read, and every text from the database is escaped.
"""

from __future__ import annotations

import base64
import functools
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gen2dft import __version__
from gen2dft.errors import Gen2DFTError, ServeError, StoreError, not_one_of
from gen2dft.ground.hulls import get_hull
from gen2dft.hashing import content_hash
from gen2dft.report.data import load_report_data
from gen2dft.report.figures import FIGURES
from gen2dft.report.phase_diagram import load_diagram, systems_of
from gen2dft.report.phase_diagram_page import render
from gen2dft.report.style import png
from gen2dft.report.templating import environment
from gen2dft.serve.cache import Cache
from gen2dft.serve.campaigns import campaign_page, campaign_rows, candidates_page
from gen2dft.serve.candidates import candidate_cif, candidate_page, transport_figure
from gen2dft.serve.hits import hits_page
from gen2dft.serve.latent import latent_map
from gen2dft.serve.mirror import FRESH as MIRROR_FRESH
from gen2dft.serve.security import LOOPBACK_NAMES, guard
from gen2dft.serve.waiting import FewAtOnce

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import Response

    from gen2dft.store.store import Store

FRESH = 3.0  # seconds for which a page is kept
FRESH_FIGURE = 120.0
ASSETS = {
    "page.css": ("gen2dft.report", "text/css"),
    "serve.css": ("gen2dft.serve.static", "text/css"),
    "crystal.js": ("gen2dft.serve.static", "text/javascript"),
    "latent.js": ("gen2dft.serve.static", "text/javascript"),
}


def build_app(
    store: Store, *, token: str | None = None, any_host: bool = False, optimade: Any | None = None
) -> Starlette:
    """The application over one store.

    Parameters
    ----------
    store
        A `MirrorStore` answers in a moment, however many candidates there are.
    token
        The secret of the readers; None: everybody who reaches the server may read.
    any_host
        Whether to answer under names other than those of this machine; not without a token, so
        that a page from elsewhere cannot reach the server under a name of its own.
    optimade
        An application to serve under `/optimade`.
    """
    from pymongo.errors import PyMongoError
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route

    pages = Pages(store)
    routes: list[Any] = [Route(path, handler) for path, handler in _addresses(pages)]
    if optimade is not None:
        routes.append(Mount("/optimade", optimade))
    return Starlette(
        routes=routes,
        middleware=_middleware(token, any_host),
        exception_handlers={
            Gen2DFTError: pages.failed,
            PyMongoError: pages.unavailable,
            404: pages.not_found,
        },
    )


def _addresses(pages: Pages) -> Iterator[tuple[str, Callable[[Request], Response]]]:
    """Path and handler of each page."""
    campaign = "/campaigns/{campaign_id}"
    candidate = f"{campaign}/candidates/{{candidate_id}}"
    latent = f"{campaign}/latent/{{round_index:int}}"
    yield "/", pages.index
    yield campaign, pages.campaign
    yield f"{campaign}/hits", pages.hits
    yield f"{campaign}/candidates", pages.candidates
    yield candidate, pages.candidate
    yield f"{candidate}/cif", pages.cif
    yield f"{candidate}/figures/{{name}}", pages.transport_figure
    yield latent, pages.latent
    yield f"{latent}/points", pages.latent_points
    yield f"{campaign}/systems", pages.systems
    yield f"{campaign}/systems/{{system}}", pages.system
    yield f"{campaign}/figures/{{name}}", pages.figure
    yield "/static/{name}", asset


def _middleware(token: str | None, any_host: bool) -> list[Middleware]:
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    hosts = ["*"] if any_host else LOOPBACK_NAMES
    guarded = functools.partial(guard, token=token)
    # The name comes first: a page from elsewhere learns nothing, not even that a token is needed.
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
        Middleware(BaseHTTPMiddleware, dispatch=guarded),
        Middleware(FewAtOnce),
    ]


def asset(request: Request) -> Response:
    """A style sheet or script, from this package alone."""
    from starlette.responses import Response

    name = request.path_params["name"]
    if name not in ASSETS:
        raise ServeError(not_one_of("file", name, ASSETS))
    package, kind = ASSETS[name]
    file = resources.files(package) / name
    return Response(file.read_bytes(), media_type=kind)


class Pages:
    """The handlers; Starlette runs each in a thread of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._fresh = Cache(FRESH)
        self._figures = Cache(FRESH_FIGURE, size=32)
        self._drawing = threading.Lock()  # matplotlib draws in one thread at a time
        self._jinja = environment("gen2dft.serve.templates", "gen2dft.report")
        self._jinja.filters |= {"part": functools.partial(quote, safe=""), "without": _without}
        self._jinja.globals |= {"version": __version__, "lag": FRESH + MIRROR_FRESH}
        self._jinja.globals |= {"left_out": store.reading.message}

    def _page(
        self, request: Request, template: str, make: Callable[[], Mapping[str, Any]]
    ) -> Response:
        """A page whose data are at most `FRESH` seconds old."""
        from starlette.responses import HTMLResponse

        key = (template, request.url.path, request.url.query)
        data = self._fresh.get(key, make)
        page = self._jinja.get_template(template).render(data)
        return HTMLResponse(page)

    def index(self, request: Request) -> Response:
        """All campaigns."""
        return self._page(request, "index.html", lambda: {"campaigns": campaign_rows(self.store)})

    def campaign(self, request: Request) -> Response:
        """One campaign."""
        campaign_id = _id(request)
        return self._page(request, "campaign.html", lambda: campaign_page(self.store, campaign_id))

    def hits(self, request: Request) -> Response:
        """Its hits, filtered and ordered."""
        campaign_id = _id(request)
        given = dict(request.query_params)
        return self._page(request, "hits.html", lambda: hits_page(self.store, campaign_id, given))

    def candidates(self, request: Request) -> Response:
        """Its candidates by state."""
        campaign_id = _id(request)
        given = dict(request.query_params)
        return self._page(
            request, "candidates.html", lambda: candidates_page(self.store, campaign_id, given)
        )

    def candidate(self, request: Request) -> Response:
        """One crystal."""
        key = _candidate_key(request)
        return self._page(request, "candidate.html", lambda: candidate_page(self.store, *key))

    def cif(self, request: Request) -> Response:
        """Its structure as a file."""
        from starlette.responses import PlainTextResponse

        name, text = candidate_cif(self.store, *_candidate_key(request))
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return PlainTextResponse(text, headers=headers, media_type="chemical/x-cif")

    def latent(self, request: Request) -> Response:
        """The map of a round's latent space; the page loads its points afterwards."""
        campaign_id, index = _round_key(request)

        def make() -> dict[str, Any]:
            self.store.round(campaign_id, index)  # an error where there is no such round
            campaign = self.store.campaign(campaign_id)
            rounds = [r.index for r in self.store.rounds(campaign_id) if r.latents_id]
            return {"campaign": campaign, "index": index, "rounds": rounds}

        return self._page(request, "latent.html", make)

    def latent_points(self, request: Request) -> Response:
        """The points of that map as JSON."""
        from starlette.responses import JSONResponse

        key = _round_key(request)
        points = self._fresh.get(("points", *key), lambda: latent_map(self.store, *key))
        return JSONResponse(points)

    def systems(self, request: Request) -> Response:
        """Chemical systems that have a phase diagram."""

        def make() -> dict[str, Any]:
            campaign = self.store.campaign(_id(request))
            found = systems_of(self.store, campaign.id)
            drawn = [(name, number) for name, number in found.items() if _has_diagram(name)]
            others = len(found) - len(drawn)
            return {"campaign": campaign, "systems": drawn, "others": others}

        return self._page(request, "systems.html", make)

    def system(self, request: Request) -> Response:
        """The phase diagram of one chemical system: the same page that `gen2dft hull` writes."""
        from starlette.responses import HTMLResponse

        def make() -> str:
            campaign = self.store.campaign(_id(request))
            hull = get_hull(self.store, campaign.hull_id)
            system = request.path_params["system"]
            return render(load_diagram(self.store, campaign.id, system, hull))

        page = self._fresh.get(request.url.path, make)
        return HTMLResponse(page, headers={"Content-Security-Policy": _policy_of(page)})

    def figure(self, request: Request) -> Response:
        """A figure of the report as PNG; 204 if there is nothing to show yet."""
        name = request.path_params["name"]
        campaign_id = _id(request)
        if name not in FIGURES:
            raise ServeError(not_one_of("figure", name, FIGURES))
        key = ("data", campaign_id)  # one reading serves all figures
        data = self._figures.get(key, lambda: load_report_data(self.store, campaign_id))
        return self._drawn((name, campaign_id), lambda: FIGURES[name].draw(data))

    def transport_figure(self, request: Request) -> Response:
        """Bands or transport of a crystal as PNG; 204 if there is nothing to show."""
        key = (*_candidate_key(request), request.path_params["name"])
        return self._drawn(key, lambda: transport_figure(self.store, *key))

    def _drawn(self, key: tuple[str, ...], draw: Callable[[], Any]) -> Response:
        """The picture that `draw` returns (a Figure or None), kept for a while."""
        from starlette.responses import Response

        def make() -> bytes:
            with self._drawing:
                figure = draw()
                return b"" if figure is None else png(figure)

        content = self._figures.get(key, make)
        if not content:
            return Response(status_code=204)
        return Response(content, media_type="image/png")

    def failed(self, _: Request, error: Exception) -> Response:
        """A page with the error: 404 for something missing, 400 for a field that is not valid."""
        status = 404 if isinstance(error, StoreError) else 400
        return self._error(str(error), status)

    def unavailable(self, _: Request, error: Exception) -> Response:
        """A page for a database that does not answer."""
        cause = type(error).__name__
        return self._error(f"the database failed ({cause}); `gen2dft doctor` tests it", 503)

    def not_found(self, request: Request, _: Exception) -> Response:
        """A page for an unknown address."""
        return self._error(f"there is no page {request.url.path}", 404)

    def _error(self, message: str, status: int) -> Response:
        from starlette.responses import HTMLResponse

        page = self._jinja.get_template("error.html").render(message=message)
        return HTMLResponse(page, status)


def _without(given: Mapping[str, str], *names: str) -> list[tuple[str, Any]]:
    """Fields of an address, without these."""
    return [(name, value) for name, value in given.items() if name not in names]


def _has_diagram(system: str) -> bool:
    """Whether a system has two or three elements: `V-O`."""
    return system.count("-") in (1, 2)


def _id(request: Request) -> str:
    return str(request.path_params["campaign_id"])


def _candidate_key(request: Request) -> tuple[str, str]:
    """Campaign and candidate of an address."""
    return _id(request), request.path_params["candidate_id"]


def _round_key(request: Request) -> tuple[str, int]:
    """Campaign and round of an address."""
    return _id(request), request.path_params["round_index"]


def _policy_of(page: str) -> str:
    """Content security policy of a page with its own script and style: it may load nothing else."""
    parts = ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"]
    for tag in ("script", "style"):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = [bytes.fromhex(content_hash(text)) for text in found]
        hashes = [base64.b64encode(digest).decode() for digest in digests]
        sources = [f"'sha256-{digest}'" for digest in hashes]
        parts.append(f"{tag}-src {' '.join(sources)}")
    return "; ".join(parts)
