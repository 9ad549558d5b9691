"""The tally: the states of all candidates of a campaign, in a few small documents beside the
candidates.

Whenever a candidate finishes, the number of open ones is needed. To count them, the embedded
database would read every document, structure and all: seconds for 20,000 candidates. The tally
takes a hundredth of that.

The candidate's own document is the truth. Its entry here is written after it and then compared with
it once more, so that of several writers the last one leaves the true state. If a writer is killed
in between, the entry lags behind; it is never ahead. So a round may close late, but never early.
Running the interrupted step again repairs the entry, and so does `gen2dft advance`, which compares
all entries.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gen2dft.store.documents import CandidateDoc, RoundDoc, TallyDoc
from gen2dft.store.reading import Reading, UnreadableDocument, read_row
from gen2dft.store.states import Kind, State, kind_of

if TYPE_CHECKING:
    from datetime import datetime

    from pymongo.database import Database

PARTS = 64  # documents per round: each is written anew when one of its entries changes
# candidates in one query: the embedded database compares each with all of the ids that are asked
# for
AT_ONCE = 100
PLACE = ("campaign_id", "round_index")
FIELDS = (*PLACE, "candidate_id", "state", "changed")

Row = dict[str, Any]


class Tally:
    """The tallies of one database.

    Parameters
    ----------
    database
        That of the candidates.
    reading
        The way by which documents are read.
    """

    def __init__(self, database: Database[Row], reading: Reading | None = None) -> None:
        self.database = database
        self.reading = reading or Reading()

    def states(self, campaign_id: str, round_index: int | None = None) -> dict[str, str]:
        """Candidate id to state, of one round or of all.

        A round that an older version began has no tally until `gen2dft advance` makes it; its
        candidates are read. So are all of them where a part of the tally cannot be read.
        """
        kept = self._kept(campaign_id, round_index)
        rounds = {round_index} if round_index is not None else self._rounds(campaign_id)
        for index in rounds - set(kept):
            place = {"campaign_id": campaign_id, "round_index": index}
            found = self._candidates(place)
            kept[index] = {row["candidate_id"]: row["state"] for row in found}
        states: dict[str, str] = {}
        for of_round in kept.values():
            states |= of_round
        return states

    def last_given_up(self, campaign_id: str, number: int) -> list[str]:
        """Ids of the candidates that were given up last, the newest first."""
        moments: list[tuple[bool, datetime | None, str]] = []
        for part in self._parts({"campaign_id": campaign_id}, ("states", "given_up")) or ():
            states = part["states"]
            for key, at in part["given_up"].items():
                # One that was given up may have been queued again, or labelled after all.
                if kind_of(states.get(key, "")) == Kind.GIVEN_UP:
                    moments.append((at is not None, at, key))
        # Documents of an older version have no moment: they count as the oldest.
        moments.sort(reverse=True)
        return [key for *_, key in moments[:number]]

    def begin(self, candidates: Sequence[CandidateDoc]) -> None:
        """Enter candidates that were just inserted, also in rounds without a tally: every
        candidate of a round passes here.
        """
        # Parts in their order: few of them change with each write.
        ordered = sorted(candidates, key=lambda candidate: _part(candidate.id))
        for start in range(0, len(ordered), AT_ONCE):
            chunk = ordered[start : start + AT_ONCE]
            rows = [_row(candidate) for candidate in chunk]
            self._write(rows, begin=True)
            self._compare(rows, begin=True)

    def follow(self, keys: Iterable[str], *, begin: bool = False) -> None:
        """Enter the present states of candidates.

        Parameters
        ----------
        keys
            `_id`s of candidates.
        begin
            Also in rounds that have no tally yet, as for `begin`.
        """
        ordered = sorted(keys, key=_part)
        for start in range(0, len(ordered), AT_ONCE):
            chunk = ordered[start : start + AT_ONCE]
            rows = self._read(chunk)
            self._write(rows, begin=begin)
            self._compare(rows, begin=begin)

    def forget(self, keys: Sequence[str]) -> None:
        """Take candidates out that are there no longer, and the tally of a campaign without any."""
        for campaign_id in {key.rpartition(":")[0] for key in keys}:
            place = {"campaign_id": campaign_id}
            if self.database.candidates.find_one(place, {"_id": 1}) is None:
                self.database.tallies.delete_many(place)
                continue
            entries = [f"states.{key.rpartition(':')[2]}" for key in keys]
            self.database.tallies.update_many(place, {"$unset": dict.fromkeys(entries, "")})

    def recount(self, campaign_id: str) -> int:
        """Compare every entry with its candidate and repair it; the number of repaired ones."""
        self._remove_unreadable(campaign_id)
        kept = self._kept(campaign_id)
        wrong = []
        for row in self._candidates({"campaign_id": campaign_id}):
            entries = kept.get(row["round_index"], {})
            if entries.get(row["candidate_id"]) != row["state"]:
                wrong.append(row["_id"])
        self.follow(wrong, begin=True)
        return len(wrong)

    def _compare(self, rows: Sequence[Row], *, begin: bool) -> None:
        """Enter those again that have moved since they were read, until none has."""
        written = _states_of(rows)
        while True:
            found = self._read(list(written))
            changed = [row for row in found if row["state"] != written[row["_id"]]]
            if not changed:
                return
            self._write(changed, begin=begin)
            written |= _states_of(changed)

    def _kept(self, campaign_id: str, round_index: int | None = None) -> dict[int, dict[str, str]]:
        """Round to candidate id to state, as the tally says."""
        place: Row = {"campaign_id": campaign_id}
        if round_index is not None:
            place["round_index"] = round_index
        kept: dict[int, dict[str, str]] = {}
        for part in self._parts(place, ("round_index", "states")) or ():
            states = kept.setdefault(part["round_index"], {})
            states.update(part["states"])
        return kept

    def _parts(self, place: Row, fields: Sequence[str]) -> list[Row] | None:
        """Fields of the parts of a tally; None if one cannot be read: the candidates hold then."""
        found = list(self.database.tallies.find(place, dict.fromkeys(fields, 1)))
        parts = list(self.reading.rows(TallyDoc, fields, found, of_everybody=True))
        return parts if len(parts) == len(found) else None

    def _remove_unreadable(self, campaign_id: str) -> None:
        """Delete parts that cannot be read, so that they are made anew."""
        bad = []
        for part in self.database.tallies.find({"campaign_id": campaign_id}):
            try:
                read_row(TallyDoc, (*PLACE, "states", "given_up"), part)
            except UnreadableDocument:
                bad.append(part["_id"])
        if bad:
            self.database.tallies.delete_many({"_id": {"$in": bad}})

    def _rounds(self, campaign_id: str) -> set[int]:
        found = self.database.rounds.find({"campaign_id": campaign_id}, {"index": 1})
        return {row["index"] for row in self.reading.rows(RoundDoc, ("index",), found)}

    def _read(self, keys: Sequence[str]) -> list[Row]:
        return self._candidates({"_id": {"$in": keys}})

    def _candidates(self, query: Row) -> list[Row]:
        found = self.database.candidates.find(query, dict.fromkeys(FIELDS, 1))
        return list(self.reading.rows(CandidateDoc, FIELDS, found))

    def _write(self, rows: Sequence[Row], *, begin: bool) -> None:
        """Enter states; with `begin` also in parts that are not there yet."""
        from pymongo import UpdateOne

        if not rows:
            return
        changes: dict[str, Row] = {}
        begun: dict[str, Row] = {}
        for row in rows:
            key = f"{row['campaign_id']}:{row['round_index']}:{_part(row['_id'])}"
            change = changes.setdefault(key, {})
            change |= _change(row)
            begun[key] = _new_part(key, row)
        updates = []
        for key, change in changes.items():
            update = {"$set": change, "$setOnInsert": begun[key]}
            updates.append(UpdateOne({"_id": key}, update, upsert=begin))
        # Parts do not depend on each other: an error in one must not keep the others back.
        self.database.tallies.bulk_write(updates, ordered=False)


def _row(candidate: CandidateDoc) -> Row:
    """A candidate as `_read` gives it."""
    fields = candidate.model_dump(include=set(FIELDS))
    return {"_id": candidate.id, **fields}


def _states_of(rows: Sequence[Row]) -> dict[str, str]:
    return {row["_id"]: row["state"] for row in rows}


def _change(row: Row) -> Row:
    """What an entry sets in its part of the tally."""
    candidate_id = row["candidate_id"]
    change = {f"states.{candidate_id}": row["state"]}
    if State.parse(row["state"]).kind is Kind.GIVEN_UP:
        change[f"given_up.{candidate_id}"] = row.get("changed")
    return change


def _part(key: str) -> int:
    """Which of a round's documents holds the entry of a candidate."""
    return zlib.crc32(key.encode()) % PARTS


def _new_part(key: str, row: Row) -> Row:
    """A part that is not there yet, without the fields that `$set` writes."""
    place = {name: row[name] for name in PLACE}
    document = TallyDoc.model_validate({"id": key, **place}).to_mongo()
    for name in ("_id", "states", "given_up"):
        document.pop(name, None)
    return document
