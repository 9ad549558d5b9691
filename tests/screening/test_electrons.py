from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.screening.electrons import electron_gate

FLAT = Lattice.cubic(4.2)


def pair(a: str, b: str) -> Structure:
    return Structure(FLAT, [a, b], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_an_odd_number_of_electrons_makes_a_metal():
    table = CrystalTable.from_structures([pair("Na", "Cl"), pair("Na", "O"), pair("Mg", "O")])
    assert electron_gate(table) == [None, "odd_electrons", None]


def test_moments_may_split_the_band():
    table = CrystalTable.from_structures([pair("Mn", "O"), pair("Ti", "O"), pair("V", "O")])
    assert electron_gate(table) == [None] * 3  # of V 23 and O 8 electrons
    assert electron_gate(table, ["Mn"]) == [None, None, "odd_electrons"]


def test_two_cells_in_one_pass_for_they_may_be_one():
    doubled = pair("Na", "O").make_supercell([2, 1, 1], in_place=False)
    assert electron_gate(CrystalTable.from_structures([doubled])) == [None]
