import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from gen2dft.datasets import cif_text
from gen2dft.datasets.refused import PartialOccupancy, UnreadableStructure
from gen2dft.datasets.structure_text import parse_structure

ZINC_SULPHIDE = Structure.from_spacegroup(
    "F-43m", Lattice.cubic(5.41), ["Zn", "S"], [[0, 0, 0], [0.25] * 3]
)
TRICLINIC = Structure(
    Lattice.from_parameters(3, 4, 5, 80, 95, 110),
    ["Ca", "O", "O"],
    [[0, 0, 0], [0.3, 0.4, 0.5], [0.7, 0.6, 0.1]],
)


def same(one: Structure, other: Structure) -> bool:
    shift = one.frac_coords - other.frac_coords
    cells = np.allclose(one.lattice.parameters, other.lattice.parameters, atol=1e-6)
    return (
        cells
        and one.species == other.species
        and bool(np.allclose(shift, np.round(shift), atol=1e-6))
    )


@pytest.mark.parametrize("structure", [ZINC_SULPHIDE, TRICLINIC])
def test_plain_cif_json_and_dictionary_give_the_crystal(structure):
    text = str(CifWriter(structure))
    assert cif_text._plain_p1(text) is not None
    for content in (text, structure.to_json(), structure.as_dict()):
        assert same(parse_structure(content), structure)


def test_short_cut_agrees_with_pymatgen():
    text = str(CifWriter(TRICLINIC))
    assert same(cif_text._plain_p1(text), cif_text._by_pymatgen(text))


def test_cif_with_symmetry_is_left_to_pymatgen():
    text = str(CifWriter(ZINC_SULPHIDE, symprec=0.01))
    assert cif_text._plain_p1(text) is None
    assert len(parse_structure(text)) == 8


def test_partial_occupancy_is_told_apart():
    mixed = Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    half = str(CifWriter(TRICLINIC)).replace("0.10000000  1", "0.10000000  0.5")
    for content in (str(CifWriter(mixed)), mixed.as_dict(), half):
        with pytest.raises(PartialOccupancy, match=r"partially_occupied: sites are shared"):
            parse_structure(content)


@pytest.mark.parametrize(
    "content",
    [
        "",
        None,
        float("nan"),
        "data_x\n_cell_length_a 3\n",
        "{broken",
        json.dumps({"a": 1}),
        "hello",
    ],
)
def test_damaged_content_is_unreadable(content):
    with pytest.raises(UnreadableStructure):
        parse_structure(content)
