import pytest
from pymatgen.core import Composition, Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.screening.charge import charge_gate, is_charge_balanced, is_semiconducting_formula


def arguments(formula: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    amounts = Composition(formula).items()
    return tuple(element.Z for element, _ in amounts), tuple(int(amount) for _, amount in amounts)


def balanced(formula: str) -> bool:
    return is_charge_balanced(*arguments(formula))


@pytest.mark.parametrize(
    "formula",
    [
        "NaCl",
        "TiO2",
        "Ti2O3",
        "VO2",
        "SrTiO3",
        "Fe3O4",
        "LiFePO4",
        "CaCO3",
        "PbTe",
        "Bi2Te3",
        "Mg2Si",
        "AlN",
    ],
)
def test_ionic_compounds_pass(formula: str):
    assert balanced(formula)


@pytest.mark.parametrize("formula", ["TiNiSn", "NbFeSb", "TiSi2", "MgB2", "Cu3Au", "Fe", "S"])
def test_intermetallics_and_elements_pass(formula: str):
    assert balanced(formula)


@pytest.mark.parametrize(
    "formula", ["NaCl2", "Na2Cl", "SrTiO5", "KO4", "CaF3", "LiAlO", "XeNe", "HeO", "OF3"]
)
def test_impossible_compounds_fail(formula: str):
    assert not balanced(formula)


def test_cations_are_less_electronegative_than_anions():
    # I5+ and Cl- would do, but not Cl5+ and I-; a metal beside a non-metal is the cation whatever
    # Pauling's values.
    assert balanced("ICl5")
    assert not balanced("ClI5")
    assert balanced("WC")


def test_the_gate_reduces_formulas():
    rock_salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    fluorite = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.5), ["Na", "Cl"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    )
    table = CrystalTable.from_structures([rock_salt, fluorite, rock_salt.get_primitive_structure()])
    assert charge_gate(table) == [None, "not_charge_balanced", None]


@pytest.mark.parametrize("formula", ["PbTe", "Bi2Te3", "Mg2Si", "TiNiSn", "LiGeAs", "SrTiO3"])
def test_semiconductors_pass_the_strict_gate(formula: str):
    assert is_semiconducting_formula(*arguments(formula))


@pytest.mark.parametrize("formula", ["MnB", "CoB2", "TiSi2", "Cu3Au", "MnAs2", "Fe3O4", "NaCl2"])
def test_metals_and_mixed_valence_fail_the_strict_gate(formula: str):
    assert not is_semiconducting_formula(*arguments(formula))


def test_the_strict_gate_refuses_more():
    def cubic(*symbols: str) -> Structure:
        return Structure(Lattice.cubic(4.0), symbols, [[0.5 * i] * 3 for i in range(len(symbols))])

    table = CrystalTable.from_structures([cubic("Pb", "Te"), cubic("Co", "B")])
    assert charge_gate(table) == [None, None]
    assert charge_gate(table, strict=True) == [None, "not_charge_balanced"]
