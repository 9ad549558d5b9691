"""spglib answers for crystals it cannot read, however its switch of errors is set."""

import pytest
import spglib
from pymatgen.core import Lattice, Structure

from gen2dft.symmetry import UNDETERMINED, ask_spglib, idealised_primitive, space_group_symbol

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
