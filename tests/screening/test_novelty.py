import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.screening.duplicates import duplicate_gate
from gen2dft.screening.formula import formula_gate
from gen2dft.screening.novelty import StructureIndex

ROCK_SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)
PRIMITIVE = ROCK_SALT.get_primitive_structure()
CSCL_TYPE = Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
POTASSIUM = Structure(Lattice.cubic(3.4), ["K", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def disguises(structure: Structure) -> dict[str, Structure]:
    rng = np.random.default_rng(0)
    moved = structure.copy()
    moved.translate_sites(range(len(moved)), [0.2, 0.3, 0.4])
    shaken = structure.copy()
    shaken.translate_sites(range(len(shaken)), [0.1, 0, 0])
    for i in range(len(shaken)):
        shaken.translate_sites([i], rng.normal(0, 0.03, 3), frac_coords=False)
    turned = Structure(
        structure.lattice.matrix @ np.linalg.qr(rng.normal(size=(3, 3)))[0],
        structure.species,
        structure.frac_coords,
    )
    sheared = structure.copy()
    sheared.make_supercell([[1, 1, 0], [0, 1, 0], [0, 0, 1]], to_unit_cell=False)
    grown = structure.copy()
    grown.scale_lattice(structure.volume * 1.1)
    return {
        "moved": moved,
        "shaken": shaken,
        "turned": turned,
        "sheared": sheared,
        "supercell": structure * (2, 1, 1),
        "shuffled": Structure.from_sites(list(structure)[::-1]),
        "grown": grown,
    }


def table(*structures: Structure) -> CrystalTable:
    return CrystalTable.from_structures(structures)


@pytest.mark.parametrize("name", disguises(PRIMITIVE))
def test_a_crystal_is_recognised_in_every_disguise(name: str):
    index = StructureIndex.from_table(table(CSCL_TYPE, ROCK_SALT))
    assert index.contains(disguises(PRIMITIVE)[name])


def test_other_structures_and_other_formulas_are_new():
    index = StructureIndex.from_table(table(ROCK_SALT))
    assert not index.contains(CSCL_TYPE)
    assert not index.contains(POTASSIUM)


def test_duplicates_are_told_by_where_they_were_met_first():
    known, earlier = (
        StructureIndex.from_table(table(ROCK_SALT)),
        StructureIndex.from_table(table(POTASSIUM)),
    )
    batch = table(CSCL_TYPE, PRIMITIVE, CSCL_TYPE * (1, 1, 2), POTASSIUM)
    indices = [("duplicate_of_known", known), ("duplicate_in_store", earlier)]
    assert duplicate_gate(batch, indices) == [
        None,
        "duplicate_of_known",
        "duplicate_in_batch",
        "duplicate_in_store",
    ]


def test_the_first_of_equals_is_kept_and_nothing_is_remembered():
    batch = table(CSCL_TYPE, CSCL_TYPE, CSCL_TYPE)
    for _ in range(2):
        assert duplicate_gate(batch, []) == [None, "duplicate_in_batch", "duplicate_in_batch"]


def test_known_formulas():
    known = frozenset(table(ROCK_SALT).formulas())
    assert formula_gate(table(CSCL_TYPE, POTASSIUM, PRIMITIVE), known) == [
        "known_formula",
        None,
        "known_formula",
    ]
