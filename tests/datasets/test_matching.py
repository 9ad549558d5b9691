"""Labels to crystals: by text, and near misses are named."""

from __future__ import annotations

import pytest

from gen2dft.datasets.matching import match, near_misses


def test_ids_match_by_text_alone() -> None:
    found = match(["0001", "1", "a.cif", "x"], ["1", "0001", "a", "b"], {"a.cif": "a"})
    assert found.row_of == {"0001": 0, "1": 1, "a": 2}
    assert found.without_crystal == ("x",)
    assert found.summary() == {"count": 1, "first": ["x"], "near": {}}


def test_two_rows_of_one_crystal_are_reported() -> None:
    assert match(["a", "a.cif"], ["a"], {"a.cif": "a"}).doubled == ("a",)


@pytest.mark.parametrize(
    ("label", "crystal"),
    [
        ("998", "0998"),
        ("998.0", "998"),
        ("mp-1", "1"),
        ("1", "mp-1"),
        ("NACL", "NaCl"),
        ("NaCl.CIF", "NaCl"),
        ("NaCl.cif.gz", "NaCl"),
        ("mp_1", "mp-1"),
        ("a-7", "a-007"),
    ],
)
def test_near_misses_are_named_and_not_matched(label: str, crystal: str) -> None:
    found = match([label], [crystal, "other"], {})
    assert found.near == {label: crystal}
    assert not found.row_of
    assert f"{label} beside {crystal}: ids are compared as text" in found.near_text()


@pytest.mark.parametrize(
    ("label", "crystal"), [("1", "2"), ("10", "1"), ("100", "1"), ("1.05", "1.5")]
)
def test_other_ids_are_no_near_miss(label: str, crystal: str) -> None:
    assert near_misses([label], [crystal]) == {}
