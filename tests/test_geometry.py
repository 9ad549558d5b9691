import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.geometry import COVALENT_RADII, cell_angles, cell_heights, closest_contacts

ROCK_SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)


def closest(structure: Structure) -> tuple[float, float]:
    contacts = closest_contacts(CrystalTable.from_structures([structure]))
    return float(contacts.distance[0]), float(contacts.ratio[0])


def test_contacts_of_rock_salt():
    distance, ratio = closest(ROCK_SALT)
    assert distance == pytest.approx(2.82)
    assert ratio == pytest.approx(2.82 / (COVALENT_RADII[11] + COVALENT_RADII[17]))


def test_an_atom_meets_its_own_images():
    assert closest(Structure(Lattice.cubic(2.5), ["Fe"], [[0.3, 0.1, 0.7]]))[0] == pytest.approx(
        2.5
    )


@pytest.mark.parametrize("seed", range(6))
def test_contacts_do_not_depend_on_the_choice_of_cell(seed: int):
    rng = np.random.default_rng(seed)
    structure = Structure(Lattice.orthorhombic(3.1, 4.0, 5.2), ["K", "Br", "O"], rng.random((3, 3)))
    sheared = structure.copy()
    # Unimodular but far from reduced: the cell gets thin, and 27 images of it no longer suffice.
    sheared.make_supercell(
        [[1, rng.integers(-6, 7), rng.integers(-6, 7)], [0, 1, 5], [0, 0, 1]], to_unit_cell=False
    )
    assert closest(sheared) == pytest.approx(closest(structure))
    assert closest(structure)[0] == pytest.approx(structure.get_neighbor_list(6.0)[3].min())


def test_contacts_of_many_crystals_of_all_sizes_are_those_of_each():
    rng = np.random.default_rng(1)
    structures = [Structure(Lattice.cubic(7), ["O"] * n, rng.random((n, 3))) for n in (3, 1, 12, 3)]
    together = closest_contacts(CrystalTable.from_structures(structures))
    assert together.distance == pytest.approx([closest(s)[0] for s in structures])


def test_flat_and_empty_cells_do_not_crash():
    flat = CrystalTable.from_arrays(
        np.array([[[3, 0, 0], [0, 3, 0], [0, 3, 0.0]]]), [[8]], [[[0, 0, 0]]]
    )
    assert closest_contacts(flat).distance[0] == 0
    assert len(closest_contacts(CrystalTable.from_structures([])).distance) == 0


def test_heights_and_angles_of_a_monoclinic_cell():
    lattice = Lattice.from_parameters(3, 4, 5, 90, 110, 90)
    assert cell_angles(lattice.matrix[None])[0] == pytest.approx([90, 110, 90])
    assert cell_heights(lattice.matrix[None])[0] == pytest.approx(
        [3 * np.sin(np.radians(110)), 4, 5 * np.sin(np.radians(110))]
    )
