from __future__ import annotations

import numpy as np

from gen2dft.generators.base import Parity
from gen2dft.generators.parity import label_counts, parities

PROPERTIES = ("formation_energy", "band_gap")
LABELS = np.array([[-1.0, np.nan], [-2.0, 0.5], [np.nan, np.nan]])


def test_only_labelled_crystals_are_compared():
    predicted = np.array([[-1.5, 1.0], [-2.5, 0.25], [-3.0, 2.0]])
    assert parities(PROPERTIES, LABELS, predicted) == {
        "formation_energy": Parity([-1.0, -2.0], [-1.5, -2.5]),
        "band_gap": Parity([0.5], [0.25]),
    }


def test_labels_are_counted_by_property():
    assert label_counts(PROPERTIES, LABELS) == {"formation_energy": 2, "band_gap": 1}
    assert label_counts(PROPERTIES, LABELS[:0]) == {"formation_energy": 0, "band_gap": 0}
