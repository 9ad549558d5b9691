"""Store: every read and write of gen2dft's collections, and the blob store.

Writes are idempotent: running a step twice, or two workers at once, leaves what running it once
leaves.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from gen2dft.errors import StoreError, not_one_of
from gen2dft.hashing import content_hash
from gen2dft.store.documents import (
    EVIDENCE_FIELDS,
    CalculationsDoc,
    CalibrationDoc,
    CampaignDoc,
    CandidateDoc,
    Document,
    Evidence,
    HitDoc,
    LabelDoc,
    PowerFactorDoc,
    ReferenceDoc,
    RoundDoc,
    now,
    stored_evidence,
)
from gen2dft.store.filters import MAX_MS
from gen2dft.store.reading import Reading, read_document
from gen2dft.store.schema import INDICES, collection_name
from gen2dft.store.states import OPEN_STATES, Kind, State
from gen2dft.store.tally import Tally

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.database import Database

D = TypeVar("D", bound=Document)
REMEDY = "restore it from a backup or an archive"
AT_ONCE = 500  # candidates that are moved in one message


class Store:
    """The documents of one database.

    Parameters
    ----------
    database
        A pymongo database, from `gen2dft.store.connect.connect`.

    Attributes
    ----------
    reading
        The way by which all documents are read, and those that it had to leave out.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.database = database
        self.reading = Reading()
        self.tally = Tally(database, self.reading)

    def only_show(self) -> None:
        """From now on leave out what cannot be read, and keep a note of it."""
        self.reading.to_show = True

    def ensure_indices(self) -> None:
        """Create the indices that queries rely on; safe to call again."""
        for name, keys in INDICES.items():
            for fields in keys:
                self.database[name].create_index([(field, 1) for field in fields])

    # Documents
    # --------------------------------------------------------------------------------------------

    def insert_new(self, document: Document) -> bool:
        """Insert unless a document with this id exists; True if this call inserted it."""
        collection = self._collection_of(document)
        data = document.to_mongo()
        result = collection.update_one(
            {"_id": data.pop("_id")}, {"$setOnInsert": data}, upsert=True
        )
        if isinstance(document, CandidateDoc):
            self.tally.follow([document.id], begin=True)
        return result.upserted_id is not None

    def insert_many_new(self, documents: Sequence[Document]) -> int:
        """Insert those whose id is not there yet; how many were inserted."""
        return sum(
            self._insert_part(documents[i : i + AT_ONCE]) for i in range(0, len(documents), AT_ONCE)
        )

    def _insert_part(self, documents: Sequence[Document]) -> int:
        collection = self._collection_of(documents[0])
        wanted = {doc.id: doc for doc in documents}
        known = {d["_id"] for d in collection.find({"_id": {"$in": list(wanted)}}, {"_id": 1})}
        fresh = [doc for key, doc in wanted.items() if key not in known]
        if fresh:
            collection.insert_many([doc.to_mongo() for doc in fresh], ordered=False)
        if isinstance(documents[0], CandidateDoc):
            self.tally.begin([doc for doc in fresh if isinstance(doc, CandidateDoc)])
            self.tally.follow(
                known, begin=True
            )  # whoever inserted these may have been killed before
        return len(fresh)

    def remove(self, model: type[Document], keys: Sequence[str]) -> None:
        """Delete documents that were just inserted, and what the tally says of them."""
        for start in range(0, len(keys), AT_ONCE):
            part = list(keys[start : start + AT_ONCE])
            self.database[collection_name(model)].delete_many({"_id": {"$in": part}})
            if model is CandidateDoc:
                self.tally.forget(part)

    def _collection_of(self, document: Document) -> Collection[dict[str, Any]]:
        return self.database[collection_name(type(document))]

    def campaign(self, campaign_id: str) -> CampaignDoc:
        """One campaign; StoreError if there is none of this id."""
        return self.get(CampaignDoc, campaign_id)

    def round(self, campaign_id: str, index: int) -> RoundDoc:
        """One round; StoreError if it was never begun."""
        return self.get(RoundDoc, round_key(campaign_id, index))

    def candidate(self, campaign_id: str, candidate_id: str) -> CandidateDoc:
        """One candidate; StoreError if it is not there."""
        return self.get(CandidateDoc, candidate_key(campaign_id, candidate_id))

    def label(self, label_id: str) -> LabelDoc:
        """One label; StoreError if it is not there."""
        return self.get(LabelDoc, label_id)

    def get(self, model: type[D], key: str) -> D:
        """The document of this id; StoreError if there is none."""
        if (document := self.find(model, key)) is None:
            name = collection_name(model)
            raise StoreError(f"no document {key!r} in collection {name!r}; see `gen2dft status`")
        return document

    def campaigns(self, name: str | None = None) -> list[CampaignDoc]:
        """All campaigns (of one name), newest first."""
        found = self.database.campaigns.find({"name": name} if name else {}).sort("created", -1)
        return list(self.reading.all(CampaignDoc, found, of_everybody=True))

    def find_campaign(self, name_or_id: str | None = None) -> CampaignDoc:
        """The campaign of this id, or the newest of this name, or the newest of all.

        StoreError if none.
        """
        found = self.campaigns()
        fitting = [c for c in found if name_or_id is None or c.id == name_or_id] or [
            c for c in found if name_or_id in (c.name, c.id)
        ]
        if fitting:
            return fitting[0]
        self._refuse_unreadable(name_or_id)
        if not found:
            raise StoreError(
                "there is no campaign yet; start one with `gen2dft run --campaign thermoelectric`"
            )
        raise StoreError(
            not_one_of("campaign", name_or_id, {c.name for c in found} | {c.id for c in found})
        )

    def _refuse_unreadable(self, campaign_id: str | None) -> None:
        """UnreadableDocument where the campaign that is asked for was left out."""
        if campaign_id is not None and ("campaigns", campaign_id) in self.reading.left_out:
            self.campaign(campaign_id)

    def rounds(self, campaign_id: str) -> list[RoundDoc]:
        """Rounds of a campaign in order."""
        found = self.database.rounds.find({"campaign_id": campaign_id}).sort("index", 1)
        return list(self.reading.all(RoundDoc, found))

    def candidates(self, campaign_id: str, **query: Any) -> Iterator[CandidateDoc]:
        """Candidates of a campaign in the order of their ids; `query` holds further fields."""
        found = self.database.candidates.find({"campaign_id": campaign_id, **query}).sort("_id", 1)
        return self.reading.all(CandidateDoc, found)

    def candidate_fields(
        self,
        campaign_id: str,
        fields: Sequence[str],
        *,
        skip: int = 0,
        limit: int = 0,
        **query: Any,
    ) -> list[dict[str, Any]]:
        """Some (dotted) fields of a campaign's candidates in the order of their ids, without the
        structures' weight.

        `limit` 0 means all that come after the first `skip`.
        """
        found = self.database.candidates.find(
            {"campaign_id": campaign_id, **query}, dict.fromkeys(fields, 1)
        )
        part = found.sort("_id", 1).skip(skip).limit(limit)
        return list(self.reading.rows(CandidateDoc, fields, part))

    def hit_fields(self, campaign_id: str, fields: Sequence[str]) -> list[dict[str, Any]]:
        """Some (dotted) fields of a campaign's hits in the order of their ids, without the
        structures' weight.
        """
        found = self.database.hits.find({"campaign_id": campaign_id}, dict.fromkeys(fields, 1))
        return list(self.reading.rows(HitDoc, fields, found.sort("_id", 1)))

    def hit_labels(self) -> dict[str, Evidence]:
        """Id of the label of each hit of all campaigns to the hit's evidence."""
        fields = ("label_id", *EVIDENCE_FIELDS)
        found = self.database.hits.find({}, dict.fromkeys(fields, 1))
        hits = self.reading.rows(HitDoc, fields, found, of_everybody=True)
        return {hit["label_id"]: stored_evidence(hit) for hit in hits}

    def hit_evidence(self, campaign_id: str) -> list[Evidence]:
        """Evidence of each hit of a campaign, in the order of their ids."""
        return [stored_evidence(hit) for hit in self.hit_fields(campaign_id, EVIDENCE_FIELDS)]

    def ids(self, model: type[Document]) -> list[str]:
        """Ids of all documents of a kind."""
        return [
            data["_id"]
            for data in self.database[collection_name(model)].find({}, {"_id": 1}).sort("_id", 1)
        ]

    def core_hours(self, campaign_id: str) -> dict[int, float]:
        """Round to the core-hours of its labels."""
        hours: dict[int, float] = {}
        for label in self.label_fields(campaign_id, ("round_index", "core_hours")):
            hours[label["round_index"]] = hours.get(label["round_index"], 0.0) + label["core_hours"]
        return hours

    def label_fields(
        self, campaign_id: str, fields: Sequence[str], **query: Any
    ) -> list[dict[str, Any]]:
        """Some (dotted) fields of a campaign's labels in the order of their ids, without the
        structures' weight.
        """
        found = self.database.labels.find(
            {"campaign_id": campaign_id, **query}, dict.fromkeys(fields, 1)
        )
        return sorted(self.reading.rows(LabelDoc, fields, found), key=_by_id)

    def labels(self, campaign_id: str, **query: Any) -> list[LabelDoc]:
        """Labels of a campaign in the order of their ids, whatever the order of their arrival."""
        # Sorted here: asked to sort, the embedded server walks through all labels instead of using
        # the query's index.
        found = sorted(self.database.labels.find({"campaign_id": campaign_id, **query}), key=_by_id)
        return list(self.reading.all(LabelDoc, found))

    def calculations(self, engine: str, settings_hash: str, formula: str) -> list[CalculationsDoc]:
        """Calculations of all campaigns with given settings for one reduced formula, in the order
        of their ids.
        """
        query = {"engine": engine, "settings_hash": settings_hash, "formula": formula}
        found = self.database.calculations.find(query).sort("_id", 1)
        return list(self.reading.all(CalculationsDoc, found, of_everybody=True))

    def from_bands(self, campaign_id: str, **query: Any) -> list[PowerFactorDoc]:
        """What was computed from the bands of a campaign's candidates, the largest power factor
        first.
        """
        found = self.database.power_factors.find({"campaign_id": campaign_id, **query})
        largest_first = found.sort([("values.power_factor", -1), ("_id", 1)])
        return list(self.reading.all(PowerFactorDoc, largest_first))

    def power_factors(self, engine: str, settings_hash: str, formula: str) -> list[PowerFactorDoc]:
        """Power factors in all campaigns with given settings for one reduced formula, in the order
        of their ids.
        """
        query = {"engine": engine, "settings_hash": settings_hash, "formula": formula}
        found = self.database.power_factors.find(query).sort("_id", 1)
        return list(self.reading.all(PowerFactorDoc, found, of_everybody=True))

    def hits(self, campaign_id: str | None = None, **query: Any) -> list[HitDoc]:
        """Hits (of one campaign), in the order of their ids."""
        query = {**query, **({"campaign_id": campaign_id} if campaign_id else {})}
        found = self.database.hits.find(query).sort("_id", 1).max_time_ms(MAX_MS)
        complete = functools.partial(_lacks_target, self._targets(campaign_id))
        of_everybody = campaign_id is None
        return list(self.reading.all(HitDoc, found, of_everybody=of_everybody, also=complete))

    def _targets(self, campaign_id: str | None) -> dict[str, list[str]]:
        """Campaign (all or one) to the properties of its targets; of those that can be read."""
        query = {"_id": campaign_id} if campaign_id else {}
        found = self.database.campaigns.find(query, {"spec": 1})
        targets = {}
        for row in self.reading.rows(CampaignDoc, ("spec",), found, of_everybody=True):
            targets[row["_id"]] = [target["property"] for target in row["spec"]["targets"]]
        return targets

    def references(self, engine: str, settings_hash: str) -> list[ReferenceDoc]:
        """Reference phases that an engine has computed with given settings, in the order of their
        ids.
        """
        found = self.database.references.find(
            {"engine": engine, "settings_hash": settings_hash}
        ).sort("_id", 1)
        return list(self.reading.all(ReferenceDoc, found, of_everybody=True))

    def calibration(
        self, correction: str, engine: str, settings_hash: str
    ) -> CalibrationDoc | None:
        """The newest calibration of a correction for an engine and its settings.

        None if there is none.
        """
        query = {"correction": correction, "engine": engine, "settings_hash": settings_hash}
        found = self.database.calibrations.find(query).sort("created", -1)
        readable = self.reading.all(CalibrationDoc, found, of_everybody=True)
        return next(readable, None)

    def find(self, model: type[D], key: str) -> D | None:
        """The document of this id, or None; UnreadableDocument if it is not valid."""
        data = self.database[collection_name(model)].find_one({"_id": key})
        return None if data is None else read_document(model, data)

    def find_many(self, model: type[D], keys: Sequence[str]) -> dict[str, D]:
        """Id to document, for those of these ids that are there."""
        found = self.database[collection_name(model)].find({"_id": {"$in": list(keys)}})
        return {document.id: document for document in self.reading.all(model, found)}

    def find_candidates(self, prefix: str) -> list[CandidateDoc]:
        """Candidates of all campaigns whose candidate id begins with `prefix`.

        UnreadableDocument if there are some, but none can be read.
        """
        query = {"candidate_id": {"$regex": f"^{re.escape(prefix)}"}}
        found = list(self.database.candidates.find(query).sort("_id", 1))
        readable = list(self.reading.all(CandidateDoc, found, of_everybody=True))
        if found and not readable:
            read_document(CandidateDoc, found[0])
        return readable

    def state_counts(self, campaign_id: str, round_index: int | None = None) -> dict[str, int]:
        """Candidates per state (with reason), of one round or of all; see gen2dft.store.tally."""
        return dict(Counter(self.tally.states(campaign_id, round_index).values()))

    def last_given_up(self, campaign_id: str, number: int) -> list[CandidateDoc]:
        """Candidates that were given up last, the newest first."""
        keys = [
            candidate_key(campaign_id, found)
            for found in self.tally.last_given_up(campaign_id, number)
        ]
        found = self.find_many(CandidateDoc, keys)
        return [found[key] for key in keys if key in found]

    # Changes of state
    # -----------------------------------------------------------------------------------------

    def move_candidate(
        self, campaign_id: str, candidate_id: str, state: State | str, **fields: Any
    ) -> bool:
        """Move a candidate forward and set fields.

        False if it already stood at this state or further.

        Raises
        ------
        StoreError
            For a state that does not exist, or `rejected`/`given_up` without a reason.
        """
        return bool(self.move_candidates(campaign_id, {candidate_id: {"state": state, **fields}}))

    def move_candidates(self, campaign_id: str, moves: Mapping[str, Mapping[str, Any]]) -> int:
        """Move candidates forward, each to its own `state` and with its own fields; how many moved.

        A state may be given as its text.

        Raises
        ------
        StoreError
            As `move_candidate`.
        """
        from pymongo import UpdateOne

        moved, ids = 0, list(moves)
        for start in range(0, len(ids), AT_ONCE):
            part = {
                candidate_key(campaign_id, found): moves[found]
                for found in ids[start : start + AT_ONCE]
            }
            updates = [UpdateOne(*_move(key, **fields)) for key, fields in part.items()]
            moved += self.database.candidates.bulk_write(updates, ordered=False).modified_count
            self.tally.follow(part)
        return moved

    def reopen_candidate(self, campaign_id: str, candidate_id: str) -> bool:
        """Queue a candidate again that was given up.

        The one way back, for those that a broken engine failed for.
        """
        key = candidate_key(campaign_id, candidate_id)
        result = self.database.candidates.update_one(
            {"_id": key, "state": {"$regex": "^given_up:"}},
            _change(State(Kind.QUEUED), failure=None, attempts=0),
        )
        self.tally.follow([key])
        return bool(result.modified_count)

    def give_up_open(
        self, campaign_id: str, reason: str, detail: str, round_index: int | None = None
    ) -> int:
        """Give up all candidates (of one round) that are queued or running; how many there were."""
        query: dict[str, Any] = {"campaign_id": campaign_id, "state": {"$in": list(OPEN_STATES)}}
        if round_index is not None:
            query["round_index"] = round_index
        change = _change(State.given_up(reason), failure=detail)
        given_up = self.database.candidates.update_many(query, change).modified_count
        self.follow_unfinished(campaign_id, round_index)
        return given_up

    def follow_unfinished(self, campaign_id: str, round_index: int | None = None) -> None:
        """Bring the tally up to the candidates that it does not know to have come to an end."""
        states = self.tally.states(campaign_id, round_index)
        self.tally.follow(
            [
                candidate_key(campaign_id, key)
                for key, state in states.items()
                if state in (Kind.SAMPLED, *OPEN_STATES)
            ]
        )

    def set_candidate(self, campaign_id: str, candidate_id: str, **fields: Any) -> None:
        """Set fields of a candidate, whatever its state."""
        self.database.candidates.update_one(
            {"_id": candidate_key(campaign_id, candidate_id)},
            {"$set": {"changed": now(), **fields}},
        )

    def set_hit(self, hit_id: str, **fields: Any) -> None:
        """Write some fields of a hit."""
        self.database.hits.update_one({"_id": hit_id}, {"$set": fields})

    def set_label(self, label_id: str, **fields: Any) -> None:
        """Set fields of a label."""
        self.database.labels.update_one({"_id": label_id}, {"$set": fields})

    def count_open(self, campaign_id: str, round_index: int) -> int:
        """Candidates of a round that are queued or running."""
        counts = self.state_counts(campaign_id, round_index)
        return sum(counts.get(state, 0) for state in OPEN_STATES)

    def update_round(self, campaign_id: str, index: int, **fields: Any) -> None:
        """Set fields of a round."""
        self.database.rounds.update_one({"_id": round_key(campaign_id, index)}, {"$set": fields})

    def set_round_once(self, campaign_id: str, index: int, field: str, value: Any) -> bool:
        """Set a field of a round that is None; True for exactly one caller, whose value stays."""
        query = {"_id": round_key(campaign_id, index), field: None}
        return bool(self.database.rounds.update_one(query, {"$set": {field: value}}).modified_count)

    def add_to_round(self, campaign_id: str, index: int, field: str, value: str) -> None:
        """Put a value at the end of a list of a round, unless it holds it."""
        self.database.rounds.update_one(
            {"_id": round_key(campaign_id, index)}, {"$addToSet": {field: value}}
        )

    def increment_round(self, campaign_id: str, index: int, field: str) -> None:
        """Add one to a counter of a round."""
        self.database.rounds.update_one(
            {"_id": round_key(campaign_id, index)}, {"$inc": {field: 1}}
        )

    def move_round(
        self, campaign_id: str, index: int, before: str, after: str, **fields: Any
    ) -> bool:
        """Change a round's state; True for exactly one caller, however many try."""
        result = self.database.rounds.update_one(
            {"_id": round_key(campaign_id, index), "state": before},
            {"$set": {"state": after, **fields}},
        )
        return bool(result.modified_count)

    def pause_campaign(self, campaign_id: str, reason: str) -> bool:
        """Stop a running campaign until somebody resumes it; True for exactly one caller."""
        return self._move_campaign(campaign_id, "running", "paused", reason)

    def resume_campaign(self, campaign_id: str) -> bool:
        """Let a paused campaign go on; True for exactly one caller."""
        return self._move_campaign(campaign_id, "paused", "running", None)

    def finish_campaign(self, campaign_id: str, reason: str) -> bool:
        """Mark a campaign finished; True for exactly one caller."""
        return self._move_campaign(campaign_id, "running", "finished", reason)

    def _move_campaign(self, campaign_id: str, before: str, after: str, reason: str | None) -> bool:
        result = self.database.campaigns.update_one(
            {"_id": campaign_id, "state": before}, {"$set": {"state": after, "stop_reason": reason}}
        )
        return bool(result.modified_count)

    def take_lease(self, campaign_id: str, owner: str, seconds: float) -> bool:
        """Let one owner alone advance a campaign; False while another one holds the lease.

        A lease runs out by itself, for its owner may have died.
        """
        moment = now()
        free = {"$or": [{"lease": {}}, {"lease.until": {"$lt": moment}}]}
        lease = {"owner": owner, "until": moment + timedelta(seconds=seconds)}
        result = self.database.campaigns.update_one(
            {"_id": campaign_id, **free}, {"$set": {"lease": lease}}
        )
        return bool(result.modified_count)

    def release_lease(self, campaign_id: str, owner: str) -> None:
        """Give a lease back, unless it has run out and passed to somebody else."""
        self.database.campaigns.update_one(
            {"_id": campaign_id, "lease.owner": owner}, {"$set": {"lease": {}}}
        )

    # Blobs
    # --------------------------------------------------------------------------------------------

    def put_blob(self, data: bytes, kind: str) -> str:
        """Keep bytes in GridFS under their content hash.

        Storing the same content again does nothing.
        """
        import gridfs

        blob_id = blob_key(data)
        blobs = gridfs.GridFS(self.database, collection="blobs")
        if not blobs.exists(blob_id):
            with contextlib.suppress(
                gridfs.errors.FileExists
            ):  # another worker stored the same content meanwhile
                blobs.put(data, _id=blob_id, kind=kind)
        return blob_id

    def has_blob(self, blob_id: str) -> bool:
        """Whether there is a blob of this id."""
        import gridfs

        return bool(gridfs.GridFS(self.database, collection="blobs").exists(blob_id))

    def remove_blobs(self, blob_ids: Sequence[str]) -> None:
        """Delete blobs, which no document may name any more."""
        import gridfs

        blobs = gridfs.GridFS(self.database, collection="blobs")
        for blob_id in blob_ids:
            blobs.delete(blob_id)

    def get_blob(self, blob_id: str) -> bytes:
        """Bytes of a blob; StoreError if it is missing or its content does not fit its id."""
        import gridfs

        try:
            data: bytes = gridfs.GridFS(self.database, collection="blobs").get(blob_id).read()
        except gridfs.errors.NoFile as err:
            raise StoreError(f"blob {blob_id} is missing in the database; {REMEDY}") from err
        except gridfs.errors.CorruptGridFile as err:
            raise StoreError(f"blob {blob_id} is damaged in the database; {REMEDY}") from err
        if blob_key(data) != blob_id:
            raise StoreError(f"blob {blob_id} is damaged: its content has another hash; {REMEDY}")
        return data


def _lacks_target(targets: Mapping[str, Sequence[str]], hit: HitDoc) -> str | None:
    """Why a hit is none of its campaign: a target without a value, not even an open one."""
    for name in targets.get(hit.campaign_id, ()):
        if name not in hit.values:
            return f"values: nothing is said of target {name}"
    return None


def _by_id(data: dict[str, Any]) -> str:
    return str(data["_id"])


def round_key(campaign_id: str, index: int) -> str:
    """`_id` of a round."""
    return f"{campaign_id}:{index}"


def candidate_key(campaign_id: str, candidate_id: str) -> str:
    """`_id` of a candidate or a hit."""
    return f"{campaign_id}:{candidate_id}"


def blob_key(data: bytes) -> str:
    """Id of a blob: the hash of its content, 32 hexadecimal digits."""
    return content_hash(data, digits=32)


def _move(key: str, *, state: State | str, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Query and update that move a candidate forward."""
    aim = State.parse(str(state))
    return {"_id": key, "state": aim.earlier()}, _change(aim, **fields)


def _change(state: State, **fields: Any) -> dict[str, Any]:
    """The update that gives a candidate a state and fields."""
    moment, text = now(), str(state)
    return {
        "$set": {"state": text, "changed": moment, **fields},
        "$push": {"history": {"state": text, "at": moment}},
    }
