"""Archives from anywhere: each is refused in one sentence, and the database stays as it was."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
import stored
from example_campaign import empty_store
from forged_archives import (
    CONTAINERS,
    FORGERIES,
    HITS,
    LABELS,
    MANIFEST,
    MANIFESTS,
    Files,
    documents_of,
    packed,
    sealed,
    unpacked,
    write_container,
)

from gen2dft.errors import ArchiveError
from gen2dft.exchange import archive as form
from gen2dft.exchange.container import size_in_bytes
from gen2dft.exchange.restore import import_archive
from gen2dft.store.store import Store
from tests.exchange.conftest import everything

MAX_LINES = 20


@pytest.fixture
def files() -> Files:
    """The files of a valid archive, with all there is."""
    return unpacked(stored.DATA / "arms.zip")


def refuse(path: Path, message: str, **options: int) -> None:
    store = empty_store()
    with pytest.raises(ArchiveError, match=message) as refused:
        import_archive(store, path, **options)
    assert len(str(refused.value).splitlines()) <= MAX_LINES
    assert not any(everything(store).values())
    assert not store.database.blobs.files.count_documents({})


def test_the_archive_that_is_changed_is_valid(files: Files, tmp_path: Path) -> None:
    done = import_archive(empty_store(), sealed(files, tmp_path / "same.zip"))
    assert done.new["hits"] == len(documents_of(files, HITS)) > 1


@pytest.mark.parametrize("name", FORGERIES)
def test_a_document_or_a_blob_that_was_changed(files: Files, tmp_path: Path, name: str) -> None:
    change, message = FORGERIES[name]
    change(files)
    refuse(sealed(files, tmp_path / "forged.zip"), message)


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_was_changed(files: Files, tmp_path: Path, name: str) -> None:
    changed, message = MANIFESTS[name]
    refuse(sealed(files, tmp_path / "forged.zip", **changed), message)


@pytest.mark.parametrize("text", [b"", b"[]", b"none", b'{"a": 1, "a": 2}', b"[" * 100_000])
def test_a_manifest_that_is_none(files: Files, tmp_path: Path, text: bytes) -> None:
    refuse(packed(files | {MANIFEST: text}, tmp_path / "forged.zip"), "the manifest is not valid")


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_file_of_another_kind(files: Files, tmp_path: Path, name: str) -> None:
    attributes, message = CONTAINERS[name]
    refuse(write_container(tmp_path / "forged.zip", files, **attributes), message)


def test_a_file_that_is_encrypted(files: Files, tmp_path: Path) -> None:
    path = sealed(files, tmp_path / "forged.zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refuse(path, "encrypted, as no archive")


@pytest.mark.parametrize(("before", "behind"), [(b"x", b""), (b"", b"x"), (b"#!/bin/sh\n", b"")])
def test_bytes_beside_the_files(files: Files, tmp_path: Path, before: bytes, behind: bytes) -> None:
    path = sealed(files, tmp_path / "forged.zip")
    path.write_bytes(before + path.read_bytes() + behind)
    refuse(path, "bytes that belong to none of its files")


def test_a_comment(files: Files, tmp_path: Path) -> None:
    path = sealed(files, tmp_path / "forged.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hello"
    refuse(path, "bytes that belong to none of its files")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        refuse(path, "is a folder or a device, not an archive")


def test_one_file_that_is_too_large(files: Files, tmp_path: Path) -> None:
    path = sealed(files, tmp_path / "large.zip")
    whole = sum(map(len, files.values()))
    refuse(path, r"manifest|has .* bytes, more than .*--max-size", max_size=len(files[LABELS]))
    assert import_archive(empty_store(), path, max_size=4 * whole).new["hits"]


def test_a_bomb_of_a_gigabyte_is_not_unpacked(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sealed(files, tmp_path / "bomb.zip")
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("blobs/" + "0" * 32, "w", force_zip64=True) as blob,
    ):
        for _ in range(1100):
            blob.write(bytes(10**6))
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    refuse(path, "would grow from .* to 1,100,000,000 bytes")


def test_a_line_without_end(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "MAX_LINE", 1000)
    files[LABELS] = b'{"_id": "' + b"a" * 2000
    refuse(sealed(files, tmp_path / "forged.zip"), "line 1 has more than 1,000 bytes")


def test_an_import_that_fails_half_way_leaves_nothing(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, store = sealed(files, tmp_path / "same.zip"), empty_store()
    insert = Store.insert_many_new

    def full(self: Store, documents: list) -> int:
        if documents[0].id.startswith("arms-") and hasattr(documents[0], "index"):
            raise OSError("disk full")
        return insert(self, documents)

    monkeypatch.setattr(Store, "insert_many_new", full)
    with pytest.raises(OSError, match="disk full"):
        import_archive(store, path)
    assert not any(everything(store).values())
    assert not store.database.tallies.count_documents({})
    assert not store.database.blobs.files.count_documents({})
    monkeypatch.undo()
    assert import_archive(store, path).new["campaigns"] == 1


def test_a_failed_import_leaves_what_was_there(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from example_campaign import example_store

    store = example_store()
    before, tally = everything(store), list(store.database.tallies.find())
    monkeypatch.setattr(Store, "put_blob", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        import_archive(store, sealed(files, tmp_path / "same.zip"))
    after = {name: found for name, found in everything(store).items() if found}
    assert after == before
    assert list(store.database.tallies.find()) == tally


@pytest.mark.parametrize(
    ("text", "size"),
    [("5GB", 5 * 10**9), ("0.5 mb", 500_000), ("1234567", 1_234_567), ("2T", 2e12)],
)
def test_sizes(text: str, size: int) -> None:
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "1e9", "0", "5 apples", "9" * 50])
def test_a_size_that_is_none(text: str) -> None:
    with pytest.raises(ArchiveError, match="write it like 5GB"):
        size_in_bytes(text)


def test_messages_show_no_dictionary(files: Files, tmp_path: Path) -> None:
    name = "documents/campaigns.jsonl"
    (campaign,) = documents_of(files, name)
    files[name] = json.dumps({"_id": campaign["_id"], "name": {"a": 1}}).encode() + b"\n"
    path = sealed(files, tmp_path / "forged.zip")
    with pytest.raises(ArchiveError) as refused:
        import_archive(empty_store(), path)
    assert "{" not in str(refused.value)
