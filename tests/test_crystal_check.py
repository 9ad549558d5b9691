"""The check of a crystal where it enters: real ones pass, what is none is named."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import DummySpecies, Lattice, Structure

from gen2dft.crystal_check import (
    count_reasons,
    crystal_problems,
    only_sound,
    refuse_if_most_failed,
    structure_problem,
)
from gen2dft.crystals import CrystalTable
from gen2dft.datasets.prototypes import load_prototypes
from gen2dft.datasets.starter import load_starter
from gen2dft.errors import DatasetError
from gen2dft.geometry import cell_angles, closest_contacts
from tests.toys import rock_salt

SALT = rock_salt("Na", "Cl", 5.6)


def cell(*species, lattice=4.0, places=((0, 0, 0), (0.5, 0.5, 0.5))):
    box = lattice if isinstance(lattice, Lattice) else Lattice.cubic(lattice)
    return Structure(box, species, places[: len(species)])


SOUND = {
    "rock salt": SALT,
    "hydrogen molecule": cell("H", "H", places=((0, 0, 0), (0.1875, 0, 0))),
    "molecule in a box": cell("O", "O", lattice=15.0, places=((0, 0, 0), (0.08, 0, 0))),
    "charged": cell("Na+", "Cl-"),
    "deuterium": cell("D", "Li"),
    "skewed cell": SALT * [[1, 0, 0], [9, 1, 0], [0, 0, 1]],
    "atoms outside of the cell": cell("Na", "Cl", places=((0, 0, 0), (7.5, -3.5, 0.5))),
    "xenon": cell("Xe", lattice=6.2),
    "heaviest element": cell("Og", lattice=6.2),
}


@pytest.mark.parametrize("kind", SOUND)
def test_crystals_pass(kind):
    assert structure_problem(SOUND[kind]) is None


@pytest.mark.parametrize("load", [load_starter, load_prototypes])
def test_every_crystal_that_ships_passes(load):
    assert set(crystal_problems(load().crystals)) == {None}


def test_angles_are_not_judged_as_they_are_given():
    starter = load_starter().crystals
    angles = cell_angles(starter.lattices)
    outside_the_gate = (angles < 25) | (angles > 155)
    assert outside_the_gate.any(axis=1).sum() == 76


NO_CRYSTALS = [
    (Structure(Lattice.cubic(4), [], []), r"^no_sites: it holds no atoms"),
    (cell(DummySpecies("X"), "Li"), r"^no_element: X0\+ is no element"),
    (cell(DummySpecies("Qa"), DummySpecies("M")), r"^no_element: M0\+, Qa0\+ is no element"),
    (cell({"Si": 0.5, "Ge": 0.5}), r"^partially_occupied: sites are shared.*ordered cell"),
    (cell({"Si": 0.999}), r"^partially_occupied"),
    (cell("Na", lattice=0.001), r"^volume_out_of_range: its cell has no volume"),
    (cell("Na", lattice=1.0), r"^volume_out_of_range: 1 Angstrom\^3 per atom, outside 2 to 2000"),
    (cell("Na", lattice=1000.0), r"^volume_out_of_range: 1e\+09 Angstrom\^3 per atom"),
    (cell("Na", "Na", places=((0, 0, 0), (0, 0, 0))), r"Na and Na are 0\.00 .*\(sites 1 and 2\)"),
    (cell("Si", "Ge", places=((0, 0, 0), (0.005, 0, 0))), r"^atoms_too_close: Si and Ge are 0\.02"),
    (cell("Si", "Ge", places=((0, 0, 0), (1, -2, 3))), r"Si and Ge are 0\.00"),
    (cell("Cs", "Cs", places=((0, 0, 0), (0.3, 0, 0))), r"Cs and Cs are 1\.20 Angstrom apart"),
    (
        cell("Na", lattice=Lattice.orthorhombic(0.4, 10, 10)),
        r"Na \(site 1\) and its own image are 0\.40 Angstrom apart: correct the cell",
    ),
    (cell("Na", lattice=Lattice.from_parameters(4, 4, 4, 60, 60, 119.99)), r"volume"),
]


@pytest.mark.parametrize(("structure", "message"), NO_CRYSTALS)
def test_what_is_no_crystal_is_named(structure, message):
    with pytest.raises(ValueError, match=message):
        raise ValueError(structure_problem(structure))


@pytest.mark.parametrize(
    ("lattice", "numbers", "place", "message"),
    [
        (np.full((3, 3), np.nan), [11], [0, 0, 0], r"^not_finite: a length or angle"),
        (np.diag([4, 4, np.inf]), [11], [0, 0, 0], r"^not_finite: a length or angle"),
        (4 * np.eye(3), [11], [0, 0, np.nan], r"^not_finite: a coordinate is no number"),
        (4 * np.eye(3), [11], [0, np.inf, 0], r"^not_finite: a coordinate is no number"),
        (4 * np.eye(3), [0], [0, 0, 0], r"^no_element: an atomic number lies outside 1 to 118"),
        (np.diag([4, 4, 0]), [11], [0, 0, 0], r"^volume_out_of_range: its cell has no volume"),
        (4 * np.eye(3), [], [], r"^no_sites"),
    ],
)
def test_arrays_that_are_no_crystal_are_named(lattice, numbers, place, message):
    table = CrystalTable.from_arrays([lattice], [numbers], [place])
    (problem,) = crystal_problems(table)
    with pytest.raises(ValueError, match=message):
        raise ValueError(problem)


def test_no_warning_of_numpy_comes_out_of_strange_arrays():
    strange = [np.full((3, 3), np.nan), np.full((3, 3), np.inf), np.full((3, 3), 1e200)]
    table = CrystalTable.from_arrays(strange, [[11]] * 3, [[0, 0, 0]] * 3)
    assert None not in crystal_problems(table)  # warnings are errors in these tests


def test_a_large_cell_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("gen2dft.geometry._CHUNK_VECTORS", 100)
    few_at_once = closest_contacts(CrystalTable.from_structures([SALT * (2, 2, 2)]))
    monkeypatch.undo()
    at_once = closest_contacts(CrystalTable.from_structures([SALT * (2, 2, 2)]))
    assert few_at_once.distance == pytest.approx(at_once.distance)


def test_a_dummy_never_becomes_an_element():
    with pytest.raises(ValueError, match=r"holds X0\+, which is no element"):
        CrystalTable.from_structures([cell(DummySpecies("X"), "Li")])


@pytest.mark.parametrize("number", [-1, 119, 300])
def test_an_atomic_number_never_becomes_another(number):
    with pytest.raises(ValueError, match="an atomic number lies outside 1 to 118"):
        CrystalTable.from_arrays([4 * np.eye(3)], [[number]], [[0, 0, 0]])


def test_only_sound_names_the_others():
    table = CrystalTable.from_structures([SALT, cell("Na", lattice=1.0), SALT])
    kept, left_out = only_sound(table, ["a", "b", "c"])
    assert kept.tolist() == [0, 2]
    assert list(left_out) == ["b"]
    assert count_reasons(left_out) == {"volume_out_of_range": 1}


def failed(number):
    return {f"c{index}": "unreadable: empty" for index in range(number)}


def test_an_import_stops_where_most_crystals_fail():
    with pytest.raises(DatasetError, match=r"11 of 20 crystals cannot be used, more than half.*c0"):
        refuse_if_most_failed("set.csv", 20, failed(11))
    with pytest.raises(DatasetError, match=r"no usable crystal among 3; the first problem: unread"):
        refuse_if_most_failed("set.csv", 3, failed(3))
    with pytest.raises(DatasetError, match=r"no usable crystal among 0; the first problem: no cry"):
        refuse_if_most_failed("set.csv", 0, {})


def test_an_import_goes_on_where_a_few_fail():
    refuse_if_most_failed("set.csv", 150, failed(1))
    refuse_if_most_failed("set.csv", 20, failed(10))
    refuse_if_most_failed("set.csv", 8, failed(6))  # too few to judge by a share
