"""export and import on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import stored
from example_campaign import empty_store

from gen2dft.exchange.restore import import_archive
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


@pytest.fixture
def arms(monkeypatch: pytest.MonkeyPatch) -> Store:
    """A campaign whose ids are the hashes that an archive's must be."""
    store = empty_store()
    import_archive(store, stored.DATA / "arms.zip")
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: store)
    return store


def test_export_and_import(
    arms: Store, invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shared" / "mine.zip"
    author = ("--author", "Curie, Marie")
    written = invoke("export", "-o", str(file), "--campaign", "arms", *author, "--json")
    told = json.loads(written.output)
    hits = [hit.to_mongo() for hit in arms.hits()]
    assert (told["campaign"], told["documents"]["hits"]) == ("arms-e5cadd40", len(hits))
    store = empty_store()
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: store)
    assert f"{len(hits)} new hits" in invoke("import", str(file), "--dry-run").output
    assert not store.campaigns()
    output = invoke("import", str(file), "--digest", told["digest"]).output
    assert "0 were there already" in output
    assert "snapshots, training data" in output
    assert [hit.to_mongo() for hit in store.hits()] == hits
    assert json.loads(invoke("import", str(file), "--json").output)["new"]["hits"] == 0


@pytest.mark.parametrize(
    ("size", "message"),
    [("10kB", "more than 10,000; .* --max-size"), ("much", "'much' is no size; write it like 5GB")],
)
def test_the_size_of_an_archive(arms: Store, invoke, size: str, message: str) -> None:
    result = invoke("import", str(stored.DATA / "arms.zip"), "--max-size", size)
    assert result.exit_code == 1
    assert re.search(message, result.output)


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
