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
from gen2dft.report.cif import cif_name, hit_cif
from gen2dft.report.hit_table import hits_csv
from gen2dft.report.wording import ranked, surrogate_engines
from gen2dft.store.documents import CalibrationDoc, CampaignDoc, HullDoc, RoundDoc, SnapshotDoc

if TYPE_CHECKING:
    from gen2dft.store.documents import Document, HitDoc, LabelDoc
    from gen2dft.store.store import Store

STILL_RUNNING = "exported while it was running"


@dataclass(frozen=True)
class Choice:
    """What goes into an archive beyond documents, hull and latent points.

    Parameters
    ----------
    snapshots
        The trained generators, tens of megabytes each.
    training_data
        The set that the generator was trained on; whoever passes it on must be allowed to.
    """

    snapshots: bool = False
    training_data: bool = False

    def left_out(self) -> tuple[str, ...]:
        """What is not chosen, in words."""
        return tuple(
            words
            for words, chosen in (
                ("snapshots", self.snapshots),
                ("training data", self.training_data),
            )
            if not chosen
        )


def export_campaign(
    store: Store, campaign_id: str, path: Path, credits_: Credits, choice: Choice = Choice()
) -> tuple[str, dict[str, int]]:
    """Write the archive of one campaign.

    Parameters
    ----------
    path
        The new file; it stands there whole or not at all.
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
        The file is there already or cannot be written.
    """
    # In this order, so that of a campaign at work no hit comes without its label and no label
    # without its candidate.
    hits, labels = store.hits(campaign_id), store.labels(campaign_id)
    campaign, rounds = _at_rest(store.campaign(campaign_id)), store.rounds(campaign_id)
    shared = _shared(store, campaign, rounds, labels)
    collections: dict[str, Iterable[Document]] = {
        "campaigns": [campaign],
        "rounds": rounds,
        "candidates": store.candidates(campaign_id),
        "labels": labels,
        "hits": hits,
        **shared,
    }
    counts = {}
    with new_archive(path) as writer:
        for collection, documents in collections.items():
            counts[collection] = _add_documents(writer, collection, documents)
        for blob_id in _blobs(campaign, rounds, shared, choice):
            writer.add(names.blob_name(blob_id), [store.get_blob(blob_id)])
        _add_hits(writer, campaign, hits, labels)
        for name, text in (
            (names.README, readme_file(campaign, counts, choice.left_out(), credits_)),
            (names.LICENCE, licence_file(campaign, credits_)),
            (names.CITATION, citation_file(campaign, credits_)),
        ):
            writer.add(name, [text.encode()])
        digest = writer.finish(
            campaign_id=campaign_id,
            licence=credits_.licence,
            left_out=choice.left_out(),
            documents=counts,
        )
    return digest, counts


def _at_rest(campaign: CampaignDoc) -> CampaignDoc:
    """The campaign as others get it: nobody advances it, and where it was still running it ends
    here.
    """
    if campaign.state == "finished":
        return campaign.model_copy(update={"lease": {}})
    return campaign.model_copy(
        update={"lease": {}, "state": "finished", "stop_reason": STILL_RUNNING}
    )


def _shared(
    store: Store, campaign: CampaignDoc, rounds: Sequence[RoundDoc], labels: Sequence[LabelDoc]
) -> dict[str, list[Document]]:
    """Documents that other campaigns may use too: all that this one names."""
    hulls = {campaign.hull_id, campaign.screen_hull_id, *(r.hull_id for r in rounds)}
    hulls |= {hull for label in labels for hull in (label.hull_id, *label.other_hulls)}
    snapshots = {r.snapshot_id for r in rounds}
    return {
        "snapshots": [store.get(SnapshotDoc, key) for key in sorted(filter(None, snapshots))],
        "hulls": [store.get(HullDoc, key) for key in sorted(filter(None, hulls))],
        "calibrations": [
            store.get(CalibrationDoc, key) for key in sorted(set(campaign.calibration_ids.values()))
        ],
    }


def _blobs(
    campaign: CampaignDoc,
    rounds: Sequence[RoundDoc],
    shared: dict[str, list[Document]],
    choice: Choice,
) -> list[str]:
    """Ids of the blobs that go with the documents."""
    found = {blob for r in rounds for blob in (r.latents_id, r.batch_id) if blob}
    for document in (*shared["hulls"], *(shared["snapshots"] if choice.snapshots else ())):
        if isinstance(document, HullDoc | SnapshotDoc):
            found.add(document.blob_id)
        if isinstance(document, SnapshotDoc) and document.ensemble_id:
            found.add(document.ensemble_id)
    if choice.training_data:
        found.add(campaign.dataset_id)
    return sorted(found)


def _add_documents(writer: ArchiveWriter, collection: str, documents: Iterable[Document]) -> int:
    """Write the documents of one collection; how many there are."""
    count = 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for document in documents:
            count += 1
            yield to_line(document.to_mongo())

    writer.add(names.documents_name(collection), lines())
    return count


def _add_hits(
    writer: ArchiveWriter, campaign: CampaignDoc, hits: Sequence[HitDoc], labels: Sequence[LabelDoc]
) -> None:
    """The hits as a table, best first, and one CIF file each."""
    spec, surrogates = stored_campaign(campaign), surrogate_engines(labels)
    known, wanted = spec.known_properties, [target.property for target in spec.targets]
    ordered, _ = ranked(hits, spec.targets, known)
    writer.add(names.TABLE, [hits_csv(ordered, wanted, surrogates, known).encode()])
    for hit in ordered:
        name = f"cif/{cif_name(hit.formula, hit.candidate_id)}"
        writer.add(name, [hit_cif(hit, surrogates, known).encode()])
