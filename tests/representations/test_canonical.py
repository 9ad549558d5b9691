from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.parallel import MIN_PARTS
from gen2dft.representations import FTCP
from gen2dft.representations.canonical import CHUNK, canonical_cells

RANK = FTCP().element_rank
CRYSTALS = {
    "perovskite": Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(3.9), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    ),
    "half-Heusler": Structure.from_spacegroup(
        "F-43m",
        Lattice.cubic(5.9),
        ["Ti", "Ni", "Sn"],
        [[0, 0, 0], [0.25, 0.25, 0.25], [0.5, 0.5, 0.5]],
    ),
    "rutile": Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    ),
    "ThCr2Si2": Structure.from_spacegroup(
        "I4/mmm",
        Lattice.tetragonal(4.0, 10.6),
        ["Ca", "Ni", "P"],
        [[0, 0, 0], [0, 0.5, 0.25], [0, 0, 0.37]],
    ),
    "chalcopyrite": Structure.from_spacegroup(
        "I-42d",
        Lattice.tetragonal(5.78, 11.6),
        ["Cu", "In", "Se"],
        [[0, 0, 0], [0, 0, 0.5], [0.23, 0.25, 0.125]],
    ),
    "triclinic": Structure(
        Lattice.from_parameters(4, 5, 6, 80, 95, 103),
        ["K", "Cl", "O"],
        [[0, 0, 0], [0.3, 0.4, 0.6], [0.7, 0.1, 0.2]],
    ),
}
SHEARS = [
    [[1, 1, 0], [0, 1, 0], [0, 1, 1]],
    [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
    [[1, 0, 0], [-1, 1, 0], [0, -2, 1]],
]


def canonical(*structures: Structure) -> CrystalTable:
    return canonical_cells(CrystalTable.from_structures(structures), RANK)


@pytest.mark.parametrize("name", CRYSTALS)
def test_however_it_is_written_the_crystal_gets_one_cell(name: str):
    expected = canonical(CRYSTALS[name])
    for seed, shear in enumerate(SHEARS):
        rng = np.random.default_rng(seed)
        other = CRYSTALS[name].copy()
        other.make_supercell(shear)
        other.translate_sites(range(len(other)), rng.random(3))
        got = canonical(Structure.from_sites([other[i] for i in rng.permutation(len(other))]))
        assert (got.numbers == expected.numbers).all()
        np.testing.assert_allclose(
            got.lattices @ got.lattices.transpose(0, 2, 1),
            expected.lattices @ expected.lattices.transpose(0, 2, 1),
            atol=1e-3,
        )
        apart = got.frac - expected.frac
        np.testing.assert_allclose(apart - np.round(apart), 0, atol=2e-3)


@pytest.mark.parametrize("name", CRYSTALS)
def test_it_is_the_same_crystal_with_no_more_sites_than_its_primitive_cell(name: str):
    from pymatgen.analysis.structure_matcher import StructureMatcher

    crystal = canonical(CRYSTALS[name]).structure(0)
    assert len(crystal) == len(CRYSTALS[name].get_primitive_structure())
    assert StructureMatcher(primitive_cell=True, scale=False).fit(crystal, CRYSTALS[name])


def test_crystals_of_one_type_have_the_same_positions():
    other = Structure.from_spacegroup(
        "F-43m", Lattice.cubic(6.1), ["Zr", "Ni", "Sn"], [[0.75] * 3, [0, 0, 0], [0.25, 0.25, 0.25]]
    )
    table = canonical(CRYSTALS["half-Heusler"], other)
    np.testing.assert_allclose(table.frac[:3], table.frac[3:], atol=1e-6)


def test_the_canonical_cell_is_canonical():
    table = canonical(*CRYSTALS.values())
    again = canonical_cells(table, RANK)
    np.testing.assert_allclose(again.frac, table.frac, atol=1e-4)
    assert (again.numbers == table.numbers).all()


def test_one_process_or_many_give_the_same():
    table = CrystalTable.from_structures(
        list(CRYSTALS.values()) * (CHUNK * MIN_PARTS // len(CRYSTALS) + 1)
    )
    many = canonical_cells(table, RANK)
    few = canonical_cells(table.select(np.arange(len(CRYSTALS))), RANK)
    assert many.select(np.arange(len(CRYSTALS))).content_hash() == few.content_hash()


def test_what_spglib_cannot_read_keeps_its_cell():
    flat = CrystalTable.from_arrays([4 * np.eye(3)], [[11, 17]], [[[0, 0, 0], [0, 0, 0]]])
    assert (canonical_cells(flat, RANK).lattices == flat.lattices).all()
    assert len(canonical_cells(flat.select(np.arange(0)), RANK)) == 0


def test_a_cell_as_thin_as_the_tolerance_keeps_its_lattice():
    # spglib 2.8 ends the process on this one.
    thin = np.array([[-10.607, 2.222, -2.949], [0.0511, 0.002, 0.0008], [-0.0474, 0.0312, -0.0686]])
    frac = [
        [0.587, 0.84, 0.726],
        [0.365, 0.448, 0.368],
        [0.11, 0.203, 0.284],
        [0.314, 0.313, 0.577],
        [0.97, 0.77, 0.79],
    ]
    table = CrystalTable.from_arrays(thin, [[18, 63, 68, 64, 54]], [frac])
    assert np.array_equal(canonical_cells(table, RANK).lattices, thin[None])
