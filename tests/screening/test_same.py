"""The same crystal in another cell is found; a distorted one is another crystal."""

from gen2dft.crystals import CrystalTable
from gen2dft.screening.same import repeats, same_crystal
from tests.toys import rock_salt


def test_other_cells_of_one_crystal_are_the_same():
    salt = rock_salt("Na", "Cl", 5.64)
    turned = salt.copy()
    turned.translate_sites([0, 1], [0.3, 0.1, 0.2])
    turned.apply_strain(0.0)
    assert same_crystal(salt, turned * (2, 1, 1))


def test_a_larger_cell_and_a_distorted_one_are_others():
    salt = rock_salt("Na", "Cl", 5.64)
    assert not same_crystal(salt, rock_salt("Na", "Cl", 5.9))
    strained = salt.copy()
    strained.apply_strain([0.0, 0.0, 0.04])
    assert not same_crystal(salt, strained)
    assert not same_crystal(salt, rock_salt("Na", "Br", 5.64))


def test_repeats_name_the_first_of_those_that_are_the_same():
    salts = [
        rock_salt("K", "Cl", 6.3),
        rock_salt("Na", "Cl", 5.64),
        rock_salt("Na", "Cl", 5.9),
        rock_salt("Na", "Cl", 5.64) * (1, 1, 2),
        rock_salt("Na", "Cl", 5.9),
        rock_salt("Na", "Cl", 5.64),
    ]
    assert repeats(CrystalTable.from_structures(salts)) == {3: 1, 4: 2, 5: 1}
    assert repeats(CrystalTable.from_structures([])) == {}
