"""Cell volumes from bond radii."""

import numpy as np
import pytest
from pymatgen.analysis.structure_prediction.volume_predictor import DLSVolumePredictor
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.generators.volumes import (
    bond_radii,
    predicted_volumes,
    resized,
    volumes_of_atoms,
)
from tests.toys import rock_salt

HALF_HEUSLER = Structure.from_spacegroup(
    "F-43m", Lattice.cubic(6.5), ["Nb", "Fe", "Sb"], [[0, 0, 0], [0.25] * 3, [0.5] * 3]
).get_primitive_structure()
CRYSTALS = [rock_salt("Na", "Cl", 6.0), rock_salt("Pb", "Te", 6.0), HALF_HEUSLER]


@pytest.mark.parametrize("crystal", CRYSTALS)
def test_bonds_give_the_volume_of_pymatgen(crystal):
    expected = DLSVolumePredictor(min_scaling=None, max_scaling=None).predict(crystal)
    table = CrystalTable.from_structures([crystal])
    assert predicted_volumes(table)[0] == pytest.approx(expected, rel=1e-6)


def test_a_crystal_does_not_depend_on_its_company():
    table = CrystalTable.from_structures(CRYSTALS)
    for row, volume in enumerate(predicted_volumes(table)):
        assert predicted_volumes(table.select([row]))[0] == pytest.approx(volume)


def test_the_size_of_the_cell_given_does_not_matter():
    small, large = (CrystalTable.from_structures([rock_salt("K", "Br", a)]) for a in (4.0, 9.0))
    assert predicted_volumes(small)[0] == pytest.approx(predicted_volumes(large)[0])


def test_one_tight_contact_does_not_blow_up_the_cell():
    dimer = Structure(Lattice.cubic(12), ["K", "K", "Cl"], [[0, 0, 0], [0.05, 0, 0], [0.5] * 3])
    table = CrystalTable.from_structures([dimer])
    assert predicted_volumes(table)[0] == pytest.approx(20 * volumes_of_atoms(table)[0])


def test_elements_without_bond_parameters_have_a_radius():
    helium = CrystalTable.from_structures([rock_salt("He", "Ne", 4.0)])
    assert np.all(bond_radii(helium) > 0)


def test_resized_crystals_keep_their_shape():
    table = CrystalTable.from_structures(CRYSTALS)
    wanted = np.array([10.0, 200.0, 55.0])
    again = resized(table, wanted)
    assert again.volumes == pytest.approx(wanted)
    shapes = [
        lattices / np.cbrt(volumes)[:, None, None]
        for lattices, volumes in ((table.lattices, table.volumes), (again.lattices, again.volumes))
    ]
    assert np.allclose(*shapes)
