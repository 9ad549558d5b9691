"""Remarks on what is not used, from the provenance; one that others wrote breaks nothing."""

from __future__ import annotations

from typing import Any

import pytest

from gen2dft.datasets.remarks import notes, remarks, warning_texts

PROVENANCE = {
    "skipped": {"a": "unreadable: empty", "b": "no_id: x", "c": "y", "d": "z"},
    "labels_without_crystal": {"count": 1, "first": ["998"], "near": {"998": "0998"}},
    "not_read": {"count": 5, "first": ["POSCAR", "x", "y"]},
    "unlabelled": {"band_gap": {"count": 2, "first": ["a", "b"]}},
    "columns_not_read": {"count": 1, "first": ["gapp"]},
    "left_out": {
        "no_GGA_GGA+U_energy": {"count": 9, "first": ["mp-1"]},
        "no_structure_that_can_be_read": {"count": 1, "first": ["mp-2"]},
    },
    "computed_labels": {"without_crystal": {"count": 1, "first": ["mp-3"]}},
}


def test_what_was_given_and_is_not_used_is_warned_of() -> None:
    assert warning_texts(PROVENANCE) == [
        "4 crystals left out: a: unreadable: empty; b: no_id: x; c: y",
        "1 rows have no .cif file: 998; near misses: 998 beside 0998",
        "5 files are not read: POSCAR, x, y, ...",
        "1 left out, no structure that can be read: mp-2",
        "1 computed labels have no crystal: mp-3",
    ]


def test_what_need_not_be_wrong_is_noted() -> None:
    assert notes(PROVENANCE) == [
        "9 left out, no GGA GGA+U energy: mp-1, ...",
        "2 crystals without band_gap: a, b",
        "1 columns are not read: gapp",
    ]


@pytest.mark.parametrize("junk", [5, "x", [1], {"a": 1}, {"count": "x", "first": 5}, None])
def test_a_strange_provenance_has_no_remarks_of_it(junk: Any) -> None:
    keys = [key for key in PROVENANCE if key != "skipped"]
    assert remarks(dict.fromkeys(keys, junk)) == []
    assert isinstance(remarks({"skipped": junk}), list)
