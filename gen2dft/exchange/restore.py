"""Read an archive into a database: everything is checked first, then written under its old ids.

Documents that are there already are not written again.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gen2dft.errors import ArchiveError, Gen2DFTError
from gen2dft.exchange.archive import REMEDY, Archive, to_line
from gen2dft.exchange.container import MAX_SIZE
from gen2dft.exchange.contents import ITS_OWN, WHOLE, check_contents, documents
from gen2dft.store.documents import CampaignDoc, Document
from gen2dft.store.schema import COLLECTIONS
from gen2dft.store.store import blob_key

if TYPE_CHECKING:
    from gen2dft.store.store import Store

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
    store: Store,
    path: Path,
    expected: str | None = None,
    dry_run: bool = False,
    max_size: int = MAX_SIZE,
) -> Imported:
    """Restore a campaign from an archive.

    A second import, or one after an interrupted import, adds only the missing documents.

    Parameters
    ----------
    expected
        The digest that the archive's author gave; None: not compared.
    dry_run
        Check everything, write nothing.
    max_size
        Bytes that the archive may take, packed and unpacked.

    Raises
    ------
    ArchiveError
        The archive is damaged, was changed, is inconsistent, too large or is not the expected one;
        or the database holds the campaign with another history. Nothing has been written then.
    """
    with Archive.open(path, max_size) as archive:
        if expected is not None and expected.lower() != archive.digest:
            raise ArchiveError(
                f"{path} has digest {archive.digest}, not {expected}: it is another archive; "
                f"{REMEDY}"
            )
        check_contents(archive)
        fresh = {name: _fresh(store, archive, name) for name in WHOLE}
        manifest = archive.manifest
        known = {name: manifest.documents.get(name, 0) - len(fresh[name]) for name in fresh}
        if not dry_run:
            store.ensure_indices()
            _write_all(store, archive, fresh)
        new = {name: manifest.documents.get(name, 0) - known[name] for name in known}
        return Imported(manifest.campaign_id, archive.digest, manifest.left_out, new, known)


# What is there already
# ----------------------------------------------------------------------------------------------


def _fresh(store: Store, archive: Archive, collection: str) -> list[str]:
    """Ids of the documents that the database does not hold yet.

    ArchiveError if it holds a different one under the same id.
    """
    fresh: list[str] = []
    in_order = documents(archive, COLLECTIONS[collection])
    while chunk := list(itertools.islice(in_order, AT_ONCE)):
        keys = [document.id for document in chunk]
        stored = store.find_many(COLLECTIONS[collection], keys)
        fresh += [key for key in keys if key not in stored]
        if collection in ITS_OWN:
            _check_history(archive, collection, chunk, stored)
    return fresh


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


def _write_all(store: Store, archive: Archive, fresh: Mapping[str, Sequence[str]]) -> None:
    """Write everything; if something fails half-way, take back what was written.

    Only a kill leaves a part, which shows no campaign and which the next import completes.

    Parameters
    ----------
    fresh
        Collection to ids that the database did not hold before.
    """
    blobs: list[str] = []
    try:
        _write(store, archive, blobs)
    except Exception:
        with contextlib.suppress(Exception):  # the database may be away for good
            for collection in reversed(WHOLE):
                store.remove(COLLECTIONS[collection], fresh[collection])
            store.remove_blobs(blobs)
        raise


def _write(store: Store, archive: Archive, blobs: list[str]) -> None:
    """Write blobs first and the campaign last; `blobs` takes the ids of those that are new."""
    for name in archive.manifest.files:
        if name.startswith("blobs/"):
            data = archive.read(name)
            if not store.has_blob(blob_key(data)):
                blobs.append(store.put_blob(data, "imported"))
    for collection in WHOLE:
        in_order = documents(archive, COLLECTIONS[collection])
        while chunk := list(itertools.islice(in_order, AT_ONCE)):
            store.insert_many_new(chunk)
