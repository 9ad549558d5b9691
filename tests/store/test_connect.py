from __future__ import annotations

from pathlib import Path

import pymongo
import pytest
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    OperationFailure,
    ServerSelectionTimeoutError,
)

from gen2dft.errors import DatabaseAway, SettingsError, StoreError
from gen2dft.settings import Settings
from gen2dft.store.connect import (
    connect,
    database_uri,
    explain_database,
    host_of,
    open_store,
    open_to_write,
    reason_of,
)


def test_the_client_is_made_once(settings: Settings):
    assert connect(settings).client is connect(settings).client
    assert connect(settings).name == settings.database_name


def test_only_a_store_to_write_gets_its_indices(settings: Settings):
    assert open_store(settings).database.list_collection_names() == []
    store = open_to_write(settings)
    assert "campaign_id_1_round_index_1_state_1" in store.database.candidates.index_information()


def test_a_uri_is_used_as_it_is(settings: Settings):
    uri = database_uri(settings).get_secret_value()
    by_uri = Settings(database=uri, database_name=settings.database_name)
    connect(settings).things.insert_one({"_id": 1})
    assert connect(by_uri).things.find_one() == {"_id": 1}


def test_times_come_back_with_their_zone(settings: Settings):
    from gen2dft.store.documents import now

    connect(settings).things.insert_one({"at": now()})
    assert connect(settings).things.find_one()["at"].utcoffset() is not None


def test_an_unreachable_database_names_the_host_and_no_password():
    uri = "mongodb://zoe:hush@127.0.0.1:9/?serverSelectionTimeoutMS=200"
    with pytest.raises(
        StoreError, match=r"cannot reach the database at 127\.0\.0\.1:9 .*check that"
    ) as e:
        connect(Settings(database=uri))
    assert "hush" not in str(e.value) and "zoe" not in str(e.value)
    assert e.value.__suppress_context__


def test_a_refused_password_is_told_from_an_absent_server(settings: Settings):
    uri = database_uri(settings).get_secret_value().replace("gen2dft:", "gen2dft:wrong")
    with pytest.raises(
        StoreError, match=r"refuses the user or password in `database` \(AuthenticationFailed\)"
    ) as e:
        connect(Settings(database=uri))
    assert "wrong" not in str(e.value)


@pytest.mark.parametrize("uri", ["mongodb://", "mongodb://a:b@c:d@h/", "mongodb://h:port/"])
def test_a_uri_that_is_none(uri: str):
    with pytest.raises(
        SettingsError, match=r"not a valid MongoDB URI; .*mongodb://user:password@host:27017"
    ) as e:
        connect(Settings(database=uri))
    assert "c:d" not in str(e.value)


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("mongodb://h", "h"),
        ("mongodb://u:p@h:1/db?x=1", "h:1"),
        ("mongodb://u:p%40q@h1:1,h2:2/?x", "h1:1,h2:2"),
        ("mongodb+srv://u:p@cluster.example.org/db", "cluster.example.org"),
        ("nothing", "(no host)"),
    ],
)
def test_the_host_of_a_uri(uri: str, host: str):
    assert host_of(uri) == host


def test_a_wrong_database_is_not_remembered(settings: Settings):
    uri = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100"
    for _ in range(2):
        with pytest.raises(StoreError):
            connect(Settings(database=uri))
    assert isinstance(connect(settings).client, pymongo.MongoClient)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("tls=true&tlsCAFile=FOLDER/none.pem", r"certificate or key .* \(FOLDER/none.pem No such"),
        ("tls=true&tlsCertificateKeyFile=FOLDER/none.pem", "check tlsCAFile and tlsCertificateKey"),
        ("tls=true&tlsCAFile=FOLDER/text.pem", "a certificate or key that it names cannot be read"),
        ("tls=true&tlsCAFile=FOLDER", "a certificate or key that it names cannot be read"),
        ("authSorce=admin", "'authsorce' is no option of MongoDB; check its spelling"),
        ("serverSelectionTimeoutMS=soon", "an option after the `\\?` has an impossible value"),
        ("tls=perhaps", "an option after the `\\?` has an impossible value"),
    ],
)
def test_options_that_cannot_work_are_named(tmp_path: Path, options: str, message: str):
    (tmp_path / "text.pem").write_text("no certificate")
    uri = f"mongodb://zoe:hush@127.0.0.1:9/?{options}".replace("FOLDER", str(tmp_path))
    with pytest.raises(SettingsError, match=message.replace("FOLDER", str(tmp_path))) as e:
        connect(Settings(database=uri))
    assert "hush" not in str(e.value) and "zoe" not in str(e.value)
    assert "at 127.0.0.1:9:" in str(e.value)


def test_a_name_that_no_dns_knows_is_told(monkeypatch: pytest.MonkeyPatch):
    def unknown(*args: object, **kwargs: object) -> None:
        raise pymongo.errors.ConfigurationError(
            "The DNS query name does not exist: _mongodb._tcp.x."
        )

    monkeypatch.setattr(pymongo, "MongoClient", unknown)
    with pytest.raises(
        DatabaseAway, match=r"cannot find the database cluster\.example: its name"
    ) as e:
        connect(Settings(database="mongodb+srv://zoe:hush@cluster.example/"))
    assert "hush" not in str(e.value)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "h" * 300, "%2Ftmp%2Fno-such.sock"])
def test_a_host_that_is_none_is_away(host: str):
    uri = f"mongodb://zoe:hush@{host}/?serverSelectionTimeoutMS=200"
    with pytest.raises(DatabaseAway, match="cannot reach the database at") as e:
        connect(Settings(database=uri))
    assert "hush" not in str(e.value) and "Topology" not in str(e.value)
    assert len(str(e.value)) < 700


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OperationFailure("x, full error: {'ok': 0}", 8, {"errmsg": "bad thing"}), "bad thing"),
        (OperationFailure("bad, full error: {'ok': 0}"), "bad"),
        (
            ServerSelectionTimeoutError("h:1: refused (configured timeouts: 5), Timeout"),
            "h:1: refused",
        ),
        (BulkWriteError({"writeErrors": [{"errmsg": "no room"}]}), "no room"),
        (ConnectionFailure("x" * 999), "x" * 200),
        (ConnectionFailure(), "ConnectionFailure"),
    ],
)
def test_errors_of_the_database_in_one_line(error: Exception, reason: str):
    assert reason_of(error) == reason
    assert explain_database(error).count("\n") == 0
