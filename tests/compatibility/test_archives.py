"""Archives that version 0.1.0 exported are read, shown, followed back and written again."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import mongomock
import pytest
import stored
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from gen2dft.exchange.archive import from_line
from gen2dft.exchange.restore import import_archive
from gen2dft.store.store import Store


@pytest.fixture(params=["arms", "bands"])
def archive(request: pytest.FixtureRequest) -> Path:
    return stored.DATA / f"{request.param}.zip"


@pytest.fixture
def store(archive: Path) -> Store:
    """A store that was empty, and what the archive put there."""
    empty = Store(mongomock.MongoClient(tz_aware=True)["imported"])
    assert import_archive(empty, archive).left_out == ()
    return empty


def contents(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as files:
        return {name: files.read(name) for name in files.namelist()}


def documents(content: bytes) -> dict[str, dict[str, Any]]:
    rows = [from_line(line) for line in content.splitlines()]
    return {row["_id"]: row for row in rows}


def rows(table: bytes) -> list[list[str]]:
    """Lines of a table, the header among them."""
    return list(csv.reader(io.StringIO(table.decode())))


def remarks(cif: bytes) -> list[str]:
    """What a CIF file says of its crystal before the cell."""
    return [line for line in cif.decode().splitlines() if line.startswith("#")]


def crystal(cif: bytes) -> Structure:
    """The crystal of a CIF file."""
    return Structure.from_str(cif.decode(), fmt="cif")


def test_an_archive_holds_what_its_campaign_had_come_to(archive: Path, store: Store) -> None:
    (campaign,) = store.campaigns()
    wanted = stored.read_json("outcomes")[archive.stem]
    found = stored.outcome(store.database, campaign.id)
    wanted["power_factors"] = {}  # which no archive holds
    stored.must_be_like(found, wanted)
    assert set(import_archive(store, archive).new.values()) == {0}


def test_a_candidate_is_followed_back_to_the_training_set(store: Store, invoke_on) -> None:
    invoke = invoke_on(store)
    validated = list(store.database.labels.find())
    assert validated
    for label in validated:
        found = json.loads(invoke("trace", label["candidate_id"], "--json").stdout)
        assert found["redecoded"]["is_same"], found["redecoded"]
        assert found["training"]["rebuilt"] == found["training"]["hash"]
        assert [row["id"] for row in found["labels"]] == [label["_id"]]


def test_an_archive_is_shown(store: Store, invoke_on) -> None:
    invoke = invoke_on(store)
    (campaign,) = store.campaigns()
    found = json.loads(invoke("hits", "--json", "--where", "formation_energy < 0").stdout)
    assert {hit["candidate_id"] for hit in found} == {hit.candidate_id for hit in store.hits()}
    assert campaign.id in invoke("ledger").output


@pytest.mark.parametrize("archive", ["arms"], indirect=True)
def test_an_archive_is_reported_on(store: Store, invoke_on, tmp_path: Path) -> None:
    invoke_on(store)("report", "-o", str(tmp_path))
    (page,) = tmp_path.glob("*.html")
    text = page.read_text()
    assert all(hit.candidate_id in text for hit in store.hits())


def test_an_archive_that_is_exported_again_holds_the_same(
    archive: Path, store: Store, invoke_on, tmp_path: Path
) -> None:
    """Byte by byte, but for what names the version, and for fields and columns that came later."""
    again = tmp_path / "again.zip"
    whole = ("--snapshots", "--training-data", "--author", "Curie, Marie")
    invoke_on(store)("export", "-o", str(again), *whole)
    before, after = contents(archive), contents(again)
    assert after.keys() == before.keys()
    for name, content in before.items():
        if name.startswith("documents/"):
            written = documents(after[name])
            for key, row in documents(content).items():
                assert {field: written[key][field] for field in row} == row
        elif name == "hits.csv":
            now, then = rows(after[name]), rows(content)
            assert [row[: len(then[0])] for row in now] == then
            assert [row[len(then[0]) :] for row in now] == [["evidence"]] + [["surrogate"]] * (
                len(then) - 1
            )
        elif name.startswith("cif/"):
            # Evidence, space group and conventional cell are told now; the crystal is the same.
            told = remarks(after[name])
            told.remove("# evidence: surrogate")
            assert told == remarks(content)
            assert StructureMatcher().fit(crystal(after[name]), crystal(content)), name
        elif name.startswith("blobs/"):
            assert after[name] == content, name
