import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable


@pytest.fixture
def table():
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    perovskite = Structure(
        Lattice.orthorhombic(3.9, 4.0, 4.1),
        ["Sr", "Ti", "O", "O", "O"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )
    return CrystalTable.from_structures([salt, perovskite, salt.get_primitive_structure()])


def test_structures_survive_the_round_trip(table):
    again = CrystalTable.from_structures(table.structures())
    assert again.content_hash() == table.content_hash()
    assert again.structure(1) == table.structure(1)


def test_select_takes_crystals_in_the_given_order(table):
    chosen = table.select([2, 0])
    assert chosen.num_sites.tolist() == [2, 8]
    assert chosen.structure(1) == table.structure(0)
    assert len(table.select(np.array([False, True, False]))) == 1


def test_select_then_concatenate_is_the_identity(table):
    parts = [table.select([i]) for i in range(len(table))]
    assert CrystalTable.concatenate(parts).content_hash() == table.content_hash()


def test_formulas_are_reduced(table):
    assert table.formulas() == ["Cl1 Na1", "O3 Sr1 Ti1", "Cl1 Na1"]


def test_volumes(table):
    assert table.volumes == pytest.approx([5.6**3, 3.9 * 4.0 * 4.1, 5.6**3 / 4])


def test_content_hash_sees_every_array(table):
    moved = CrystalTable(table.lattices, table.numbers, table.frac + 0.01, table.offsets)
    stretched = CrystalTable(table.lattices * 1.01, table.numbers, table.frac, table.offsets)
    assert len({t.content_hash() for t in (table, moved, stretched)}) == 3


def test_empty_table():
    empty = CrystalTable.from_arrays(np.zeros((0, 3, 3)), [], [])
    assert len(empty) == 0
    assert empty.formulas() == []
    assert len(CrystalTable.concatenate([])) == 0


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="2 sites expected"):
        CrystalTable(np.eye(3)[None], np.array([1], np.uint8), np.zeros((1, 3)), np.array([0, 2]))


def test_partial_occupancy_is_refused():
    alloy = Structure(Lattice.cubic(3), [{"Fe": 0.5, "Ni": 0.5}], [[0, 0, 0]])
    with pytest.raises(ValueError, match="partially occupied"):
        CrystalTable.from_structures([alloy])


def test_owners_say_which_crystal_a_site_belongs_to():
    table = CrystalTable.from_arrays(
        [np.eye(3)] * 3, [[1, 2], [], [3]], [np.zeros((2, 3)), np.zeros((0, 3)), np.zeros((1, 3))]
    )
    assert table.owners.tolist() == [0, 0, 2]
    assert table.select([]).owners.tolist() == []


def test_elements_are_counted_once_per_crystal():
    table = CrystalTable.from_arrays(
        [np.eye(3)] * 3,
        [[8, 8, 22], [], [6]],
        [np.zeros((3, 3)), np.zeros((0, 3)), np.zeros((1, 3))],
    )
    assert table.num_elements.tolist() == [2, 0, 1]
    assert table.select([]).num_elements.tolist() == []
