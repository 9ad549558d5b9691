import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.heads.composition import composition_features
from gen2dft.heads.element_table import NAMES, element_table

NACL = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
MGF2 = Structure(Lattice.cubic(4), ["F", "Mg", "F"], [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0, 0.5]])
IRON = Structure(Lattice.cubic(4), ["Fe"], [[0, 0, 0]])
SIZE = len(NAMES)


def features(*structures: Structure) -> np.ndarray:
    return composition_features(CrystalTable.from_structures(structures), element_table())


def of(number: int, name: str) -> float:
    return float(element_table()[number, NAMES.index(name)])


def test_the_table_holds_the_elements_as_they_are():
    assert element_table().shape == (119, len(NAMES)) == (119, 20)
    assert np.isfinite(element_table()).all()
    assert of(8, "X") == pytest.approx(3.44)
    assert (of(26, "group"), of(26, "row"), of(26, "valence_electrons")) == (8, 4, 8)
    assert (of(26, "valence_s"), of(26, "valence_d"), of(26, "holes")) == (2, 6, 4)
    assert (of(17, "valence_p"), of(17, "holes"), of(60, "valence_f")) == (5, 1, 4)
    assert of(11, "highest_common_oxidation_state") == 1


def test_an_unknown_value_is_the_mean_of_the_others():
    assert of(118, "X") == pytest.approx(element_table()[1:104, NAMES.index("X")].mean(), rel=0.05)
    assert of(2, "X") == of(118, "X")  # helium has no electronegativity


def test_statistics_are_weighted_by_the_shares_of_the_elements():
    column = NAMES.index("Z")
    (row,) = features(MGF2)
    assert row[column::SIZE][:5] == pytest.approx([10.0, 4 / 3, 9.0, 12.0, 3.0])
    assert row[-1] == 2


def test_an_element_has_no_spread():
    (row,) = features(IRON)
    mean, spread, least, greatest, width = row[:-1].reshape(5, SIZE)
    assert np.array_equal(mean, element_table()[26])
    assert not spread.any() and not width.any()
    assert np.array_equal(least, greatest)


def test_order_company_and_size_of_the_cell_change_nothing():
    together = features(NACL, MGF2, IRON, MGF2 * (2, 1, 3), Structure.from_sites(list(MGF2)[::-1]))
    assert np.array_equal(together[1], features(MGF2)[0])
    assert np.array_equal(together[3], together[1])
    assert np.array_equal(together[4], together[1])


def test_no_crystals_and_no_atoms():
    assert features().shape == (0, 5 * SIZE + 1)
    empty = CrystalTable.from_arrays([np.eye(3)] * 2, [[11], []], [[[0, 0, 0]], []])
    with pytest.raises(ValueError, match="crystal 1 has no atoms"):
        composition_features(empty, element_table())
