"""What a hull says of a composition: products, known compounds, formulas, and what it rests on."""

from __future__ import annotations

import pytest
from pymatgen.core import Composition

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.ground.on_hull import is_in_dataset, on_hull
from gen2dft.thermo.formulas import formula_text
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.materials_project import whole_hull
from gen2dft.thermo.placing import hull_remarks
from tests import toys


def test_the_whole_hull_names_products_compounds_and_known_formulas() -> None:
    found = on_hull(whole_hull(), Composition("Li3AlP2"))
    assert (found.system, found.gap) == ("Al-Li-P", None)
    products = {formula_text(product.composition): product.share for product in found.products}
    assert products == {"Li3 P1": pytest.approx(2 / 3), "Al1 P1": pytest.approx(1 / 3)}
    assert found.compounds == whole_hull().compounds(["Li", "Al", "P"]) > 5
    assert not found.knows_formula
    assert on_hull(whole_hull(), Composition("Li3P")).knows_formula


def test_compounds_of_a_part_of_the_elements_count_and_elements_do_not() -> None:
    phases = ["LiO", "Li2O", "LiF", "LiOF", "NaF", "Li"]
    hull = ReferenceHull.build([Composition(phase) for phase in phases], [-1.0] * 5 + [0.0])
    assert hull.compounds(["O", "Li"]) == 2
    assert hull.compounds(["O", "Li", "F"]) == 4
    assert hull.compounds(["W"]) == 0


def test_a_gap_is_told_and_nothing_falls_apart() -> None:
    found = on_hull(whole_hull(), Composition("RaO"))
    assert found.products == ()
    assert found.gap is not None
    assert "holds Ra" in found.gap
    assert found.remarks == ()


@pytest.mark.parametrize(
    ("formula", "remarks"),
    [
        ("PbTe", ["hull_mixes_r2scan"]),
        ("NaCl", []),
        ("YbO", ["hull_of_older_phases"]),  # no row of 2025 holds Yb
    ],
)
def test_a_distance_says_what_the_hull_rests_on(formula: str, remarks: list[str]) -> None:
    assert hull_remarks(whole_hull(), Composition(formula)) == remarks


def test_a_hull_of_one_scale_needs_no_remark() -> None:
    hull = ReferenceHull.build([Composition("NaCl")], [-2.0])
    assert hull_remarks(hull, Composition("NaCl")) == []
    assert hull.unmixed_elements == frozenset()


def test_ytterbium_alone_has_no_newer_phase() -> None:
    assert whole_hull().unmixed_elements == {"Yb"}


def test_a_formula_of_the_training_set_is_known() -> None:
    crystals = CrystalTable.from_structures([toys.rock_salt("Na", "Cl", 5.6)])
    dataset = Dataset(crystals, ("a",), {})
    assert is_in_dataset(dataset, Composition("Na2Cl2"))
    assert not is_in_dataset(dataset, Composition("NaCl2"))
