"""Oxidation states guessed from formulas."""

import pytest
from pymatgen.core import Composition

from gen2dft.generators.substitution.oxidation import oxidation_states


def states(formula):
    amounts = Composition(formula)
    pairs = sorted((element.Z, int(amount)) for element, amount in amounts.items())
    return oxidation_states(*map(tuple, zip(*pairs, strict=True)))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [("ZnS", (-2, 2)), ("SrTiO3", (-2, 4, 2)), ("Bi2Te3", (-2, 3))],
)
def test_states_come_in_the_order_of_the_elements(formula, expected):
    assert states(formula) == expected


@pytest.mark.parametrize("formula", ["TmMgHg2", "NbFeSb", "Fe3O4"])
def test_intermetallics_and_mixed_valence_have_none(formula):
    assert states(formula) is None
