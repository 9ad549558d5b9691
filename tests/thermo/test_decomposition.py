"""Products of a decomposition, and the energy against them."""

from __future__ import annotations

import pytest

from gen2dft.errors import ThermoError
from gen2dft.thermo.decomposition import decomposition_energy, is_molecular, products_of
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.materials_project import whole_hull

HULL = ReferenceHull.build(
    [{"Li": 2, "O": 1}, {"Li": 2, "O": 2}, {"Li": 1, "Mg": 1}], [-2.0, -1.6, -0.1]
)


def test_energy_is_measured_against_the_products_by_their_shares_of_the_atoms():
    # Li3O2 (5 atoms) = Li2O (3 atoms) + LiO (2 atoms): 0.6 * -4.0 + 0.4 * -3.0 = -3.6
    assert decomposition_energy(-3.5, [(0.6, -4.0), (0.4, -3.0)]) == pytest.approx(0.1)
    shares = {p.composition: p.share for p in products_of(HULL, {"Li": 3, "O": 2})}
    assert shares == {
        (("Li", 2), ("O", 1)): pytest.approx(0.6),
        (("Li", 1), ("O", 1)): pytest.approx(0.4),
    }


def test_phases_of_the_same_formula_are_left_out():
    products = products_of(HULL, {"Li": 4, "O": 2})
    names = {product.composition for product in products}
    assert names == {(("Li", 1), ("O", 1)), (("Li", 1),)}
    assert (("Li", 2), ("O", 1)) in {entry.composition for entry in HULL.entries}


def test_an_element_is_its_own_product():
    (product,) = products_of(HULL, {"Li": 1})
    assert (product.composition, product.share) == ((("Li", 1),), pytest.approx(1.0))


def test_a_system_that_the_hull_does_not_cover_is_named():
    with pytest.raises(ThermoError, match="no phase of the reference holds Yb"):
        products_of(HULL, {"Yb": 1, "O": 1})


def test_only_elements_of_molecules_are_molecular():
    assert is_molecular((("O", 1),)) and is_molecular((("Cl", 1),))
    assert not is_molecular((("Li", 1),))
    assert not is_molecular((("Li", 2), ("O", 1)))


def test_the_whole_hull_names_what_magnesium_silicide_competes_with():
    products = products_of(whole_hull(), {"Mg": 2, "Si": 1})
    assert (("Mg", 2), ("Si", 1)) not in {product.composition for product in products}
    assert sum(product.share for product in products) == pytest.approx(1.0)
