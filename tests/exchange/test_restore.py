"""What comes out of an archive is what went in, once; a changed archive changes nothing."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from example_campaign import empty_store
from forged_archives import Files, packed, sealed, unpacked

from gen2dft.errors import ArchiveError
from gen2dft.exchange.archive import from_line, to_line
from gen2dft.exchange.credits import Credits
from gen2dft.exchange.export import export_campaign
from gen2dft.exchange.restore import import_archive
from gen2dft.rounds.round import Round
from gen2dft.store.documents import now
from gen2dft.store.store import Store
from tests.exchange.conftest import everything


def change_documents(files: Files, collection: str, change: Callable[[dict], object]) -> None:
    name = f"documents/{collection}.jsonl"
    documents = [from_line(line) for line in files[name].splitlines()]
    for document in documents:
        change(document)
    files[name] = b"".join(map(to_line, documents))


def refuse(path: Path, message: str) -> None:
    store = empty_store()
    with pytest.raises(ArchiveError, match=message):
        import_archive(store, path)
    assert not any(everything(store).values())


def test_an_empty_store_then_holds_the_same(
    archive: Path, finished: Store, campaign_id: str
) -> None:
    store = empty_store()
    done = import_archive(store, archive)
    assert everything(store) == everything(finished)
    assert (
        [hit.to_mongo() for hit in store.hits()]
        == [hit.to_mongo() for hit in finished.hits()]
        != []
    )
    assert store.state_counts(campaign_id) == finished.state_counts(campaign_id)
    assert done.new["candidates"] == finished.database.candidates.count_documents({})
    restored, original = (Round(s, campaign_id, 0) for s in (store, finished))
    assert restored.base.content_hash == original.base.content_hash


def test_a_second_import_changes_nothing(archive: Path) -> None:
    store = empty_store()
    import_archive(store, archive)
    before = everything(store)
    again = import_archive(store, archive)
    assert everything(store) == before
    assert set(again.new.values()) == {0}
    assert sum(again.known.values()) == sum(map(len, before.values()))


def test_import_into_the_store_it_came_from_changes_nothing(archive: Path, finished: Store) -> None:
    before = everything(finished)
    assert set(import_archive(finished, archive).new.values()) == {0}
    assert everything(finished) == before


def test_what_is_exported_again_is_the_same_archive(
    archive: Path, campaign_id: str, tmp_path: Path
) -> None:
    from gen2dft.exchange.export import Choice

    store = empty_store()
    import_archive(store, archive)
    export_campaign(
        store,
        campaign_id,
        tmp_path / "b.zip",
        Credits(authors=("Curie, Marie",)),
        Choice(True, True),
    )
    assert (tmp_path / "b.zip").read_bytes() == archive.read_bytes()


def test_a_killed_import_is_completed_by_the_next(
    archive: Path, finished: Store, monkeypatch
) -> None:
    store = empty_store()
    inserting = Store.insert_many_new

    def killed(self, documents):
        if documents[0].id == finished.find_campaign().id:
            raise KeyboardInterrupt
        return inserting(self, documents)

    monkeypatch.setattr(Store, "insert_many_new", killed)
    with pytest.raises(KeyboardInterrupt):
        import_archive(store, archive)
    assert store.campaigns() == [] and store.hits()
    monkeypatch.undo()
    done = import_archive(store, archive)
    assert (done.new["campaigns"], done.new["hits"]) == (1, 0)
    assert everything(store) == everything(finished)


def test_a_later_archive_with_snapshots_adds_them(
    archive: Path, finished: Store, campaign_id: str, tmp_path: Path
) -> None:
    small, store = tmp_path / "small.zip", empty_store()
    export_campaign(finished, campaign_id, small, Credits())
    import_archive(store, small)
    snapshot = store.database.snapshots.find_one()
    assert not store.database.blobs.files.count_documents({"_id": snapshot["blob_id"]})
    import_archive(store, archive)
    assert store.get_blob(snapshot["blob_id"]) == finished.get_blob(snapshot["blob_id"])


def test_another_history_of_the_campaign_is_refused(archive: Path) -> None:
    store = empty_store()
    import_archive(store, archive)
    store.database.candidates.update_one(
        {"state": "hit"}, {"$push": {"history": {"state": "hit", "at": now()}}}
    )
    before = everything(store)
    with pytest.raises(
        ArchiveError, match=r"already with another history .in candidates.*Nothing was changed"
    ):
        import_archive(store, archive)
    assert everything(store) == before


def test_other_campaigns_are_left_alone(archive: Path, finished: Store) -> None:
    from example_campaign import CAMPAIGN_ID, example_store

    store = example_store()
    import_archive(store, archive)
    assert len(store.campaigns()) == 2
    assert store.campaign(CAMPAIGN_ID).state == "finished"
    assert len(store.hits()) == len(finished.hits()) + len(store.hits(CAMPAIGN_ID))


def test_dry_run_writes_nothing(archive: Path) -> None:
    store = empty_store()
    assert import_archive(store, archive, dry_run=True).new["hits"] > 0
    assert not any(everything(store).values())


def test_the_digest_of_another_archive(archive: Path) -> None:
    store = empty_store()
    digest = hashlib.sha256(unpacked(archive)["manifest.json"]).hexdigest()
    with pytest.raises(ArchiveError, match=f"has digest {digest}, not abc: it is another archive"):
        import_archive(store, archive, expected="abc")
    assert import_archive(store, archive, expected=digest).digest == digest


@pytest.mark.parametrize("name", ["documents/hits.jsonl", "hits.csv", "CITATION.cff"])
def test_a_changed_file(archive: Path, tmp_path: Path, name: str) -> None:
    files = unpacked(archive)
    files[name] = files[name].replace(b"e", b"f", 1)
    refuse(
        packed(files, tmp_path / "bad.zip"), f"was changed: {name} is not what the manifest says"
    )


def test_a_missing_file(archive: Path, tmp_path: Path) -> None:
    files = unpacked(archive)
    del files["documents/labels.jsonl"]
    refuse(
        packed(files, tmp_path / "bad.zip"),
        "files and manifest disagree on 'documents/labels.jsonl'",
    )


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/passwd", "cif/../../x.cif", "documents\\x", "blobs/x", "a.py"]
)
def test_strange_names(archive: Path, tmp_path: Path, name: str) -> None:
    refuse(
        sealed(unpacked(archive) | {name: b"x"}, tmp_path / "bad.zip"),
        "which no archive of gen2dft does; refused",
    )
    assert [p.name for p in tmp_path.iterdir()] == ["bad.zip"]


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_name_that_stands_there_twice(archive: Path, tmp_path: Path) -> None:
    path = packed(unpacked(archive), tmp_path / "bad.zip")
    with zipfile.ZipFile(path, "a") as files:
        files.writestr("hits.csv", "other")
    refuse(path, "holds 'hits.csv' twice")


def test_a_flipped_bit_and_a_missing_end(archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(
        archive
    ) as file:  # in the content of a file, not in a header's field that nobody reads
        largest = max(file.infolist(), key=lambda info: info.compress_size)
    start = largest.header_offset + 30 + len(largest.filename)
    data[start + largest.compress_size // 2] ^= 1
    (tmp_path / "flipped.zip").write_bytes(data)
    refuse(tmp_path / "flipped.zip", "is not an archive of gen2dft or is damaged|was changed")
    (tmp_path / "short.zip").write_bytes(archive.read_bytes()[:-100])
    refuse(tmp_path / "short.zip", "is not an archive of gen2dft or is damaged")


def test_files_that_are_no_archive(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("hello")
    refuse(tmp_path / "text.zip", "is not an archive of gen2dft")
    refuse(tmp_path / "none.zip", "there is no file")
    refuse(packed({"hits.csv": b"id"}, tmp_path / "other.zip"), "has no manifest.json")
    refuse(
        packed({"manifest.json": b'{"format": "x"}'}, tmp_path / "m.zip"),
        "the manifest is not valid .format",
    )


def test_a_bomb(archive: Path, tmp_path: Path) -> None:
    files = unpacked(archive) | {"hits.csv": b"0" * 50_000_000}
    refuse(sealed(files, tmp_path / "bomb.zip"), "would grow from")


def test_a_newer_format(archive: Path, tmp_path: Path) -> None:
    refuse(
        sealed(unpacked(archive), tmp_path / "new.zip", version=99),
        "in a newer format; .*update it",
    )


def forged(
    archive: Path, tmp_path: Path, collection: str, change: Callable[[dict], object]
) -> Path:
    files = unpacked(archive)
    change_documents(files, collection, change)
    return sealed(files, tmp_path / "forged.zip")


def test_documents_of_another_campaign(archive: Path, tmp_path: Path) -> None:
    path = forged(archive, tmp_path, "labels", lambda doc: doc.update(campaign_id="other-1"))
    refuse(path, "does not belong to campaign 'toy-")


def test_a_candidate_under_another_id(archive: Path, tmp_path: Path) -> None:
    path = forged(
        archive, tmp_path, "candidates", lambda doc: doc.update(_id=f"other:{doc['candidate_id']}")
    )
    refuse(path, "does not belong to campaign")


def test_a_hit_without_its_label(archive: Path, tmp_path: Path) -> None:
    path = forged(archive, tmp_path, "hits", lambda doc: doc.update(label_id="made-up"))
    refuse(path, "names 'made-up', which is not among the archive's labels")


def test_a_hull_that_is_not_its_hash(archive: Path, tmp_path: Path) -> None:
    files = unpacked(archive)
    hull = from_line(files["documents/hulls.jsonl"])
    content = json.loads(files[f"blobs/{hull['blob_id']}"])
    content["entries"][0][1] -= 1.0
    data = json.dumps(content).encode()
    del files[f"blobs/{hull['blob_id']}"]
    hull["blob_id"] = hashlib.sha256(data).hexdigest()[:32]
    files[f"blobs/{hull['blob_id']}"] = data
    files["documents/hulls.jsonl"] = to_line(hull)
    refuse(
        sealed(files, tmp_path / "forged.zip"), f"document '{hull['_id']}': its content has hash"
    )


def test_a_blob_that_is_not_its_hash(archive: Path, tmp_path: Path) -> None:
    files = unpacked(archive)
    name = f"blobs/{from_line(files['documents/rounds.jsonl'])['latents_id']}"
    files[name] += b"x"
    refuse(sealed(files, tmp_path / "forged.zip"), "its content has hash")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"no json\n", "documents/hits.jsonl, line 1 is no document"),
        (b'{"a": 1}\n', "a document is a JSON object with `_id`"),
        (b'{"_id": "a", "x": {"$code": "while(1);"}}\n', "'.code' is not allowed"),
        (b'{"_id": "a", "surprise": 1}\n', "document 'a' is not valid"),
    ],
)
def test_broken_documents(archive: Path, tmp_path: Path, line: bytes, message: str) -> None:
    files = unpacked(archive) | {"documents/hits.jsonl": line}
    refuse(sealed(files, tmp_path / "forged.zip"), message)


def test_numbers_and_moments_survive_a_line() -> None:
    document = {
        "_id": "a",
        "x": 0.1 + 0.2,
        "n": 3,
        "f": 2.0,
        "at": now().replace(microsecond=5000),
        "t": "Sr₂<b>\n",
    }
    found = from_line(to_line(document | {"nan": float("nan")}))
    assert str(found.pop("nan")) == "nan"
    assert found == document and isinstance(found["f"], float) and isinstance(found["n"], int)
