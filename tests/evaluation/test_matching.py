import numpy as np
import pytest

from gen2dft.evaluation.matching import displacement_rmsd, matched_rmsd
from tests.toys import rock_salt


def test_a_crystal_matches_itself_in_any_cell():
    salt = rock_salt("Na", "Cl", 5.6)
    assert matched_rmsd(
        salt, salt.copy().make_supercell([2, 1, 1], in_place=False)
    ) == pytest.approx(0.0, abs=1e-6)


def test_the_rmsd_of_a_match_is_in_angstrom():
    salt = rock_salt("Na", "Cl", 5.6)
    moved = salt.copy().translate_sites([1], [0.1, 0, 0], frac_coords=False)
    # 0.1 Angstrom between the sublattices; the best common origin shares it out equally.
    assert matched_rmsd(salt, moved) == pytest.approx(0.05, rel=0.02)


def test_other_formulas_and_structures_do_not_match():
    salt = rock_salt("Na", "Cl", 5.6)
    assert matched_rmsd(salt, rock_salt("Na", "Br", 5.6)) is None
    zincblende = salt.copy().translate_sites([1], [0.25, 0.25, 0.25])
    assert matched_rmsd(salt, zincblende) is None


def test_displacement_ignores_shift_strain_and_whole_cells():
    salt = rock_salt("Na", "Cl", 5.6)
    other = salt.copy().apply_strain(0.1, inplace=False)
    other.translate_sites([0, 1], [0.3, 0.2, 0.9])
    assert displacement_rmsd(salt, other) == pytest.approx(0.0, abs=1e-9)
    other.translate_sites([1], [0.2, 0, 0], frac_coords=False)
    assert displacement_rmsd(salt, other) == pytest.approx(0.1)


def test_displacement_refuses_other_atoms():
    with pytest.raises(ValueError, match=r"not the same atoms in the same order"):
        displacement_rmsd(rock_salt("Na", "Cl", 5.6), rock_salt("Na", "Br", 5.6))
    assert np.isfinite(displacement_rmsd(rock_salt("Na", "Cl", 5.6), rock_salt("Na", "Cl", 5.0)))
