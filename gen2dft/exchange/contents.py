"""Documents of an archive: each as its model, all of one campaign, naming only what is there.

What is found here decides whether anything is written, so nothing is taken on trust: not an id that
should be a hash, not a name of another document, not a value that no engine could have computed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from gen2dft.campaign import CampaignSpec, stored_campaign
from gen2dft.errors import ArchiveError, CampaignError
from gen2dft.exchange.archive import REMEDY, Archive, documents_name
from gen2dft.exchange.blobs import check_blobs, hull_of
from gen2dft.exchange.plausible import hit_problem, label_problem
from gen2dft.hashing import content_hash
from gen2dft.rounds.begin import campaign_key
from gen2dft.rounds.labelling import label_id
from gen2dft.store.documents import (
    SCHEMA_VERSION,
    CampaignDoc,
    CandidateDoc,
    Document,
    HitDoc,
    HullDoc,
    LabelDoc,
    RoundDoc,
)
from gen2dft.store.reading import UnreadableDocument, read_document
from gen2dft.store.schema import COLLECTIONS, collection_name
from gen2dft.store.states import LABELLED_STATES, kind_of
from gen2dft.store.store import candidate_key, round_key
from gen2dft.thermo.hull import ReferenceHull

# In the order in which they are written: whoever sees the campaign finds all that it names.
ITS_OWN = ("candidates", "labels", "hits", "rounds", "campaigns")
# Their ids are hashes of their content: what is there under the same id is the same, whoever wrote
# it and when.
SHARED = ("snapshots", "hulls", "calibrations")
WHOLE = (*SHARED, *ITS_OWN)
D = TypeVar("D", bound=Document)
MAX_DOCUMENT = 16_000_000  # bytes; MongoDB takes 16 MiB
MAX_CAUSE = 300  # characters of a message that is repeated
CANDIDATE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
KNOWN = "known:"  # beginning of `same_as` where it names a crystal of the dataset


@dataclass
class Found:
    """What the documents that were read so far say.

    Parameters
    ----------
    ids
        Collection to ids.
    states
        Candidate to kind of its state.
    crystal_of
        Label to candidate.
    repeats
        Hits' ids of the candidates that they repeat.
    rounds
        Rounds that candidates, labels and hits are of.
    """

    campaign: CampaignDoc
    spec: CampaignSpec
    ids: dict[str, set[str]] = field(default_factory=dict)
    hulls: dict[str, ReferenceHull] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    crystal_of: dict[str, str] = field(default_factory=dict)
    repeats: set[str] = field(default_factory=set)
    rounds: set[int] = field(default_factory=set)


def documents(archive: Archive, model: type[D]) -> Iterator[D]:
    """Documents of a kind; ArchiveError names the first that is not valid."""
    collection = collection_name(model)
    for data in archive.documents(collection):
        try:
            yield read_document(model, data)
        except UnreadableDocument as err:
            what = f"{documents_name(collection)}: document {data['_id'][:100]!r}"
            raise ArchiveError(f"{what} is not valid ({err.problem}); {REMEDY}") from err


def check_contents(archive: Archive) -> None:
    """Refuse documents of other campaigns, documents that name missing ones, ids that are not the
    hashes they claim to be, and values that no engine gives.

    Raises
    ------
    ArchiveError
        The message names the document.
    """
    _check_collections(archive)
    found = Found(*_campaign(archive))
    for name in WHOLE:
        _check_collection(archive, name, found)
    _check_rounds(archive, found)
    missing = found.repeats - set(found.states)
    if missing:
        raise ArchiveError(f"a hit repeats {min(missing)!r}, which is none of the candidates")
    check_blobs(archive, partial(documents, archive))


def _check_collections(archive: Archive) -> None:
    """Refuse collections that this version does not know, and numbers without documents."""
    known = {documents_name(name) for name in WHOLE}
    held = {name for name in archive.manifest.files if name.startswith("documents/")}
    unknown = held - known
    if unknown:
        raise ArchiveError(f"{min(unknown)}: this gen2dft knows no such collection; update it")
    announced = {documents_name(name) for name, size in archive.manifest.documents.items() if size}
    if announced - held:
        raise ArchiveError(f"{min(announced - held)}: the manifest names it, but it is missing")


def _campaign(archive: Archive) -> tuple[CampaignDoc, CampaignSpec]:
    """The one campaign of an archive, and its spec."""
    wanted = archive.manifest.campaign_id
    held = list(documents(archive, CampaignDoc))
    names = sorted(document.id for document in held)
    if names != [wanted]:
        shown = ", ".join(name[:100] for name in names[:3]) or "none"
        raise ArchiveError(
            f"the archive must hold campaign {wanted!r} and no other; it holds {shown}"
        )
    (campaign,) = held
    try:
        return campaign, stored_campaign(campaign)
    except CampaignError as err:
        cause = " ".join(str(err).split())[:MAX_CAUSE]
        raise ArchiveError(f"this gen2dft cannot read the archive's campaign: {cause}") from err


def _check_collection(archive: Archive, name: str, found: Found) -> None:
    """Check the documents of a collection, and note what later ones may name."""
    ids = found.ids.setdefault(name, set())
    for document in documents(archive, COLLECTIONS[name]):
        if document.id in ids:
            raise ArchiveError(f"{documents_name(name)}: document {document.id!r} occurs twice")
        ids.add(document.id)
        _check_form(document)
        _check_place(document, found)
        _check_names(document, found)
        for check in CHECKS.get(type(document), ()):
            problem = check(document, found)
            if problem is not None:
                raise ArchiveError(f"{documents_name(name)}: document {document.id!r}: {problem}")
        if isinstance(document, HullDoc):
            found.hulls[document.id] = hull_of(archive, document)
    number = archive.manifest.documents.get(name, 0)
    if len(ids) != number:
        raise ArchiveError(
            f"{documents_name(name)}: it has {len(ids):,} documents, and {number:,} by the manifest"
        )


def _check_form(document: Document) -> None:
    """Refuse what the database would refuse half-way through the import."""
    import bson
    from bson.errors import BSONError

    if document.schema_version > SCHEMA_VERSION:
        raise ArchiveError(f"document {document.id!r} has a newer form; update gen2dft")
    try:
        size = len(bson.encode(document.to_mongo()))
    except (BSONError, OverflowError, UnicodeError, ValueError, RecursionError) as err:
        cause = str(err)[:200]
        raise ArchiveError(f"document {document.id!r} cannot be stored: {cause}") from err
    if size > MAX_DOCUMENT:
        raise ArchiveError(
            f"document {document.id!r} has {size:,} bytes, more than {MAX_DOCUMENT:,}"
        )


# Places and names
# ------------------------------------------------------------------------------------------------


def _check_place(document: Document, found: Found) -> None:
    """Refuse a document of another campaign, and one under a wrong id."""
    campaign_id = found.campaign.id
    its_campaign = getattr(document, "campaign_id", campaign_id)
    if document.id != _id_within(campaign_id, document) or its_campaign != campaign_id:
        raise ArchiveError(
            f"document {document.id!r} does not belong to campaign {campaign_id!r}; refused"
        )


def _id_within(campaign_id: str, document: Document) -> str:
    """The id that a document must have in this campaign."""
    if isinstance(document, RoundDoc):
        return round_key(campaign_id, document.index)
    if isinstance(document, CandidateDoc | HitDoc):
        return candidate_key(campaign_id, document.candidate_id)
    if isinstance(document, LabelDoc):
        names = (document.candidate_id, document.engine, document.settings_hash)
        return label_id(campaign_id, *names)
    return document.id


def _check_names(document: Document, found: Found) -> None:
    """Refuse a document that names one which has not come before it."""
    for collection, key in _names_in(document, found.campaign.id):
        if key is not None and key not in found.ids[collection]:
            raise ArchiveError(
                f"document {document.id!r} names {key!r}, which is not among the archive's "
                f"{collection}"
            )


def _names_in(document: Document, campaign_id: str) -> Iterator[tuple[str, str | None]]:
    """Collection and id of every document that another one names."""
    if isinstance(document, RoundDoc):
        for key in document.snapshots:
            yield "snapshots", key
        yield "hulls", document.hull_id
    elif isinstance(document, CandidateDoc):
        yield "snapshots", document.snapshot_id
    elif isinstance(document, HitDoc):
        yield "candidates", document.id
        yield "labels", document.label_id
        yield "hulls", document.hull_id
    elif isinstance(document, LabelDoc):
        yield "candidates", candidate_key(campaign_id, document.candidate_id)
        for key in (document.hull_id, *document.other_hulls):
            yield "hulls", key
    elif isinstance(document, CampaignDoc):
        yield "hulls", document.hull_id
        yield "hulls", document.screen_hull_id
        for key in document.calibration_ids.values():
            yield "calibrations", key


def _check_rounds(archive: Archive, found: Found) -> None:
    """Refuse documents of rounds that are missing: rounds count from 0, without a gap."""
    indices = sorted(document.index for document in documents(archive, RoundDoc))
    if indices != list(range(len(indices))):
        raise ArchiveError("documents/rounds.jsonl: the rounds do not count from 0 without a gap")
    lost = found.rounds - set(indices)
    if lost:
        raise ArchiveError(f"there are documents of round {min(lost)}, which is not in the archive")


# What the documents say
# ------------------------------------------------------------------------------------------------

Check = Callable[[Any, Found], str | None]


def _campaign_problem(campaign: CampaignDoc, found: Found) -> str | None:
    """Why a campaign is not what its id says, or None."""
    if campaign.state != "finished" or campaign.lease:
        return "it is not at rest, as `gen2dft export` leaves a campaign"
    if campaign.name != found.spec.name:
        return f"its name is {campaign.name[:100]!r}, that of its spec {found.spec.name!r}"
    spec_hash = hash_of_spec(campaign.spec)
    if spec_hash != campaign.spec_hash:
        return f"its spec has hash {spec_hash}, not {campaign.spec_hash[:64]}"
    key = campaign_key(
        campaign.name,
        hashes=(spec_hash, campaign.dataset_hash, campaign.hull_id),
        screen_hull=campaign.screen_hull_id,
        calibration_ids=campaign.calibration_ids,
        elements=campaign.elements,
    )
    return None if key == campaign.id else f"by its content it is {key}"


def hash_of_spec(spec: Mapping[str, Any]) -> str:
    """Hash of a stored spec as the version computed it that wrote it.

    Today's version may know more keys, whose defaults do not belong to that hash.
    """
    decisive = {key: value for key, value in spec.items() if key not in UNDECISIVE}
    return content_hash(json.dumps(decisive, sort_keys=True), digits=12)


UNDECISIVE = ("resources", "description")


def _candidate_problem(candidate: CandidateDoc, found: Found) -> str | None:
    if CANDIDATE_ID.fullmatch(candidate.candidate_id) is None:
        return "its id is no hash"
    found.states[candidate.candidate_id] = kind_of(candidate.state)
    found.rounds.add(candidate.round_index)
    return None


def _label_problem(label: LabelDoc, found: Found) -> str | None:
    found.crystal_of[label.id] = label.candidate_id
    found.rounds.add(label.round_index)
    lowest = found.spec.screening.surrogate.min_e_above_hull
    return label_problem(label, found.hulls[label.hull_id], lowest)


def _hit_problem(hit: HitDoc, found: Found) -> str | None:
    found.rounds.add(hit.round_index)
    if found.crystal_of[hit.label_id] != hit.candidate_id:
        return f"its label {hit.label_id} is of another candidate"
    if found.states[hit.candidate_id] not in LABELLED_STATES:
        return f"its candidate is {found.states[hit.candidate_id]}"
    if hit.same_as is not None and not hit.same_as.startswith(KNOWN):
        found.repeats.add(hit.same_as)
    wanted = {target.property for target in found.spec.targets}
    if set(hit.values) != wanted or set(hit.basis) != wanted:
        return f"its values and their basis must be of the targets: {', '.join(sorted(wanted))}"
    return hit_problem(hit)


CHECKS: dict[type[Document], tuple[Check, ...]] = {
    CampaignDoc: (_campaign_problem,),
    CandidateDoc: (_candidate_problem,),
    LabelDoc: (_label_problem,),
    HitDoc: (_hit_problem,),
}
