"""Blobs of an archive: each is named by a document, is the hash that it is named by, and holds what
that document says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from gen2dft.dataset import Dataset
from gen2dft.errors import ArchiveError, Gen2DFTError
from gen2dft.exchange.archive import REMEDY, TEXTS, Archive, blob_name
from gen2dft.generators.snapshot import HEADER, snapshot_id
from gen2dft.rounds.select import read_choices
from gen2dft.store.documents import CampaignDoc, Document, HitDoc, HullDoc, RoundDoc, SnapshotDoc
from gen2dft.store.store import blob_key
from gen2dft.stored_arrays import read_npy, read_npz, unzipped
from gen2dft.thermo.hull import ReferenceHull

# Reads a blob of which no array may take more than so many bytes; raises ValueError or an error of
# ours for what is none.
Reader = Callable[[bytes, int], object]
Read = Callable[[type[Document]], Iterable[Document]]


def check_blobs(archive: Archive, documents: Read) -> None:
    """Check all blobs, and refuse those that no document names.

    Parameters
    ----------
    documents
        Gives the documents of a kind.

    Raises
    ------
    ArchiveError
        The message names the document and the blob.
    """
    named: set[str] = set()
    for model in (SnapshotDoc, HullDoc, RoundDoc, CampaignDoc):
        for document in documents(model):
            for blob_id, read in _blobs_of(archive, document):
                named.add(blob_name(blob_id))
                _check(archive, document, blob_id, read)
    held = {name for name in archive.manifest.files if name.startswith("blobs/")}
    if held - named:
        raise ArchiveError(f"{min(held - named)}: no document names this blob; refused")
    _check_texts(archive, documents(HitDoc))


def hull_of(archive: Archive, document: HullDoc) -> ReferenceHull:
    """The hull of a document; ArchiveError if it is another one than its id says."""
    data = _blob(archive, document, document.blob_id)
    try:
        hull = ReferenceHull.from_bytes(data, f"hull {document.id}")
    except Gen2DFTError as err:
        raise ArchiveError(f"document {document.id!r}: {err}") from err
    _must_be(document, document.id, hull.hull_hash)
    if (document.num_entries, document.scale) != (hull.num_entries, hull.scale):
        raise ArchiveError(
            f"document {document.id!r}: its hull has {hull.num_entries:,} entries on scale "
            f"{hull.scale}, not as it says; {REMEDY}"
        )
    return hull


def _blobs_of(archive: Archive, document: Document) -> Iterator[tuple[str, Reader]]:
    """Ids of the blobs that a document names and the archive must hold, with their readers."""
    left_out = archive.manifest.left_out
    has_snapshots = "snapshots" not in left_out
    if isinstance(document, HullDoc):
        yield document.blob_id, _read_before
    elif isinstance(document, SnapshotDoc) and has_snapshots:
        yield document.blob_id, partial(_read_snapshot, document)
        if document.ensemble_id:
            yield document.ensemble_id, _read_head
    elif isinstance(document, CampaignDoc) and "training data" not in left_out:
        yield document.dataset_id, partial(_read_dataset, document)
    elif isinstance(document, RoundDoc):
        if document.latents_id:
            yield document.latents_id, _read_latents
        if document.batch_id:
            yield document.batch_id, _read_batch
        for head_id in document.head_ids.values() if has_snapshots else ():
            yield head_id, _read_head


def _check(archive: Archive, document: Document, blob_id: str, read: Reader) -> None:
    data = _blob(archive, document, blob_id)
    try:
        read(data, archive.max_size)
    except (ValueError, LookupError, TypeError, Gen2DFTError) as err:
        if isinstance(err, ArchiveError):
            raise
        cause = " ".join(str(err).split())[:200]
        raise ArchiveError(f"document {document.id!r}: blob {blob_id}: {cause}; {REMEDY}") from err


def _blob(archive: Archive, document: Document, blob_id: str) -> bytes:
    if not archive.has(blob_name(blob_id)):
        raise ArchiveError(
            f"document {document.id!r} needs blob {blob_id[:64]}, which the archive does not hold; "
            f"{REMEDY}"
        )
    data = archive.read(blob_name(blob_id))
    _must_be(document, blob_id, blob_key(data))
    return data


def _must_be(document: Document, claimed: str, found: str) -> None:
    if claimed != found:
        raise ArchiveError(
            f"document {document.id!r}: its content has hash {found}, not {claimed[:64]}; {REMEDY}"
        )


# What blobs hold
# ------------------------------------------------------------------------------------------------


def _read_before(data: bytes, most: int) -> None:
    """Hulls are read with their documents, see `hull_of`."""


def _read_snapshot(document: SnapshotDoc, data: bytes, most: int) -> None:
    _must_be(document, document.id, snapshot_id(data))
    header = _read_head(data, most)
    if header.get("generator") != document.generator:
        raise ValueError(f"it is no snapshot of generator {document.generator!r}")


def _read_head(data: bytes, most: int) -> dict[str, Any]:
    """The header of a snapshot or a head, whose arrays are read; no class is looked for."""
    files = unzipped(data, most)
    header = json.loads(files.pop(HEADER))
    for name, content in files.items():
        if name.endswith(".npy"):
            read_npy(content)
    if not isinstance(header, dict) or "format" not in header:
        raise ValueError("it has no header with a format")
    return header


def _read_dataset(document: CampaignDoc, data: bytes, most: int) -> None:
    read_npz(data, most)
    dataset = Dataset.from_bytes(data, "the training data")
    _must_be(document, document.dataset_hash, dataset.content_hash)


def _read_latents(data: bytes, most: int) -> None:
    arrays = read_npz(data, most)
    for name in ("latents", "train_latents"):
        array = arrays[name]
        if array.ndim != 2 or array.dtype.kind != "f":
            raise ValueError(f"its {name} are no table of numbers")


def _read_batch(data: bytes, _: int) -> None:
    read_choices(data, "the selection")


# Texts for people
# ------------------------------------------------------------------------------------------------


def _check_texts(archive: Archive, hits: Iterable[Document]) -> None:
    """Refuse texts that are none, and crystals that are no hits."""
    ids = {hit.candidate_id for hit in hits if isinstance(hit, HitDoc)}
    for name in archive.manifest.files:
        is_crystal = name.startswith("cif/")
        if is_crystal and name.removesuffix(".cif").rpartition("_")[2] not in ids:
            raise ArchiveError(f"{name}: the archive has no such hit; refused")
        if is_crystal or name in TEXTS:
            _check_text(name, archive.read(name))


def _check_text(name: str, data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError as err:
        raise ArchiveError(f"{name} is no text in UTF-8; {REMEDY}") from err
    if "\0" in text:
        raise ArchiveError(f"{name} holds zero bytes, so it is no text; {REMEDY}")
