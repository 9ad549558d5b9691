"""One round of one campaign in a store: its documents, and its progress for those who watch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from gen2dft.campaign import CampaignSpec, stored_campaign
from gen2dft.dataset import Dataset
from gen2dft.store.documents import CampaignDoc, RoundDoc, SnapshotDoc, now
from gen2dft.store.store import Store


@dataclass(frozen=True)
class Round:
    """One round of one campaign, where steps read and write.

    Parameters
    ----------
    store
        Where everything is read and written.
    campaign_id, index
        Which round.
    """

    store: Store
    campaign_id: str
    index: int

    @cached_property
    def campaign(self) -> CampaignDoc:
        """The campaign's document."""
        return self.store.campaign(self.campaign_id)

    @cached_property
    def spec(self) -> CampaignSpec:
        """The campaign's resolved spec."""
        return stored_campaign(self.campaign, to_work=True)

    @property
    def document(self) -> RoundDoc:
        """The round's document as it stands now."""
        return self.store.round(self.campaign_id, self.index)

    @cached_property
    def base(self) -> Dataset:
        """The campaign's base training set."""
        data = self.store.get_blob(self.campaign.dataset_id)
        return Dataset.from_bytes(data, f"dataset of {self.campaign_id}")

    @cached_property
    def learnt(self) -> tuple[str, ...] | None:
        """Properties that this round's heads predict; None before its training has ended."""
        document = self.document
        if document.snapshot_id is None:
            return None
        if document.learnt is not None:
            return tuple(document.learnt)
        return tuple(self.store.get(SnapshotDoc, document.snapshot_id).properties)

    def update(self, **fields: object) -> None:
        """Set fields of the round's document."""
        self.store.update_round(self.campaign_id, self.index, **fields)

    def progress(self, stage: str, done: int, total: int, message: str = "") -> None:
        """Say how far a stage is, for those who watch."""
        before = self.document.progress
        since = before.get("since") if before.get("stage") == stage else None
        found = {"stage": stage, "done": done, "total": total, "message": message}
        self.update(progress={**found, "since": since or now()})

    def count(self) -> None:
        """One more unit of the current stage is done; safe when several workers count."""
        self.store.increment_round(self.campaign_id, self.index, "progress.done")

    @contextmanager
    def stage(self, name: str, total: int = 1) -> Iterator[None]:
        """Announce a stage and keep its wall seconds."""
        start = time.perf_counter()
        self.progress(name, 0, total)
        yield
        seconds = time.perf_counter() - start
        self.update(**{f"seconds.{name}": seconds})
        self.progress(name, total, total)
