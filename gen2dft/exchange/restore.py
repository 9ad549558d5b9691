"""Read an archive into a database: everything is checked first, then written under its old ids.

Documents that are there already are not written again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gen2dft.dataset import Dataset
from gen2dft.errors import ArchiveError, Gen2DFTError
from gen2dft.exchange.archive import REMEDY, Archive, blob_name, documents_name, to_line
from gen2dft.generators.snapshot import snapshot_id
from gen2dft.store.documents import (
    CampaignDoc,
    CandidateDoc,
    Document,
    HitDoc,
    HullDoc,
    LabelDoc,
    RoundDoc,
    SnapshotDoc,
)
from gen2dft.store.schema import COLLECTIONS
from gen2dft.store.store import blob_key, candidate_key, round_key
from gen2dft.thermo.hull import ReferenceHull

if TYPE_CHECKING:
    from gen2dft.store.store import Store

# In the order in which they are written: whoever sees the campaign finds all that it names.
ITS_OWN = ("candidates", "labels", "hits", "rounds", "campaigns")
# Their ids are hashes of their content: what is there under the same id is the same, whoever wrote
# it and when.
SHARED = ("snapshots", "hulls", "calibrations")
AT_ONCE = 500


@dataclass(frozen=True)
class Imported:
    """Result of an import.

    Parameters
    ----------
    new, known
        Collection to the number of documents added, and of those that were there already.
    """

    campaign_id: str
    digest: str
    left_out: tuple[str, ...]
    new: dict[str, int]
    known: dict[str, int]


def import_archive(
    store: Store, path: Path, expected: str | None = None, dry_run: bool = False
) -> Imported:
    """Restore a campaign from an archive.

    A second import, or one after an interrupted import, adds only the missing documents.

    Parameters
    ----------
    expected
        The digest that the archive's author gave; None: not compared.
    dry_run
        Check everything, write nothing.

    Raises
    ------
    ArchiveError
        The archive is damaged, was changed, is inconsistent or is not the expected one; or the
        database holds the campaign with another history. Nothing has been written then.
    """
    with Archive.open(path) as archive:
        if expected is not None and expected.lower() != archive.digest:
            raise ArchiveError(
                f"{path} has digest {archive.digest}, not {expected}: it is another archive; "
                f"{REMEDY}"
            )
        _check(archive)
        known = {name: _count_known(store, archive, name) for name in (*SHARED, *ITS_OWN)}
        if not dry_run:
            store.ensure_indices()
            _write(store, archive)
        manifest = archive.manifest
        new = {name: manifest.documents.get(name, 0) - known[name] for name in known}
        return Imported(manifest.campaign_id, archive.digest, manifest.left_out, new, known)


def _documents(archive: Archive, collection: str) -> Iterator[Document]:
    """Documents of a collection as models; ArchiveError names the first that is not valid."""
    model = COLLECTIONS[collection]
    for data in archive.documents(collection):
        try:
            yield model.from_mongo(data)
        except ValidationError as err:
            first = err.errors()[0]
            place = ".".join(map(str, first["loc"]))
            what = f"{documents_name(collection)}: document {data['_id']!r}"
            raise ArchiveError(
                f"{what} is not valid ({place}: {first['msg']}); the "
                f"archive was written by gen2dft {archive.manifest.code_version}"
            ) from err


# Checks
# ------------------------------------------------------------------------------------------------


def _check(archive: Archive) -> None:
    """Refuse documents of other campaigns, documents that name missing ones, and ids that are not
    the hashes they claim to be.
    """
    campaign_id = archive.manifest.campaign_id
    _check_collections(archive)
    ids: dict[str, set[str]] = {}
    for name in (*SHARED, *ITS_OWN):
        ids[name] = set()
        for document in _documents(archive, name):
            if document.id in ids[name]:
                raise ArchiveError(f"{documents_name(name)}: document {document.id!r} occurs twice")
            ids[name].add(document.id)
            _check_place(document, campaign_id, ids)
            _check_content(archive, document)
        number = len(ids[name])
        if number != archive.manifest.documents.get(name, 0):
            raise ArchiveError(
                f"{documents_name(name)}: {number} documents are not what the manifest says"
            )
    if ids["campaigns"] != {campaign_id}:
        raise ArchiveError(
            f"the archive must hold campaign {campaign_id!r} and no other, not "
            f"{sorted(ids['campaigns'])}"
        )


def _check_collections(archive: Archive) -> None:
    """Refuse collections that this version does not know."""
    known = {documents_name(name) for name in (*SHARED, *ITS_OWN)}
    held = {name for name in archive.manifest.files if name.startswith("documents/")}
    unknown = held - known
    if unknown:
        raise ArchiveError(f"{min(unknown)}: this gen2dft knows no such collection; update it")


def _check_place(document: Document, campaign_id: str, ids: dict[str, set[str]]) -> None:
    """Refuse a document of another campaign, one under a wrong id, and one that names a document
    that has not come before it.
    """
    its_campaign = getattr(document, "campaign_id", campaign_id)
    if document.id != _id_within(campaign_id, document) or its_campaign != campaign_id:
        raise ArchiveError(
            f"document {document.id!r} does not belong to campaign {campaign_id!r}; refused"
        )
    for collection, key in _names_in(document, campaign_id):
        if key is not None and key not in ids[collection]:
            raise ArchiveError(
                f"document {document.id!r} names {key!r}, which is not among the archive's "
                f"{collection}"
            )


def _id_within(campaign_id: str, document: Document) -> str:
    """The id that a document must have in this campaign."""
    if isinstance(document, RoundDoc):
        return round_key(campaign_id, document.index)
    if isinstance(document, CandidateDoc | HitDoc):
        return candidate_key(campaign_id, document.candidate_id)
    return document.id


def _names_in(document: Document, campaign_id: str) -> Iterator[tuple[str, str | None]]:
    """Collection and id of every document that another one names."""
    if isinstance(document, RoundDoc):
        for key in document.snapshots:
            yield "snapshots", key
        yield "hulls", document.hull_id
    elif isinstance(document, HitDoc):
        yield "candidates", document.id
        yield "labels", document.label_id
    elif isinstance(document, LabelDoc):
        yield "candidates", candidate_key(campaign_id, document.candidate_id)
        yield "hulls", document.hull_id
    elif isinstance(document, CampaignDoc):
        yield "hulls", document.hull_id
        yield "hulls", document.screen_hull_id
        for key in document.calibration_ids.values():
            yield "calibrations", key


def _check_content(archive: Archive, document: Document) -> None:
    """Refuse a document whose blobs are missing without having been left out, or do not have
    the hashes that their ids claim.
    """
    left_out = archive.manifest.left_out
    if isinstance(document, HullDoc):
        data = _blob(archive, document, document.blob_id)
        hull = ReferenceHull.from_bytes(data, f"hull {document.id}")
        _must_be(document, document.id, hull.hull_hash)
    elif isinstance(document, RoundDoc) and document.latents_id:
        _blob(archive, document, document.latents_id)
    elif isinstance(document, SnapshotDoc) and "snapshots" not in left_out:
        data = _blob(archive, document, document.blob_id)
        _must_be(document, document.id, snapshot_id(data))
    elif isinstance(document, CampaignDoc) and "training data" not in left_out:
        data = _blob(archive, document, document.dataset_id)
        dataset = Dataset.from_bytes(data, "the training data")
        _must_be(document, document.dataset_hash, dataset.content_hash)


def _blob(archive: Archive, document: Document, blob_id: str) -> bytes:
    if not archive.has(blob_name(blob_id)):
        raise ArchiveError(
            f"document {document.id!r} needs blob {blob_id}, which the archive does not hold; "
            f"{REMEDY}"
        )
    data = archive.read(blob_name(blob_id))
    _must_be(document, blob_id, blob_key(data))
    return data


def _must_be(document: Document, claimed: str, found: str) -> None:
    if claimed != found:
        raise ArchiveError(
            f"document {document.id!r}: its content has hash {found}, not {claimed}; {REMEDY}"
        )


# What is there already
# ----------------------------------------------------------------------------------------------


def _count_known(store: Store, archive: Archive, collection: str) -> int:
    """Number of documents that the database holds already.

    ArchiveError if it holds a different one under the same id.
    """
    known = 0
    documents = _documents(archive, collection)
    while chunk := list(itertools.islice(documents, AT_ONCE)):
        stored = store.find_many(COLLECTIONS[collection], [document.id for document in chunk])
        known += len(stored)
        if collection in ITS_OWN:
            _check_history(archive, collection, chunk, stored)
    return known


def _check_history(
    archive: Archive,
    collection: str,
    chunk: Sequence[Document],
    stored: Mapping[str, Document],
) -> None:
    """Refuse an archive whose documents differ from those stored under the same ids."""
    for document in chunk:
        if document.id in stored and not _same(document, stored[document.id]):
            raise _other_history(archive, collection, document)


def _same(archived: Document, stored: Document) -> bool:
    """Whether two documents are equal, apart from the present state of a campaign."""
    return _lasting(archived) == _lasting(stored)


def _lasting(document: Document) -> bytes:
    """A document as a line, without what changes while a campaign runs."""
    fields = document.to_mongo()
    if isinstance(document, CampaignDoc):
        for name in ("lease", "state", "stop_reason"):
            fields.pop(name, None)
    return to_line(fields)


def _other_history(archive: Archive, collection: str, document: Document) -> Gen2DFTError:
    return ArchiveError(
        f"the database holds campaign {archive.manifest.campaign_id!r} already with another "
        f"history (in {collection}, "
        f"{document.id!r} differs): it has gone on since, or is another run. Nothing was changed; "
        "import into a "
        "database of its own, e.g. with GEN2DFT_DATABASE_NAME"
    )


# Writing
# ------------------------------------------------------------------------------------------------


def _write(store: Store, archive: Archive) -> None:
    """Write blobs first and the campaign last."""
    for name in archive.manifest.files:
        if name.startswith("blobs/"):
            store.put_blob(archive.read(name), "imported")
    for collection in (*SHARED, *ITS_OWN):
        documents = _documents(archive, collection)
        while chunk := list(itertools.islice(documents, AT_ONCE)):
            store.insert_many_new(chunk)
