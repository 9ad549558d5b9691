"""A user of the database who may only read: what reads works, what writes says so in a line."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from example_campaign import CAMPAIGN_ID, HITS, candidate_id, example_store
from gen2dft.launchpad.connect import connect_launchpad
from typer.testing import CliRunner

from gen2dft.cli.app import app
from gen2dft.serve.app import build_app
from gen2dft.serve.mirror import MirrorStore
from gen2dft.settings import Settings
from gen2dft.store.connect import connect, open_store, open_to_write
from tests.serve.conftest import get, served

PASSWORD = "r/e@d:er%1"
SHOWN = candidate_id(*HITS[0])


@pytest.fixture
def reader(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Settings of the reader of a database with the example campaign, in the environment too."""
    example, written = example_store(), open_to_write(settings)
    for name in example.database.list_collection_names():
        documents = list(example.database[name].find())
        if documents and not name.startswith("blobs"):
            written.database[name].insert_many(documents)
    for blob in example.database["blobs.files"].find():
        written.put_blob(example.get_blob(blob["_id"]), blob["kind"])
    connect_launchpad(settings)
    database = connect(settings)
    roles = [{"role": "read", "db": database.name}]
    database.command("createUser", "reader", pwd=PASSWORD, roles=roles)
    host, port = database.client.address
    uri = (
        f"mongodb://reader:{quote_plus(PASSWORD)}@{host}:{port}/"
        f"?authSource={database.name}&directConnection=true"
    )
    found = Settings(database=uri, database_name=database.name, data_dir=tmp_path / "data")
    for name, value in found.as_environment().items():
        monkeypatch.setenv(name, value)
    return found


def stored(settings: Settings) -> dict[str, list[str]]:
    """Collections with their indices."""
    database = connect(settings)
    names = sorted(database.list_collection_names())
    return {name: sorted(database[name].index_information()) for name in names}


def test_reading_works_and_writing_is_refused(reader: Settings, settings: Settings) -> None:
    before = stored(settings)
    reads = [["status"], ["status", CAMPAIGN_ID], ["hits"], ["show", SHOWN], ["ledger"],
             ["trace", SHOWN], ["candidates"], ["hits", "-w", "e_above_hull < 1"],
             ["migrate", "--dry-run"],
             ["report", "--out", str(reader.data_dir / "report")]]  # fmt: skip
    for words in reads:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (words, result.output, result.exception)
        assert PASSWORD not in result.output and quote_plus(PASSWORD) not in result.output
    thermoelectric = ["--campaign", "thermoelectric"]
    writes = [["submit", *thermoelectric], ["run", *thermoelectric], ["advance"], ["migrate"]]
    for words in writes:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert "the database's user may not write" in line and "readWrite" in line
        assert quote_plus(PASSWORD) not in result.output
    assert stored(settings) == before


def test_doctor_says_that_the_user_may_not_write(reader: Settings) -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    checks = {check["name"]: check for check in json.loads(result.stdout)}
    assert checks["database"]["state"] == "fail"
    assert (
        "can be read; the database refuses this: the database's user may not write"
        in (checks["database"]["detail"])
    )
    assert PASSWORD not in result.output


def test_the_page_is_served_to_a_reader(reader: Settings) -> None:
    store = MirrorStore(open_store(reader).database)
    with served(lambda _: build_app(store)) as base:
        for path in ("", f"campaigns/{CAMPAIGN_ID}", f"campaigns/{CAMPAIGN_ID}/hits"):
            assert get(base + path).status == 200
