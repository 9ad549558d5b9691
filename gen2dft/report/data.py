"""The data of a report: everything about one campaign, read once from the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import CampaignSpec, stored_campaign
from gen2dft.errors import StoreError
from gen2dft.ground.named_today import as_named_today
from gen2dft.ledger import Ledger, read_ledger
from gen2dft.query import sources_of_hits
from gen2dft.report.bands import transport_of
from gen2dft.report.by_source import SourceCount, by_source
from gen2dft.store.documents import PowerFactorDoc, RoundDoc, SnapshotDoc, StoredVerdict
from gen2dft.store.states import State
from gen2dft.stored_arrays import read_npz

if TYPE_CHECKING:
    from gen2dft.funnel import StageCount
    from gen2dft.store.documents import (
        CampaignDoc,
        HitDoc,
        HullDoc,
        LabelDoc,
    )
    from gen2dft.store.store import Store
    from gen2dft.transport.document import TransportDoc


@dataclass(frozen=True)
class CandidatePoint:
    """The part of a candidate that figures show.

    Parameters
    ----------
    state
        `sampled`, `rejected`, `queued`, `running`, `labelled`, `hit` or `given_up`, without the
        reason.
    predicted
        Property to the generator's prediction, property's unit.
    surrogate_hull
        Distance to the hull after the surrogate's relaxation, eV/atom; None if it never came there.
    surrogate_engine
        Name of that engine.
    surrogate_seconds
        Worker seconds of that relaxation.
    """

    candidate_id: str
    round_index: int
    latent_row: int | None
    state: str
    predicted: Mapping[str, float] = field(default_factory=dict)
    surrogate_hull: float | None = None
    surrogate_engine: str | None = None
    surrogate_seconds: float = 0.0
    selected_by: str | None = None
    arm: str = "learning"


@dataclass(frozen=True)
class LatentArrays:
    """Latent points of one round.

    Parameters
    ----------
    latents
        (m, d) sampled points.
    train_latents
        (k, d) training crystals, or a seeded sample of them.
    train_values
        Property to (k,) labels in the property's unit; NaN where not labelled.
    """

    latents: NDArray[np.float32]
    train_latents: NDArray[np.float32]
    train_values: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class ReportData:
    """One campaign with its rounds, candidates, labels and hits."""

    campaign: CampaignDoc
    spec: CampaignSpec
    rounds: list[RoundDoc]
    points: list[CandidatePoint]
    labels: list[LabelDoc]
    hits: list[HitDoc]
    latents: Mapping[int, LatentArrays]
    snapshots: list[SnapshotDoc]
    hull: HullDoc
    bands: list[PowerFactorDoc] = field(default_factory=list)
    ledger: Ledger = field(default_factory=lambda: Ledger({}, {}))
    transport: TransportDoc | None = None  # of the largest power factor
    # Where several generators serve the campaign: how far the candidates of each came, and the
    # sources of each hit by its id.
    sources: Mapping[str, SourceCount] = field(default_factory=dict)
    drawn_by: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def points_of(self, round_index: int) -> list[CandidatePoint]:
        """Candidates of one round."""
        return [p for p in self.points if p.round_index == round_index]

    def selected_by(self, way: str) -> list[CandidatePoint]:
        """Candidates that one way of choosing sent to validation."""
        return [p for p in self.points if p.selected_by == way]

    def stages(self, name: str) -> list[StageCount]:
        """Counts of one stage of the funnel, in all rounds that came to it."""
        every = (stage for document in self.rounds for stage in document.funnel)
        return [stage for stage in every if stage.stage == name]

    def core_hours(self, round_index: int) -> float:
        """Core-hours of a round's labels."""
        labels = (label for label in self.labels if label.round_index == round_index)
        return sum(label.core_hours for label in labels)

    def num_hits(self, round_index: int) -> int:
        """Hits of one round."""
        return sum(hit.round_index == round_index for hit in self.hits)

    def surrogate_seconds(self, round_index: int) -> float:
        """Worker seconds of the surrogate's relaxations in a round."""
        return sum(p.surrogate_seconds for p in self.points_of(round_index))


def load_report_data(store: Store, campaign_id: str) -> ReportData:
    """Read everything that the report of one campaign shows.

    Raises
    ------
    StoreError
        If there is no such campaign, or a blob of latent points is missing or damaged.
    """
    from gen2dft.store.documents import HullDoc

    campaign = store.campaign(campaign_id)
    spec = stored_campaign(as_named_today(store, campaign))
    rounds = store.rounds(campaign_id)
    points = list(_points(store, campaign_id))
    latents = _latents_of(store, rounds)
    snapshot_ids = [key for document in rounds for key in document.snapshots]
    known = store.find_many(SnapshotDoc, snapshot_ids)
    snapshots = [known[key] for key in snapshot_ids if key in known]
    bands = store.from_bands(campaign_id)
    ledger = read_ledger(store, campaign_id)
    transport = _transport_of(store, bands)
    return ReportData(
        campaign=campaign,
        spec=spec,
        rounds=rounds,
        points=points,
        labels=store.labels(campaign_id),
        hits=store.hits(campaign_id),
        latents=latents,
        snapshots=snapshots,
        hull=store.get(HullDoc, campaign.hull_id),
        bands=bands,
        ledger=ledger,
        transport=transport,
        sources=by_source(store, campaign) if spec.has_several_sources else {},
        drawn_by=sources_of_hits(store, campaign) if spec.has_several_sources else {},
    )


def _latents_of(store: Store, rounds: Iterable[RoundDoc]) -> dict[int, LatentArrays]:
    """Latent points by round; rounds that have not sampled yet are left out."""
    latents = {}
    for document in rounds:
        if not document.latents_id:
            continue
        try:
            latents[document.index] = load_latents(store, document.latents_id)
        except StoreError as err:
            store.reading.do_without(RoundDoc, document.id, err)
    return latents


def _transport_of(store: Store, bands: list[PowerFactorDoc]) -> TransportDoc | None:
    try:
        return transport_of(store, bands)
    except StoreError as err:
        store.reading.do_without(PowerFactorDoc, bands[0].id, err)
        return None


_POINT_FIELDS = (
    "candidate_id", "round_index", "latent_row", "state", "predicted", "selected_by", "arm",
    "surrogate.e_above_hull", "surrogate.engine", "surrogate.seconds",
)  # fmt: skip


def _points(store: Store, campaign_id: str) -> Iterator[CandidatePoint]:
    for found in store.candidate_fields(campaign_id, _POINT_FIELDS):
        verdict = StoredVerdict.of(found.get("surrogate"))
        yield CandidatePoint(
            candidate_id=found["candidate_id"],
            round_index=found["round_index"],
            latent_row=found["latent_row"],
            state=State.parse(found["state"]).kind.value,
            predicted=found.get("predicted") or {},
            surrogate_hull=verdict.e_above_hull,
            surrogate_engine=verdict.engine or None,
            surrogate_seconds=verdict.seconds or 0.0,
            selected_by=found.get("selected_by"),
            arm=found.get("arm", "learning"),
        )


def load_latents(store: Store, blob_id: str) -> LatentArrays:
    """Arrays of the blob that a round's `latents_id` names.

    StoreError if it is missing or damaged.
    """
    try:
        return _latent_arrays(store.get_blob(blob_id))
    except (ValueError, KeyError) as err:
        raise StoreError(
            f"blob {blob_id} does not hold latent points: {err}; restore it from a backup"
        ) from err


def _latent_arrays(data: bytes) -> LatentArrays:
    """Arrays of an `npz` file; labels of the training crystals are named `train_` + property."""
    values = {}
    arrays = read_npz(data)
    latents, train_latents = arrays["latents"], arrays["train_latents"]
    for name, array in arrays.items():
        if name.startswith("train_") and name != "train_latents":
            property_name = name.removeprefix("train_")
            values[property_name] = array.astype(np.float64)
    return LatentArrays(latents, train_latents, values)
