import pytest
from pymatgen.core import Composition, Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.screening.charge import charge_gate, is_charge_balanced


def balanced(formula: str) -> bool:
    counts = Composition(formula).get_el_amt_dict()
    numbers = {element.symbol: element.Z for element in Composition(formula)}
    return is_charge_balanced(tuple(numbers[s] for s in counts), tuple(int(n) for n in counts.values()))


@pytest.mark.parametrize(
    "formula", ["NaCl", "TiO2", "Ti2O3", "VO2", "SrTiO3", "Fe3O4", "LiFePO4", "CaCO3", "PbTe", "Bi2Te3", "Mg2Si", "AlN"]
)
def test_ionic_compounds_pass(formula: str):
    assert balanced(formula)


@pytest.mark.parametrize("formula", ["TiNiSn", "NbFeSb", "TiSi2", "MgB2", "Cu3Au", "Fe", "S"])
def test_intermetallics_and_elements_pass(formula: str):
    assert balanced(formula)


@pytest.mark.parametrize("formula", ["NaCl2", "Na2Cl", "SrTiO5", "KO4", "CaF3", "LiAlO", "XeNe", "HeO", "OF3"])
def test_impossible_compounds_fail(formula: str):
    assert not balanced(formula)


def test_cations_are_less_electronegative_than_anions():
    # I5+ and Cl- would do, but not Cl5+ and I-; a metal beside a non-metal is the cation whatever Pauling's values.
    assert balanced("ICl5")
    assert not balanced("ClI5")
    assert balanced("WC")


def test_the_gate_reduces_formulas():
    rock_salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    fluorite = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.5), ["Na", "Cl"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    table = CrystalTable.from_structures([rock_salt, fluorite, rock_salt.get_primitive_structure()])
    assert charge_gate(table) == [None, "not_charge_balanced", None]
