"""Symmetry in words: before and after, the cost, and what was refused."""

from __future__ import annotations

from pymatgen.core import Lattice, Structure

from gen2dft.report.symmetry import conventional_text, symmetry_text
from gen2dft.store.documents import RefusedSymmetry, SymmetryRecord

CUBIC = RefusedSymmetry(
    space_group="Pm-3m", tolerance=0.3, energy_difference=0.0128, reason="costs_energy"
)
FAILED = RefusedSymmetry(space_group="P4mm", tolerance=0.2, reason="lost_symmetry")


def test_a_change_says_from_where_to_where_and_its_cost():
    record = SymmetryRecord(
        space_group_before="P1",
        space_group="F-43m",
        num_sites_before=12,
        num_sites=3,
        tolerance=0.2,
        energy_difference=0.0012,
        structure_as_relaxed={"sites": []},
    )
    wanted = (
        "was P1, cell of 12 atoms; is F-43m, cell of 3 atoms; +1.2 meV/atom, found within 0.2 Å"
    )
    assert symmetry_text(record) == wanted


def test_a_crystal_that_keeps_its_cell_says_why():
    record = SymmetryRecord(
        space_group_before="P1",
        space_group="P1",
        num_sites_before=5,
        num_sites=5,
        refused=[CUBIC, FAILED],
    )
    wanted = "P1 as relaxed, cell of 5 atoms; not Pm-3m: +12.8 meV/atom; not P4mm: lost symmetry"
    assert symmetry_text(record) == wanted


def test_the_conventional_cell_of_a_primitive_one():
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    wanted = "Fm-3m, conventional cell 5.640, 5.640, 5.640 Å, 90.0, 90.0, 90.0°, 8 atoms"
    assert conventional_text(salt.get_primitive_structure()) == wanted


def test_a_crystal_that_spglib_cannot_read_has_no_cell():
    twice = Structure(Lattice.cubic(3.0), ["Po", "Po"], [[0] * 3, [0] * 3])
    assert conventional_text(twice) == "undetermined"
