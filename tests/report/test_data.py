"""The data of a report agrees with the documents it was read from."""

from __future__ import annotations

import numpy as np
import pytest
from example_campaign import CAMPAIGN_ID, HITS, candidate_id

from gen2dft.errors import StoreError
from gen2dft.report.data import ReportData, load_report_data
from gen2dft.store.store import Store


def test_every_candidate_is_a_point_with_the_stem_of_its_state(
    store: Store, data: ReportData
) -> None:
    counts = store.state_counts(CAMPAIGN_ID)
    assert len(data.points) == sum(counts.values()) == 60
    assert {p.state for p in data.points} == {"rejected", "labelled", "hit", "given_up"}


def test_hits_lie_in_the_rows_they_were_drawn_from(data: ReportData) -> None:
    row_of = {p.candidate_id: (p.round_index, p.latent_row) for p in data.points}
    assert {row_of[hit.candidate_id] for hit in data.hits} == set(HITS)


def test_surrogate_values_come_with_engine_and_time(store: Store, data: ReportData) -> None:
    document = store.candidate(CAMPAIGN_ID, candidate_id(0, 3)).verdict
    point = next(p for p in data.points if p.candidate_id == candidate_id(0, 3))
    assert (point.surrogate_hull, point.surrogate_engine) == (document.e_above_hull, "mlip")
    assert data.surrogate_seconds(0) == pytest.approx(
        sum(p.surrogate_seconds for p in data.points_of(0))
    )


def test_latent_arrays_keep_missing_labels_missing(data: ReportData) -> None:
    arrays = data.latents[0]
    assert arrays.latents.shape == (400, 16)
    assert set(arrays.train_values) == {"power_factor", "e_above_hull", "band_gap"}
    assert np.isnan(arrays.train_values["power_factor"]).any()


def test_core_hours_are_those_of_the_rounds_labels(data: ReportData) -> None:
    labels = [label for label in data.labels if label.round_index == 1]
    assert data.core_hours(1) == pytest.approx(len(labels) * 0.0042)


def test_unknown_campaign(store: Store) -> None:
    with pytest.raises(StoreError, match="no-such"):
        load_report_data(store, "no-such")


def test_blob_without_latent_points(store: Store) -> None:
    store.update_round(CAMPAIGN_ID, 0, latents_id=store.put_blob(b"not an archive", "latents"))
    with pytest.raises(StoreError, match="does not hold latent points"):
        load_report_data(store, CAMPAIGN_ID)
