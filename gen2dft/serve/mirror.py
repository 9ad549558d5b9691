"""A store for readers: the light parts of candidates and labels, kept in memory and updated with
what changed.

The embedded database reads some 3,000 documents a second: reading 20,000 candidates for every page
would keep readers waiting and block workers that write. Questions on all candidates of a campaign
are answered from memory; single crystals, hits, rounds and the tally are read from the database
each time.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from gen2dft.store.documents import now
from gen2dft.store.schema import COLLECTIONS
from gen2dft.store.store import Store

if TYPE_CHECKING:
    from pymongo.database import Database

FRESH = 2.0  # seconds after which changes are read
PATIENCE = 0.15  # seconds that a page waits for the answer before it shows what was known
OVERLAP = timedelta(seconds=30)  # clocks of workers may differ by this
# Seconds after which everything is read again: an import, or a clock that is far off.
ALL_AGAIN = 1800.0
CANDIDATE_FIELDS = (
    "candidate_id",
    "round_index",
    "latent_row",
    "state",
    "formula",
    "sampler",
    "origin",
    "predicted",
    "selected_by",
    "failure",
    "surrogate.e_above_hull",
    "surrogate.formation_energy",
    "surrogate.engine",
    "surrogate.seconds",
    "surrogate.stability",
)
LABEL_FIELDS = (
    "candidate_id",
    "round_index",
    "engine",
    "is_dft",
    "values",
    "core_hours",
    "by_hand",
)
BLOBS = 8  # latent points and hulls of that many rounds are kept

Row = dict[str, Any]
Read = Callable[[datetime | None], list[Row]]


class MirrorStore(Store):
    """A store that answers questions on a whole campaign from memory; it is never written to."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        super().__init__(database)
        self.only_show()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="mirror")
        self._mirrors: dict[tuple[str, str], Mirror] = {}
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start reading all campaigns, the newest first, so that the first reader need not wait."""
        for campaign in self.campaigns():
            self._candidates(campaign.id).refresh()
            self._labels(campaign.id).refresh()

    def candidate_fields(
        self,
        campaign_id: str,
        fields: Sequence[str],
        *,
        skip: int = 0,
        limit: int = 0,
        **query: Any,
    ) -> list[Row]:
        """Fields of a campaign's candidates in the order of their ids.

        More than those asked for may be among them.
        """
        is_mirrored = {*fields, *query} <= {"surrogate", *CANDIDATE_FIELDS}
        if not is_mirrored or not all(map(_is_plain, query.values())):
            return super().candidate_fields(campaign_id, fields, skip=skip, limit=limit, **query)
        mirror = self._candidates(campaign_id)
        rows = [row for row in mirror.rows() if _fits(row, query)]
        end = skip + limit if limit else None
        return rows[skip:end]

    def label_fields(self, campaign_id: str, fields: Sequence[str], **query: Any) -> list[Row]:
        """Fields of a campaign's labels in the order of their ids.

        More than those asked for may be among them.
        """
        if query or not set(fields) <= set(LABEL_FIELDS):
            return super().label_fields(campaign_id, fields, **query)
        return list(self._labels(campaign_id).rows())

    def get_blob(self, blob_id: str) -> bytes:
        """Bytes of a blob; they never change under their id, so the last ones are kept."""
        with self._lock:
            if (kept := self._blobs.get(blob_id)) is not None:
                self._blobs.move_to_end(blob_id)
                return kept
        data = super().get_blob(blob_id)
        with self._lock:
            self._blobs[blob_id] = data
            while len(self._blobs) > BLOBS:
                self._blobs.popitem(last=False)
        return data

    def _candidates(self, campaign_id: str) -> Mirror:
        return self._mirror("candidates", "changed", CANDIDATE_FIELDS, campaign_id)

    def _labels(self, campaign_id: str) -> Mirror:
        return self._mirror("labels", "created", LABEL_FIELDS, campaign_id)

    def _mirror(
        self, collection: str, moment: str, fields: Sequence[str], campaign_id: str
    ) -> Mirror:
        with self._lock:
            key = (collection, campaign_id)
            if key not in self._mirrors:
                read = partial(self._read, collection, moment, fields, campaign_id)
                self._mirrors[key] = Mirror(read, self._pool)
            return self._mirrors[key]

    def _read(
        self,
        collection: str,
        moment: str,
        fields: Sequence[str],
        campaign_id: str,
        since: datetime | None,
    ) -> list[Row]:
        """Documents that changed at `since` or later; all if it is None."""
        query: dict[str, Any] = {"campaign_id": campaign_id}
        if since is not None:
            query[moment] = {"$gte": since}
        found = self.database[collection].find(query, dict.fromkeys(fields, 1))
        return list(self.reading.rows(COLLECTIONS[collection], fields, found))


class Mirror:
    """Documents of one kind and campaign, in the order of their ids.

    Parameters
    ----------
    read
        Gives the documents that changed since a moment, or all.
    """

    def __init__(
        self, read: Read, pool: ThreadPoolExecutor, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._pool = pool
        self._clock = clock
        self._by_id: dict[str, Row] = {}
        self._rows: tuple[Row, ...] | None = None
        self._asked: datetime | None = None
        self._fresh_at = 0.0
        self._whole_at = 0.0
        self._reading: Future[None] | None = None
        self._lock = threading.Lock()

    def rows(self) -> tuple[Row, ...]:
        """All documents; the last known ones if the database takes longer than `PATIENCE`.

        Raises
        ------
        PyMongoError
            The database does not answer.
        """
        if (reading := self.refresh()) is not None:
            known = self._rows is not None
            done, _ = wait([reading], PATIENCE if known else None)
            for ended in done:
                ended.result()
        return self._rows or ()

    def refresh(self) -> Future[None] | None:
        """Start reading what changed unless the documents are fresh.

        Returns the reading in progress; None if they are fresh.
        """
        with self._lock:
            if self._reading is not None and not self._reading.done():
                return self._reading
            if self._rows is not None and self._clock() - self._fresh_at < FRESH:
                return None
            self._reading = self._pool.submit(self._bring_up_to_date)
            return self._reading

    def _bring_up_to_date(self) -> None:
        # The moment is taken before the reading: what changes meanwhile is read next time.
        moment = now()
        begun = self._clock()
        since = None if self._asked is None else self._asked - OVERLAP
        if begun - self._whole_at > ALL_AGAIN:
            since = None
        found = self._read(since)
        if since is None:
            self._by_id = {}
            self._whole_at = begun
        if found or self._rows is None:
            self._by_id |= {row["_id"]: row for row in found}
            self._rows = tuple(self._by_id[key] for key in sorted(self._by_id))
        self._asked = moment
        self._fresh_at = self._clock()


def _is_plain(wanted: Any) -> bool:
    """Whether a condition is a value, or one of the operators that `_fits` knows."""
    return not isinstance(wanted, Mapping) or set(wanted) <= {"$in", "$ne"}


def _fits(row: Row, query: Mapping[str, Any]) -> bool:
    return all(_meets(row.get(name), wanted) for name, wanted in query.items())


def _meets(value: Any, wanted: Any) -> bool:
    """Whether a value meets a condition for which `_is_plain` holds."""
    if not isinstance(wanted, Mapping):
        return bool(value == wanted)
    if "$in" in wanted and value not in wanted["$in"]:
        return False
    return "$ne" not in wanted or bool(value != wanted["$ne"])
