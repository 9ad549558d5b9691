"""The web page over the example campaign, served for real on a free port."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from example_campaign import CAMPAIGN_ID, example_store

from gen2dft.serve.app import build_app
from gen2dft.serve.mirror import MirrorStore
from gen2dft.serve.optimade import build_optimade
from gen2dft.serve.server import address, listen, server_config
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


class Answer(NamedTuple):
    status: int
    headers: Any
    text: str


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def get(url: str, method: str = "GET", **headers: str) -> Answer:
    """One answer, whatever its status; redirects are not followed."""
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=60) as found:
            return Answer(found.status, found.headers, found.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as err:
        with err:
            return Answer(err.code, err.headers, err.read().decode())


@contextmanager
def served(make: Callable[[str], Any]) -> Iterator[str]:
    """The address, with a slash at its end, of an application made for it."""
    from uvicorn import Server

    listening = listen("127.0.0.1", 0)
    base = address(listening, None)
    server = Server(server_config(make(base)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield base
    server.should_exit = True
    thread.join(30)


def whole_store(**campaign: Any) -> Store:
    """The example with a real hull in place of the one that it only names."""
    store = example_store(**campaign)
    hull = ReferenceHull.build(
        [{"Ti": 1, "O": 2}, {"Na": 2, "O": 1}, {"K": 2, "S": 1}], [-3.2, -1.4, -1.1]
    )
    store.database.hulls.update_many(
        {}, {"$set": {"blob_id": store.put_blob(hull.to_bytes(), "hull")}}
    )
    return MirrorStore(store.database)


@pytest.fixture(scope="session")
def store() -> Store:
    """What is served; tests only read it."""
    return whole_store()


@pytest.fixture(scope="session")
def base(store: Store) -> Iterator[str]:
    """Address of the page, with the computed candidates as OPTIMADE."""
    with served(
        lambda b: build_app(store, optimade=build_optimade(store, "computed", f"{b}optimade"))
    ) as base:
        yield base


@pytest.fixture(scope="session")
def campaign(base: str) -> str:
    """Address of the campaign."""
    return f"{base}campaigns/{CAMPAIGN_ID}"


@pytest.fixture(scope="session")
def evil_base() -> Iterator[str]:
    """Address of a page whose every text would like to be a script."""
    store = whole_store(name=EVIL, stop_reason=EVIL)
    store.database.candidates.update_many(
        {}, {"$set": {"formula": EVIL, "sampler": EVIL, "parents": [EVIL]}}
    )
    store.database.candidates.update_many({"failure": {"$ne": None}}, {"$set": {"failure": EVIL}})
    store.database.hits.update_many({}, {"$set": {"formula": EVIL, "spacegroup": EVIL}})
    store.database.labels.update_many({}, {"$set": {"warnings": [EVIL], "preset": EVIL}})
    with served(lambda _: build_app(store)) as base:
        yield base
