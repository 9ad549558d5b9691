"""Who stands where: the states of all candidates of a campaign, in a few small documents beside the
candidates.

How many candidates are open is asked whenever one of them has finished. The embedded database reads
each document that it counts, structure and all, so that 20,000 candidates would take it seconds;
the tally is read in a hundredth of that.

A candidate's own document holds; its entry here is written after it, and afterwards compared with
it once more, so that of several writers the last leaves what is true. Where a writer was killed in
between, the entry lags behind. It is never ahead: a round may close late for that, not early. The
same step run again mends it (every step is, that was killed), and so does `gen2dft advance`, which
compares all.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gen2dft.store.documents import TallyDoc
from gen2dft.store.states import Kind, State

if TYPE_CHECKING:
    from datetime import datetime

    from pymongo.database import Database

    from gen2dft.store.documents import CandidateDoc

PARTS = 64  # documents per round: each is written anew when one of its entries changes
# candidates in one query: the embedded database compares each with all of the ids that are asked
# for
AT_ONCE = 100
PLACE = ("campaign_id", "round_index")
FIELDS = dict.fromkeys((*PLACE, "candidate_id", "state", "changed"), 1)

Row = dict[str, Any]


class Tally:
    """The tallies of one database.

    Parameters
    ----------
    database
        That of the candidates.
    """

    def __init__(self, database: Database[Row]) -> None:
        self.database = database

    def states(self, campaign_id: str, round_index: int | None = None) -> dict[str, str]:
        """Candidate id to state, of one round or of all.

        A round that an older version began has no tally until `gen2dft advance` makes it; its
        candidates are read.
        """
        kept = self._kept(campaign_id, round_index)
        rounds = {round_index} if round_index is not None else self._rounds(campaign_id)
        for index in rounds - set(kept):
            found = self.database.candidates.find(
                {"campaign_id": campaign_id, "round_index": index}, FIELDS
            )
            kept[index] = {row["candidate_id"]: row["state"] for row in found}
        return {key: state for states in kept.values() for key, state in states.items()}

    def last_given_up(self, campaign_id: str, number: int) -> list[str]:
        """Ids of the candidates that were given up last, the newest first."""
        moments: dict[str, datetime | None] = {}
        for part in self.database.tallies.find(
            {"campaign_id": campaign_id}, {"states": 1, "given_up": 1}
        ):
            # Who was given up may have been queued again, or labelled after all.
            moments |= {
                key: at
                for key, at in part.get("given_up", {}).items()
                if State.parse(part["states"][key]).kind is Kind.GIVEN_UP
            }
        return sorted(
            moments, key=lambda key: (moments[key] is not None, moments[key], key), reverse=True
        )[:number]

    def begin(self, candidates: Sequence[CandidateDoc]) -> None:
        """Write down candidates that were just inserted, also in rounds without a tally: all of a
        round come here.
        """
        ordered = sorted(candidates, key=lambda candidate: _part(candidate.id))
        for start in range(0, len(ordered), AT_ONCE):
            rows = [
                {"_id": c.id, **c.model_dump(include=set(FIELDS))}
                for c in ordered[start : start + AT_ONCE]
            ]
            self._write(rows, begin=True)
            self._compare(rows, begin=True)

    def follow(self, keys: Iterable[str], *, begin: bool = False) -> None:
        """Write down where candidates stand.

        Parameters
        ----------
        keys
            `_id`s of candidates.
        begin
            Also in rounds that have no tally yet, as for `begin`.
        """
        ordered = sorted(keys, key=_part)
        for start in range(0, len(ordered), AT_ONCE):
            rows = self._read(ordered[start : start + AT_ONCE])
            self._write(rows, begin=begin)
            self._compare(rows, begin=begin)

    def recount(self, campaign_id: str) -> int:
        """Compare every entry with its candidate.

        How many were wrong or missing and are right now.
        """
        kept = self._kept(campaign_id)
        found = self.database.candidates.find({"campaign_id": campaign_id}, FIELDS)
        wrong = [
            row["_id"]
            for row in found
            if kept.get(row["round_index"], {}).get(row["candidate_id"]) != row["state"]
        ]
        self.follow(wrong, begin=True)
        return len(wrong)

    def _compare(self, rows: Sequence[Row], *, begin: bool) -> None:
        """Write those again that have moved since they were read."""
        written = {row["_id"]: row["state"] for row in rows}
        while changed := [
            row for row in self._read(list(written)) if row["state"] != written[row["_id"]]
        ]:
            self._write(changed, begin=begin)
            written |= {row["_id"]: row["state"] for row in changed}

    def _kept(self, campaign_id: str, round_index: int | None = None) -> dict[int, dict[str, str]]:
        """Round to candidate id to state, as it is written down."""
        place = {"campaign_id": campaign_id} | (
            {} if round_index is None else {"round_index": round_index}
        )
        kept: dict[int, dict[str, str]] = {}
        for part in self.database.tallies.find(place, {"round_index": 1, "states": 1}):
            kept.setdefault(part["round_index"], {}).update(part["states"])
        return kept

    def _rounds(self, campaign_id: str) -> set[int]:
        return {
            found["index"]
            for found in self.database.rounds.find({"campaign_id": campaign_id}, {"index": 1})
        }

    def _read(self, keys: Sequence[str]) -> list[Row]:
        return list(self.database.candidates.find({"_id": {"$in": keys}}, FIELDS))

    def _write(self, rows: Sequence[Row], *, begin: bool) -> None:
        from pymongo import UpdateOne

        changes: dict[str, Row] = {}
        begun: dict[str, Row] = {}
        for row in rows:
            key = f"{row['campaign_id']}:{row['round_index']}:{_part(row['_id'])}"
            change = changes.setdefault(key, {})
            change[f"states.{row['candidate_id']}"] = row["state"]
            if State.parse(row["state"]).kind is Kind.GIVEN_UP:
                change[f"given_up.{row['candidate_id']}"] = row.get("changed")
            begun[key] = TallyDoc.model_validate(
                {"id": key, **{name: row[name] for name in PLACE}}
            ).to_mongo()
        if not rows:
            return
        self.database.tallies.bulk_write(
            [
                UpdateOne(
                    {"_id": key}, {"$set": change, "$setOnInsert": _bare(begun[key])}, upsert=begin
                )
                for key, change in changes.items()
            ],
            ordered=False,
        )


def _part(key: str) -> int:
    """Which of a round's documents holds the entry of a candidate."""
    return zlib.crc32(key.encode()) % PARTS


def _bare(document: Row) -> Row:
    """A new tally without the parts that `$set` writes."""
    return {
        name: value for name, value in document.items() if name not in ("_id", "states", "given_up")
    }
