"""spglib answers for crystals it cannot read, however its switch of errors is set."""

import numpy as np
import pytest
import spglib
from pymatgen.core import Lattice, Structure

from gen2dft.symmetry import (
    EXACT,
    UNDETERMINED,
    ask_spglib,
    idealised_primitive,
    prototype,
    space_group,
    space_group_symbol,
    standard_cell,
    with_exact_symmetry,
)

TWICE = ([[3, 0, 0], [0, 3, 0], [0, 0, 3]], [[0, 0, 0], [0, 0, 0]], [84, 84])


@pytest.mark.parametrize("switch", ["true", "false"])
def test_two_atoms_on_one_place_are_no_accident(monkeypatch: pytest.MonkeyPatch, switch: str):
    monkeypatch.setenv("SPGLIB_OLD_ERROR_HANDLING", switch)
    assert ask_spglib(spglib.get_symmetry_dataset, TWICE, symprec=1e-3) is None
    assert ask_spglib(spglib.standardize_cell, TWICE, symprec=1e-3) is None
    crystal = Structure(TWICE[0], TWICE[2], TWICE[1])
    assert space_group_symbol(crystal) == UNDETERMINED


def test_rock_salt_has_its_symbol():
    crystal = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    assert space_group_symbol(crystal) == "Fm-3m"


def test_hidden_symmetry_comes_back():
    crystal = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    crystal.perturb(0.01)
    crystal.apply_strain([0.001, 0.0, -0.001])
    assert space_group_symbol(crystal, 1e-4) == "P1"
    cell = idealised_primitive(crystal, 0.05)
    assert len(cell) == 2
    assert space_group_symbol(cell, 1e-4) == "Fm-3m"
    assert cell.volume == pytest.approx(5.64**3 / 4, rel=1e-3)


def test_what_spglib_cannot_read_stays_as_it_is():
    crystal = Structure(TWICE[0], TWICE[2], TWICE[1])
    assert idealised_primitive(crystal, 0.05) == crystal.get_primitive_structure(tolerance=0.05)


def test_spglib_prints_nothing(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """ScNiSb decoded by a generator: within 0.05 Angstrom it has symmetry that spglib fails to make
    exact at first.
    """
    monkeypatch.delenv("SPGLIB_WARNING", raising=False)
    cell = [[7.036, 0.0, -0.002], [-3.563, 6.145, 0.002], [0.0, 0.0, 3.786]]
    scandium = [[0.003, 0.996, 1.0], [0.234, 0.614, 1.0], [0.622, 0.239, 1.0]]
    nickel = [[0.286, 0.955, 0.5], [0.616, 0.618, 0.001], [0.949, 0.287, 0.5]]
    antimony = [[0.328, 0.329, 0.499], [0.618, 0.907, 0.5], [0.906, 0.619, 0.5]]
    crystal = Structure(cell, ["Sc"] * 3 + ["Ni"] * 3 + ["Sb"] * 3, [*scandium, *nickel, *antimony])
    assert len(idealised_primitive(crystal, 0.05)) == 9
    assert capfd.readouterr().err == ""


WURTZITE = Structure.from_spacegroup(
    "P6_3mc", Lattice.hexagonal(3.25, 5.2), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.38]]
)
ROCK_SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)


def shaken(crystal: Structure, size: float) -> Structure:
    """Sites and lattice vectors off by up to `size` Angstrom along each axis, in a turned cell."""
    rng = np.random.default_rng(3)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    lattice = (crystal.lattice.matrix + rng.uniform(-size, size, (3, 3))) @ turn
    moved = Structure(lattice, crystal.species, crystal.frac_coords)
    places = moved.cart_coords + rng.uniform(-size, size, (len(crystal), 3))
    moments = [float(index) for index in range(len(crystal))]
    return Structure(
        lattice,
        crystal.species,
        places,
        coords_are_cartesian=True,
        site_properties={"magmom": moments},
    )


@pytest.mark.parametrize("crystal", [WURTZITE, ROCK_SALT, ROCK_SALT.get_primitive_structure()])
def test_symmetry_becomes_exact_in_its_cell(crystal: Structure):
    rough = shaken(crystal, 0.001)
    assert space_group_symbol(rough, EXACT) == "P1"
    better = with_exact_symmetry(rough)
    assert space_group_symbol(better, EXACT) == space_group_symbol(crystal, EXACT)
    # Nothing has turned, changed its place in the list or lost its moment.
    assert np.allclose(better.lattice.matrix, rough.lattice.matrix, atol=0.005)
    moved = better.frac_coords - rough.frac_coords
    assert np.abs(moved @ rough.lattice.matrix).max() < 0.005
    assert better.species == rough.species
    assert better.site_properties == rough.site_properties


def test_what_has_no_more_symmetry_to_gain_is_left_alone():
    rough = shaken(WURTZITE, 0.1)
    assert with_exact_symmetry(rough) is rough
    assert with_exact_symmetry(WURTZITE) is WURTZITE
    unreadable = Structure(TWICE[0], TWICE[2], TWICE[1])
    assert with_exact_symmetry(unreadable) is unreadable


def test_operations_per_atom_are_those_of_the_crystal_not_of_its_cell():
    cells = (ROCK_SALT, ROCK_SALT.get_primitive_structure(), ROCK_SALT * (2, 2, 2))
    assert {space_group(cell).operations_per_atom for cell in cells} == {24.0}
    assert {space_group(cell).primitive_atoms for cell in cells} == {2}
    assert space_group(ROCK_SALT * (2, 1, 1)).operations_per_atom == 8.0  # no longer a cube
    assert space_group(WURTZITE).operations_per_atom == 3.0


def test_the_standard_cell_keeps_every_atom():
    assert len(standard_cell(ROCK_SALT * (1, 2, 1), 0.01)) == 2
    assert len(standard_cell(ROCK_SALT.get_primitive_structure(), 0.01, primitive=False)) == 8
    # Within 0.3 Angstrom these two would be one.
    close = Structure(Lattice.cubic(4.0), ["H", "H"], [[0, 0, 0], [0.05, 0, 0]])
    assert standard_cell(close, 0.3) is None


def test_a_cell_that_lost_an_atom_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Whatever spglib makes of it: one atom of a pair, in the same cell."""
    crystal = Structure(Lattice.cubic(4.0), ["H", "H"], [[0, 0, 0], [0.5, 0.5, 0.4]])
    lost = (crystal.lattice.matrix, [[0, 0, 0]], [1])
    monkeypatch.setattr(spglib, "standardize_cell", lambda *_, **__: lost)
    assert standard_cell(crystal, 0.1) is None


def test_a_prototype_is_the_same_whatever_elements_origin_and_cell():
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0] * 3, [0.5] * 3]
    )
    magnesia = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0.5] * 3, [0] * 3]
    )
    moved = magnesia.get_primitive_structure()
    moved.translate_sites([0, 1], [0.1, 0.2, 0.3])
    assert prototype(salt) == prototype(magnesia) == prototype(moved) == "AB_cF8_225_a_b"


def test_a_crystal_without_symmetry_is_p1_and_a_broken_one_has_no_prototype():
    shapeless = Structure(
        Lattice.from_parameters(4, 5, 6, 77, 83, 98), ["Na", "Cl"], [[0, 0, 0], [0.4, 0.3, 0.2]]
    )
    shapeless.append("O", [0.7, 0.11, 0.52])
    assert prototype(shapeless) == "ABC_aP3_1_a_a_a"
    two_on_one = Structure(Lattice.cubic(4), ["Na", "Na"], [[0] * 3, [0] * 3])
    assert prototype(two_on_one) is None


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_never_reach_spglib_whose_c_code_would_crash(number: float):
    lattice, positions, numbers = [[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]], [[0.0] * 3], [11]
    bent = ([[number, 0, 0], *lattice[1:]], positions, numbers)
    lost = (lattice, [[0.0, number, 0.0]], numbers)
    for cell in (bent, lost):
        assert ask_spglib(spglib.get_symmetry_dataset, cell, symprec=1e-3) is None
        crystal = Structure(cell[0], ["Na"], cell[1])
        assert space_group_symbol(crystal) == UNDETERMINED
