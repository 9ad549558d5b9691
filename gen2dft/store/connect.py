"""The connection to the database: the embedded server, or one named by a MongoDB URI."""

from __future__ import annotations

import functools
import os
import re
import warnings
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from gen2dft.errors import DatabaseAway, SettingsError, StoreError
from gen2dft.store.store import Store

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.database import Database

    from gen2dft.settings import Settings

SELECTION_MS = 5000
UNAUTHORIZED = 13  # MongoDB's number for what a user has no right to
MAY_NOT_WRITE = (
    "the database's user may not write; to run campaigns give it the role readWrite, or name "
    "another user in `database`"
)
# Where pymongo's messages go on with its own timeouts, objects and raw answers.
NOT_FOR_PEOPLE = (", full error:", " (configured timeouts:", ", Timeout:", "\n")
MAX_REASON = 200
NOT_A_URI = (
    "`database` is not a valid MongoDB URI; it must be `embedded` or look like "
    "mongodb://user:password@host:27017/?authSource=admin, with special characters of user and "
    "password percent-encoded (@ is %40, / is %2F, : is %3A)"
)


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
    """The documents of these settings' database, for reading; raises as `connect` does."""
    return Store(connect(settings))


def open_to_write(settings: Settings) -> Store:
    """The documents of these settings' database, with the indices that writing relies on.

    Raises
    ------
    SettingsError, StoreError
        As `connect` does, and where the database's user may only read.
    """
    from pymongo.errors import OperationFailure

    store = open_store(settings)
    try:
        store.ensure_indices()
    except OperationFailure as err:
        if err.code != UNAUTHORIZED:
            raise
        host = host_of(database_uri(settings).get_secret_value())
        raise StoreError(f"at {host}: {MAY_NOT_WRITE}") from None
    return store


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
            f"cannot reach the database at {host} ({reason_of(err)}); check that the server runs "
            "and that this machine may reach it, or set `database: embedded` to use one of your own"
        ) from None
    return client


def _client(uri: str) -> MongoClient[dict[str, Any]]:
    """A client that has not yet asked its server; SettingsError for a URI that cannot work."""
    from pymongo import MongoClient
    from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError

    own = "serverselectiontimeoutms" in uri.lower()
    options: dict[str, Any] = {} if own else {"serverSelectionTimeoutMS": SELECTION_MS}
    host = host_of(uri)
    try:
        with warnings.catch_warnings():
            # Pymongo passes over options that it does not know, or whose value is impossible.
            warnings.filterwarnings("error", category=UserWarning)
            return MongoClient(uri, tz_aware=True, **options)
    except UserWarning as err:
        raise SettingsError(f"`database` at {host}: {_option_of(err)}") from None
    except OSError as err:
        raise SettingsError(
            f"`database` at {host}: a certificate or key that it names cannot be read "
            f"({err.filename or ''} {err.strerror or err.args[-1]}); check tlsCAFile and "
            "tlsCertificateKeyFile"
        ) from None
    except InvalidURI:
        raise SettingsError(NOT_A_URI) from None
    except ConfigurationError as err:
        if not uri.startswith("mongodb+srv://") or "DNS" not in str(err):
            raise SettingsError(NOT_A_URI) from None
        raise DatabaseAway(
            f"cannot find the database {host}: its name is not known to this machine's DNS; check "
            "the spelling, or give host and port as mongodb://host:27017/"
        ) from None
    except (PyMongoError, ValueError, TypeError):
        # Pymongo's own message may quote parts of the URI, so it is not repeated.
        raise SettingsError(NOT_A_URI) from None


def _option_of(warning: UserWarning) -> str:
    """What is wrong with an option of a URI; values are not repeated, they may be secrets."""
    if named := re.match(r"Unknown option:? (\w{1,40})\b", str(warning)):
        return f"{named[1]!r} is no option of MongoDB; check its spelling"
    return "an option after the `?` has an impossible value"


def reason_of(err: Exception) -> str:
    """A database's error in one line, without raw answers and internals."""
    details = getattr(err, "details", None) or {}
    parts = details.get("writeErrors") or [details]
    text = str(parts[0].get("errmsg") or err)
    for mark in NOT_FOR_PEOPLE:
        text = text.partition(mark)[0]
    return text[:MAX_REASON] or type(err).__name__


def explain_database(err: Exception) -> str:
    """An error of pymongo as one sentence with a remedy."""
    if getattr(err, "code", None) == UNAUTHORIZED:
        return f"the database refuses this: {MAY_NOT_WRITE}"
    return (
        f"the database failed: {reason_of(err)}; `gen2dft doctor` tests it, and the same command "
        "goes on where it was"
    )


def host_of(uri: str) -> str:
    """Host and port of a URI, without user and password."""
    _, _, rest = uri.partition("://")
    _, _, address = rest.rpartition("@")
    host = re.split(r"[/?]", address)[0]
    return host or "(no host)"
