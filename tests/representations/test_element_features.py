from __future__ import annotations

import numpy as np
import pytest

from gen2dft.representations.element_features import (
    NUM_FEATURES,
    WIDTHS,
    electronegativity_order,
    element_features,
)

STARTS = dict(zip(WIDTHS, np.cumsum([0, *WIDTHS.values()]), strict=False))


def category(number: int, name: str) -> int | None:
    vector = element_features((number,))[0]
    part = vector[STARTS[name] : STARTS[name] + WIDTHS[name]]
    return int(part.argmax()) if part.any() else None


def test_ninety_two_features_for_every_element_without_nan():
    table = element_features(tuple(range(1, 119)))
    assert table.shape == (118, NUM_FEATURES) == (118, 92)
    assert set(np.unique(table)) == {0.0, 1.0}
    assert table.sum(axis=1).max() == len(WIDTHS)
    assert table[:96].sum(axis=1).min() >= 6


@pytest.mark.parametrize(
    ("number", "name", "expected"),
    [
        (26, "group", 8),
        (26, "period", 3),
        (26, "valence_electrons", 7),
        (26, "electronegativity", 3),  # 1.83 in steps of 0.35 from 0.5
        (26, "covalent_radius", 4),  # 132 pm in steps of 22.5 from 25
        (26, "log_ionization_energy", 3),  # ln 7.90 = 2.07 in steps of 0.2 from 1.3
        (26, "block", 2),
        (8, "valence_electrons", 5),
        (57, "group", 0),
        (2, "block", 0),
        (92, "block", 3),
    ],
)
def test_categories(number: int, name: str, expected: int):
    assert category(number, name) == expected


def test_unknown_values_leave_their_bins_empty():
    assert category(10, "electronegativity") is None
    assert category(103, "log_molar_volume") is None


def test_the_table_cannot_be_changed_by_a_caller():
    with pytest.raises(ValueError, match=r"read-only"):
        element_features((1, 2))[0, 0] = 1


def test_order_by_electronegativity():
    assert electronegativity_order([8, 9, 55, 26, 10, 2]) == [55, 26, 8, 9, 2, 10]
