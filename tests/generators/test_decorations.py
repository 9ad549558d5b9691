import sys
from types import SimpleNamespace

import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.errors import DatasetError
from gen2dft.generators.decorations import decorations


def entry(label, *structure, spacegroup):
    crystal = Structure.from_spacegroup(spacegroup, *structure)
    return {"snl": SimpleNamespace(structure=crystal), "tags": {"aflow": label}}


ROCK_SALT = entry(
    "AB_cF8", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3], spacegroup="Fm-3m"
)
HALF_HEUSLER = entry(
    "ABC_cF12",
    Lattice.cubic(6),
    ["Ti", "Ni", "Sn"],
    [[0, 0, 0], [0.25] * 3, [0.5] * 3],
    spacegroup="F-43m",
)
BISMUTH_FLUORIDE = entry(
    "AB3_cF16",
    Lattice.cubic(6),
    ["Bi", "F", "F"],
    [[0, 0, 0], [0.25] * 3, [0.5] * 3],
    spacegroup="Fm-3m",
)


def names(*library, max_sites=14):
    return {d.name.partition("/")[2]: d for d in decorations(max_sites, list(library))}


def test_equivalent_orders_are_given_once():
    assert set(names(ROCK_SALT)) == {"01"}


def test_orders_that_give_another_crystal_are_all_given():
    found = names(HALF_HEUSLER)
    assert len(found) == 3  # which of the three elements has the middle place
    assert all(d.counts == (1, 1, 1) for d in found.values())


def test_splitting_an_element_gives_ternaries_in_ascending_numbers():
    found = names(BISMUTH_FLUORIDE).values()
    assert {d.counts for d in found} == {(1, 3), (1, 1, 2)}
    assert {d.counts for d in found if d.as_published} == {(1, 3)}


def test_filled_decoration_has_the_cell_of_the_prototype():
    (decoration,) = names(ROCK_SALT).values()
    crystal = decoration.fill(["Mg", "O"])
    assert crystal.composition.reduced_formula == "MgO"
    assert len(crystal) == 2
    assert crystal.get_space_group_info()[1] == decoration.space_group == 225
    assert decoration.prototype == "AB_cF8:NaCl"


def test_large_cells_are_left_out():
    assert not names(BISMUTH_FLUORIDE, max_sites=3)


def test_missing_library_is_an_error(monkeypatch):
    empty = SimpleNamespace(AFLOW_PROTOTYPE_LIBRARY=[])
    monkeypatch.setitem(sys.modules, "pymatgen.analysis.prototypes", empty)
    with pytest.raises(DatasetError, match="AFLOW prototype library is empty"):
        decorations()
