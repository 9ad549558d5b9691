"""Labels of a training: how many there are, and held-out ones against predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.base import Parity

Floats = NDArray[np.float64]


def parities(properties: Sequence[str], labels: Floats, predicted: Floats) -> dict[str, Parity]:
    """(n, p) labels against (n, p) predictions by property, where there is a label."""
    pairs = {}
    for name, truth, prediction in zip(properties, labels.T, predicted.T, strict=True):
        is_known = np.isfinite(truth)
        known, found = truth[is_known], prediction[is_known]
        pairs[name] = Parity(known.tolist(), found.tolist())
    return pairs


def label_counts(properties: Sequence[str], labels: Floats) -> dict[str, int]:
    """Property to number of labels, of (n, p) labels that are NaN where missing."""
    counts = np.isfinite(labels).sum(axis=0)
    return dict(zip(properties, counts.tolist(), strict=True))
