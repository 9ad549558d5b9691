"""export and import on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from example_campaign import CAMPAIGN_ID, HITS, empty_store

from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull


@pytest.fixture
def whole(example: Store) -> Store:
    """The example with a real hull in place of the one that it only names."""
    hull = ReferenceHull.build([{"Sr": 1, "O": 1}, {"Ti": 1, "O": 2}], [-3.0, -3.2])
    example.database.hulls.delete_many({})
    example.database.hulls.insert_one(
        {
            "_id": hull.hull_hash,
            "blob_id": example.put_blob(hull.to_bytes(), "hull"),
            "source": "a test",
            "num_entries": 2,
        }
    )
    for name in ("campaigns", "labels", "hits"):
        example.database[name].update_many({}, {"$set": {"hull_id": hull.hull_hash}})
    return example


def test_export_and_import(
    whole: Store, invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shared" / "mine.zip"
    written = invoke(
        "export",
        "-o",
        str(file),
        "--campaign",
        "thermoelectric",
        "--author",
        "Curie, Marie",
        "--json",
    )
    told = json.loads(written.output)
    assert (told["campaign"], told["documents"]["hits"]) == (CAMPAIGN_ID, len(HITS))
    hits = [hit.to_mongo() for hit in whole.hits()]
    store = empty_store()
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: store)
    assert f"{len(HITS)} new hits" in invoke("import", str(file), "--dry-run").output
    assert not store.campaigns()
    output = invoke("import", str(file), "--digest", told["digest"]).output
    assert "0 were there already" in output and "snapshots, training data" in output
    assert [hit.to_mongo() for hit in store.hits()] == hits
    assert json.loads(invoke("import", str(file), "--json").output)["new"]["hits"] == 0


def test_export_says_what_it_left_out_and_under_which_licence(
    whole: Store, invoke, tmp_path: Path
) -> None:
    output = invoke("export", "-o", str(tmp_path / "a.zip"), "--licence", "CC0-1.0").output
    assert "licence CC0-1.0" in output and "left out: snapshots, training data" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export", "-o", "x.zip", "-c", "termoelectric"), "Did you mean"),
        (("export", "-o", "x.zip", "--licence", "MIT"), "--licence 'MIT' is not one of"),
        (
            ("export", "-o", "x.zip", "--snapshots"),
            "blob 00000000000000000000000000000000 is missing",
        ),
        (("import", "nowhere.zip"), "there is no file nowhere.zip"),
    ],
)
def test_bad_input(
    whole: Store, invoke, tmp_path: Path, monkeypatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert not (tmp_path / "x.zip").exists()
