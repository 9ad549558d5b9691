"""Rows of the tables in a report: training sets, errors of the heads, costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gen2dft.report.data import ReportData
from gen2dft.report.wording import Known, round_title, words

if TYPE_CHECKING:
    from gen2dft.store.documents import RoundDoc

# Figures of `generators.base.Reconstruction`; shares are shown as per cent.
RECONSTRUCTION = {
    "elements_right": "all elements right in {:.1f} %",
    "sites_right": "all sites' species right in {:.1f} %",
    "length_mape": "cell lengths off by {:.1f} %",
    "angle_mape": "angles off by {:.1f} %",
    "coordinate_mae": "fractional coordinates off by {:.3f}",
}
NO_LABELS = "no labels"
LEDGER = ("surrogate, all workers (s)", "core-hours of validation", "oracle calls", "hits")


def training_row(document: RoundDoc, known: Known) -> Iterator[tuple[str, bool]]:
    """Texts of one round, and whether each is a number."""
    training = document.training
    counts = training.get("num_labels", {}).items()
    labels = [f"{known[n].title} {count:,}" for n, count in counts]
    start = "the last snapshot" if training.get("warm") else "random weights"
    yield round_title(document.index), False
    yield f"{training.get('num_train', 0):,}", True
    yield f"{training.get('num_heldout', 0):,}", True
    yield start, False
    yield "; ".join(labels), False
    yield _reconstruction(training.get("reconstruction", {})), False


def _reconstruction(figures: Mapping[str, float | None]) -> str:
    """How well held-out crystals are reconstructed from their latent vectors, in words."""
    parts = []
    for name, text in RECONSTRUCTION.items():
        value = figures.get(name)
        if value is not None:
            is_share = name.endswith("_right")
            parts.append(text.format(100 * value if is_share else value))
    return "; ".join(parts) or "none held out"


def error_row(document: RoundDoc, names: Iterable[str]) -> list[str]:
    """Mean absolute error of each head on the round's held-out crystals."""
    heldout = document.training.get("heldout", {})
    errors = [_error_text(heldout.get(name)) for name in names]
    return [round_title(document.index), *errors]


def _error_text(pair: Mapping[str, Sequence[float]] | None) -> str:
    if pair is None:
        return NO_LABELS
    truth = np.asarray(pair["truth"], dtype=float)
    predicted = np.asarray(pair["predicted"], dtype=float)
    errors = np.abs(truth - predicted)
    known = errors[np.isfinite(errors)]
    if not len(known):
        return NO_LABELS
    return f"{known.mean():.3g} (n = {len(known):,})"


def ledger_columns(data: ReportData) -> list[str]:
    """Headers of the table of costs."""
    times = [f"{words(stage)} (s)" for stage in _stages(data)]
    return ["round", *times, *LEDGER]


def ledger_row(data: ReportData, document: RoundDoc) -> Iterator[str]:
    """Costs of a round, its oracle calls and hits."""
    index = document.index
    yield round_title(index)
    for stage in _stages(data):
        seconds = document.seconds.get(stage)
        yield "\u2013" if seconds is None else f"{seconds:,.1f}"
    yield f"{data.surrogate_seconds(index):,.1f}"
    yield f"{data.core_hours(index):.3g}"
    yield f"{document.dispatch_size:,}"
    yield f"{data.num_hits(index):,}"


def _stages(data: ReportData) -> list[str]:
    """Stages whose wall time is known, in the order in which rounds name them."""
    stages: dict[str, None] = {}
    for document in data.rounds:
        stages |= dict.fromkeys(document.seconds)
    return list(stages)
