import pytest

from gen2dft.chemistry import (
    EXCLUDED_ELEMENTS,
    anion,
    has_closed_shell,
    is_charge_balanced,
    is_plausible,
)

BALANCED = [
    {"Na": 1, "Cl": 1},
    {"Sr": 1, "Ti": 1, "O": 3},
    {"Cu": 1, "Ga": 1, "Te": 2},
    {"Bi": 2, "Te": 3},
    {"Mg": 2, "Si": 1},
]
UNBALANCED = [
    {"Na": 1, "Cl": 2},
    {"Fe": 1, "Al": 1},
    {"Sr": 1, "Ti": 1, "O": 4},
    {"Cu": 3, "Au": 1},
]


@pytest.mark.parametrize("counts", BALANCED)
def test_ionic_and_zintl_formulas_balance(counts):
    assert is_charge_balanced(counts)
    assert is_charge_balanced(dict(reversed(counts.items())))


@pytest.mark.parametrize("counts", UNBALANCED)
def test_intermetallics_and_wrong_stoichiometries_do_not(counts):
    assert not is_charge_balanced(counts)


def test_the_more_electronegative_element_is_never_the_cation():
    assert is_charge_balanced({"Si": 1, "C": 1})
    assert not is_charge_balanced({"O": 1, "F": 2}) or anion({"O": 1, "F": 2}) == "F"


@pytest.mark.parametrize(
    ("counts", "closed"),
    [
        ({"Ti": 1, "Ni": 1, "Sn": 1}, True),  # half-Heusler, 18
        ({"Zr": 1, "Co": 1, "Sb": 1}, True),
        ({"Fe": 2, "V": 1, "Al": 1}, True),  # Heusler, 24
        ({"Ti": 1, "Fe": 1, "Sn": 1}, False),  # 16
    ],
)
def test_heusler_compounds_by_valence_electrons(counts, closed):
    assert has_closed_shell(counts) is closed


def test_molecules_are_not_plausible_crystals():
    assert is_charge_balanced({"P": 2, "S": 5})
    assert not is_plausible({"P": 2, "S": 5})
    assert is_plausible({"Ti": 1, "Ni": 1, "Sn": 1})


def test_excluded_elements():
    assert {"He", "H", "Tc", "U", "Gd"} <= EXCLUDED_ELEMENTS
    assert EXCLUDED_ELEMENTS.isdisjoint({"La", "Bi", "O", "Y"})
