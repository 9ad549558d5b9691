"""The client of the Materials Project: its key, and errors that are explained."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from gen2dft.errors import DatasetError, SettingsError

KEY_HELP = (
    "get a key (free) at https://next-gen.materialsproject.org/api, then `export MP_API_KEY=...` "
    "or `pmg config --add PMG_MAPI_KEY ...`"
)


class Endpoint(Protocol):
    """One end point of the client."""

    def search(self, **query: Any) -> Iterable[Any]:
        """Documents that match."""


class Materials(Protocol):
    """The end points used here."""

    thermo: Endpoint
    summary: Endpoint


class Client(Protocol):
    """The part of `mp_api.client.MPRester` that is used."""

    db_version: str | None
    materials: Materials


def has_key() -> bool:
    """Whether an API key is set."""
    from pymatgen.core import SETTINGS

    return bool(os.environ.get("MP_API_KEY") or SETTINGS.get("PMG_MAPI_KEY"))


def api_key() -> str:
    """The key in MP_API_KEY or in pymatgen's settings (PMG_MAPI_KEY).

    SettingsError if there is none.
    """
    from pymatgen.core import SETTINGS

    key = os.environ.get("MP_API_KEY") or SETTINGS.get("PMG_MAPI_KEY") or ""
    if not key:
        raise SettingsError(
            f"the dataset materials-project needs an API key, and MP_API_KEY is not set: {KEY_HELP}"
        )
    return str(key)


def _connect(key: str) -> Client:
    from mp_api.client import MPRester

    client: Client = MPRester(key, use_document_model=False, mute_progress_bars=True)
    return client


@contextmanager
def asking(client: Client | None) -> Iterator[Client]:
    """The client that is given, or one of this user's key; what goes wrong is explained."""
    if client is not None:
        with _explained(None):
            yield client
        return
    key = api_key()
    with _explained(key):
        yield _connect(key)


@contextmanager
def _explained(key: str | None) -> Iterator[None]:
    """Turn errors of a request into a DatasetError, without the key that some messages repeat."""
    from mp_api.client.core import MPRestError
    from requests import RequestException

    try:
        yield
    except (MPRestError, RequestException, ConnectionError, TimeoutError) as error:
        text = str(error)
        if key:
            text = text.replace(key, "<key>")
        # `from None`: the original message may hold the key.
        raise DatasetError(
            f"the Materials Project could not be queried: {text[:300]}. Check network and key: "
            f"{KEY_HELP}"
        ) from None
