"""Documents of the Materials Project: ids of two styles, doubled and incomplete ones."""

from __future__ import annotations

import math

import pytest

from gen2dft.datasets.mp_documents import (
    LeftOut,
    as_mapping,
    by_material,
    composition_of,
    finite,
    material_key,
)


@pytest.mark.parametrize(
    ("new", "old"), [("mp-ft", "mp-149"), ("mp-aaaaaaft", "mp-149"), ("mp-bru", "mp-1138")]
)
def test_both_styles_of_an_id_are_one_material(new: str, old: str) -> None:
    assert material_key(new) == material_key(old) == old


def test_the_styles_are_those_of_the_materials_project() -> None:
    from emmet.core.mpid import AlphaID

    for number in (0, 25, 26, 149, 1138, 3_347_529, 9_999_999):
        assert material_key(f"mp-{AlphaID(number)}") == f"mp-{number}"


@pytest.mark.parametrize("name", ["0001", "NaCl", "mp-1-2", "MP-149", "starter-Tl2O-1", ""])
def test_other_names_are_their_own_key(name: str) -> None:
    assert material_key(name) == name


def energy(row):
    return row.get("energy")


def test_documents_that_agree_are_one_and_others_are_neither() -> None:
    left_out = LeftOut()
    documents = [
        {"material_id": "mp-149", "energy": 1},
        {"material_id": "mp-ft", "energy": 1},
        {"material_id": "mp-2", "energy": 1},
        {"material_id": "mp-2", "energy": 2},
        {"energy": 3},
        None,
    ]
    assert list(by_material(documents, energy, left_out)) == ["mp-149"]
    assert left_out.counts() == {
        "no_material_id": 2,
        "documents_that_contradict_each_other": 1,
    }
    assert left_out.summary()["no_material_id"]["first"] == ["document 5", "document 6"]


def test_a_third_document_does_not_bring_a_contradicted_material_back() -> None:
    documents = [{"material_id": "mp-2", "energy": value} for value in (1, 2, 1)]
    assert by_material(documents, energy, LeftOut()) == {}


@pytest.mark.parametrize("value", [None, "1", True, math.nan, math.inf, [1]])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert finite(value) is None


@pytest.mark.parametrize("given", [None, {}, "NaCl", {"Na": None}, {"Na": -1}, {"Na": math.nan}])
def test_a_document_without_a_composition_has_none(given: object) -> None:
    assert composition_of({"composition": given}) is None
    assert composition_of({}) is None


def test_what_is_no_document_has_no_fields() -> None:
    assert as_mapping(None) == as_mapping("x") == as_mapping(5) == {}
