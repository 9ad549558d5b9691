"""Write a campaign as one archive: documents, hits as a table and as CIF, blobs, licence and
citation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gen2dft.campaign import stored_campaign
from gen2dft.exchange import archive as names
from gen2dft.exchange.archive import ArchiveWriter, new_archive, to_line
from gen2dft.exchange.credits import Credits, citation_file, licence_file, readme_file
from gen2dft.ground.named_today import as_named_today
from gen2dft.query import files_of_hits, sources_of_hits
from gen2dft.report.cif import cif_name, hit_cif
from gen2dft.report.hit_table import Column, hits_csv, origin_columns
from gen2dft.report.wording import ranked, surrogate_engines
from gen2dft.store.documents import CalibrationDoc, CampaignDoc, HullDoc, RoundDoc, SnapshotDoc

if TYPE_CHECKING:
    from gen2dft.store.documents import Document, HitDoc, LabelDoc
    from gen2dft.store.store import Store

STILL_RUNNING = "exported while it was running"


@dataclass(frozen=True)
class Choice:
    """Contents of an archive beyond documents, hull and latent points.

    Parameters
    ----------
    snapshots
        The trained generators, tens of megabytes each.
    training_data
        The set that the generator was trained on; pass it on only if its terms allow that.
    """

    snapshots: bool = False
    training_data: bool = False

    def left_out(self) -> tuple[str, ...]:
        """The parts that are not chosen, in words."""
        chosen = {"snapshots": self.snapshots, "training data": self.training_data}
        return tuple(words for words, is_chosen in chosen.items() if not is_chosen)


@dataclass(frozen=True)
class _Content:
    """Documents of a campaign, without its candidates, which may be many.

    Parameters
    ----------
    shared
        Collection to documents that other campaigns may use too: all that this one names.
    origins
        Columns of the table of hits on where their crystals come from.
    """

    campaign: CampaignDoc
    rounds: list[RoundDoc]
    labels: list[LabelDoc]
    hits: list[HitDoc]
    shared: dict[str, list[Document]]
    origins: Sequence[Column] = ()

    @classmethod
    def read(cls, store: Store, campaign_id: str) -> _Content:
        # In this order, and the candidates after it, so that of a campaign at work no hit comes
        # without its label and no label without its candidate.
        hits = store.hits(campaign_id)
        labels = store.labels(campaign_id)
        campaign = _at_rest(store.campaign(campaign_id))
        rounds = store.rounds(campaign_id)
        shared = _shared(store, campaign, rounds, labels)
        spec = stored_campaign(campaign)
        drawn_by = sources_of_hits(store, campaign) if spec.has_several_sources else None
        origins = origin_columns(drawn_by, files_of_hits(store, campaign))
        return cls(campaign, rounds, labels, hits, shared, origins)


def export_campaign(
    store: Store, campaign_id: str, path: Path, credits_: Credits, choice: Choice = Choice()
) -> tuple[str, dict[str, int]]:
    """Write the archive of one campaign.

    Parameters
    ----------
    path
        The new file; it appears complete or not at all.
    credits_
        Licence and authors.

    Returns
    -------
    The archive's digest (SHA-256 of its manifest), and collection to number of documents.

    Raises
    ------
    StoreError
        No such campaign, or a blob of it is missing or damaged.
    OutputError
        The file exists already or cannot be written.
    """
    content = _Content.read(store, campaign_id)
    left_out = choice.left_out()
    with new_archive(path) as writer:
        counts = _add_collections(writer, store, content)
        for blob_id in _blobs(content, choice):
            writer.add(names.blob_name(blob_id), [store.get_blob(blob_id)])
        _add_hits(writer, content)
        _add_texts(writer, as_named_today(store, content.campaign), counts, left_out, credits_)
        digest = writer.finish(
            campaign_id=campaign_id,
            licence=credits_.licence,
            left_out=left_out,
            documents=counts,
        )
    return digest, counts


def _add_collections(writer: ArchiveWriter, store: Store, content: _Content) -> dict[str, int]:
    """Write all documents; collection to their number."""
    collections: dict[str, Iterable[Document]] = {
        "campaigns": [content.campaign],
        "rounds": content.rounds,
        "candidates": store.candidates(content.campaign.id),
        "labels": content.labels,
        "hits": content.hits,
        **content.shared,
    }
    counts = {}
    for collection, documents in collections.items():
        counts[collection] = _add_documents(writer, collection, documents)
    return counts


def _add_texts(
    writer: ArchiveWriter,
    campaign: CampaignDoc,
    counts: dict[str, int],
    left_out: tuple[str, ...],
    credits_: Credits,
) -> None:
    """Write README, licence and citation."""
    readme = readme_file(campaign, counts, left_out, credits_)
    licence = licence_file(campaign, credits_)
    citation = citation_file(campaign, credits_)
    writer.add(names.README, [readme.encode()])
    writer.add(names.LICENCE, [licence.encode()])
    writer.add(names.CITATION, [citation.encode()])


def _at_rest(campaign: CampaignDoc) -> CampaignDoc:
    """The campaign as others get it: nobody advances it, and a running one ends here."""
    changes: dict[str, object] = {"lease": {}}
    if campaign.state != "finished":
        changes |= {"state": "finished", "stop_reason": STILL_RUNNING}
    return campaign.model_copy(update=changes)


def _shared(
    store: Store, campaign: CampaignDoc, rounds: Sequence[RoundDoc], labels: Sequence[LabelDoc]
) -> dict[str, list[Document]]:
    """Documents that other campaigns may use too: all that this one names."""
    snapshots = {key for document in rounds for key in document.snapshots}
    hulls = {campaign.hull_id, campaign.screen_hull_id}
    hulls.update(document.hull_id for document in rounds)
    for label in labels:
        hulls |= {label.hull_id, *label.other_hulls}
    calibrations = set(campaign.calibration_ids.values())
    return {
        "snapshots": _named(store, SnapshotDoc, snapshots),
        "hulls": _named(store, HullDoc, hulls),
        "calibrations": _named(store, CalibrationDoc, calibrations),
    }


def _named(store: Store, model: type[Document], keys: Iterable[str | None]) -> list[Document]:
    """Documents under these ids, in their order; None stands for no document."""
    known = sorted(filter(None, keys))
    return [store.get(model, key) for key in known]


def _blobs(content: _Content, choice: Choice) -> list[str]:
    """Ids of the blobs that go with the documents."""
    found: set[str | None] = set()
    for document in content.rounds:
        found |= {document.latents_id, document.batch_id}
        if choice.snapshots:
            found |= set(document.head_ids.values())
    for hull in content.shared["hulls"]:
        if isinstance(hull, HullDoc):
            found.add(hull.blob_id)
    for snapshot in content.shared["snapshots"]:
        if choice.snapshots and isinstance(snapshot, SnapshotDoc):
            found |= {snapshot.blob_id, snapshot.ensemble_id}
    if choice.training_data:
        found.add(content.campaign.dataset_id)
    return sorted(filter(None, found))


def _add_documents(writer: ArchiveWriter, collection: str, documents: Iterable[Document]) -> int:
    """Write the documents of one collection; return their number."""
    count = 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for document in documents:
            count += 1
            yield to_line(document.to_mongo())

    writer.add(names.documents_name(collection), lines())
    return count


def _add_hits(writer: ArchiveWriter, content: _Content) -> None:
    """Write the hits as a table, best first, and one CIF file each."""
    spec = stored_campaign(content.campaign)
    known = spec.known_properties
    wanted = [target.property for target in spec.targets]
    surrogates = surrogate_engines(content.labels, content.hits)
    ordered, _ = ranked(content.hits, spec.targets, known)
    table = hits_csv(ordered, wanted, surrogates, known, content.origins)
    writer.add(names.TABLE, [table.encode()])
    for hit in ordered:
        name = cif_name(hit.formula, hit.candidate_id)
        cif = hit_cif(hit, surrogates, known)
        writer.add(f"cif/{name}", [cif.encode()])
