"""The connection to the database: the embedded server, or one named by a MongoDB URI."""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from gen2dft.errors import DatabaseAway, SettingsError, StoreError
from gen2dft.store.store import Store

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.database import Database

    from gen2dft.settings import Settings

SELECTION_MS = 5000


def database_uri(settings: Settings) -> SecretStr:
    """URI of the database server; starts the embedded one if the settings ask for it."""
    if not settings.is_embedded:
        return settings.database
    from gen2dft.store.embedded import embedded_uri

    return SecretStr(embedded_uri(settings.data_dir))


def connect(settings: Settings) -> Database[dict[str, Any]]:
    """The database of these settings; the client behind it is made once per process.

    Raises
    ------
    SettingsError
        The URI is not valid.
    StoreError
        The server cannot be reached or refuses the user. Messages name the host, never user or
        password.
    """
    uri = database_uri(settings).get_secret_value()
    return checked_client(uri, os.getpid())[settings.database_name]


def open_store(settings: Settings) -> Store:
    """The documents of these settings' database, with their indices; raises as `connect` does."""
    store = Store(connect(settings))
    _ensure_indices(database_uri(settings).get_secret_value(), settings.database_name, os.getpid())
    return store


@functools.cache
def _ensure_indices(uri: str, name: str, pid: int) -> None:
    """Once per database and process."""
    Store(checked_client(uri, pid)[name]).ensure_indices()


@functools.cache
def checked_client(uri: str, pid: int) -> MongoClient[dict[str, Any]]:
    """A client that has reached its server.

    One per URI and process, since a client does not survive a fork.
    """
    del pid
    from pymongo.errors import OperationFailure, PyMongoError

    client = _client(uri)
    host = host_of(uri)
    try:
        client.admin.command("ping")
    except OperationFailure as err:
        client.close()
        cause = (err.details or {}).get("codeName", f"code {err.code}")
        raise StoreError(
            f"the database at {host} refuses the user or password in `database` ({cause}); check "
            "them and `authSource`"
        ) from None
    except PyMongoError as err:
        client.close()
        raise DatabaseAway(
            f"cannot reach the database at {host} ({type(err).__name__} after "
            f"{SELECTION_MS / 1000:.0f} s); check that "
            "the server runs and that this machine may reach it, or set `database: embedded` to "
            "use one of your own"
        ) from None
    return client


def _client(uri: str) -> MongoClient[dict[str, Any]]:
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    own = "serverselectiontimeoutms" in uri.lower()
    options: dict[str, Any] = {} if own else {"serverSelectionTimeoutMS": SELECTION_MS}
    try:
        return MongoClient(uri, tz_aware=True, **options)
    except (PyMongoError, ValueError, TypeError):
        # pymongo's own message may quote parts of the URI, so it is not repeated.
        raise SettingsError(
            "`database` is not a valid MongoDB URI; it must be `embedded` or look like "
            "mongodb://user:password@host:27017/?authSource=admin, with special characters of user "
            "and password "
            "percent-encoded (@ is %40, / is %2F, : is %3A)"
        ) from None


def host_of(uri: str) -> str:
    """Host and port of a URI, without user and password."""
    _, _, rest = uri.partition("://")
    _, _, address = rest.rpartition("@")
    host = re.split(r"[/?]", address)[0]
    return host or "(no host)"
