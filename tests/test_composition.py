"""Composition fields mean what they mean in emmet-core."""

from __future__ import annotations

import pytest
from emmet.core.structure import StructureMetadata
from pymatgen.core import Lattice, Structure

from gen2dft.composition import crystal_fields, crystal_system, formula_of

ROCK_SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)
PEROVSKITE = Structure(
    Lattice.tetragonal(3.9, 4.1),
    ["Ti", "Ba", "O", "O", "O"],
    [[0.5] * 3, [0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
)


@pytest.mark.parametrize("structure", [ROCK_SALT, PEROVSKITE])
def test_fields_are_those_of_emmet(structure: Structure) -> None:
    document = StructureMetadata.from_structure(structure)
    fields = crystal_fields(structure)
    assert fields["formula_pretty"] == document.formula_pretty
    assert fields["elements"] == [element.symbol for element in document.elements or ()]
    assert fields["nelements"] == document.nelements
    assert fields["chemsys"] == document.chemsys
    assert fields["nsites"] == document.nsites
    symmetry = document.symmetry
    assert symmetry is not None
    assert symmetry.crystal_system is not None
    assert fields["symmetry"] == {
        "crystal_system": symmetry.crystal_system.value,
        "symbol": symmetry.symbol,
        "number": symmetry.number,
    }


@pytest.mark.parametrize(
    ("number", "system"), [(1, "Triclinic"), (166, "Trigonal"), (194, "Hexagonal"), (225, "Cubic")]
)
def test_crystal_systems(number: int, system: str) -> None:
    assert crystal_system(number) == system


@pytest.mark.parametrize(
    ("text", "formula"),
    [("SbZnRb", "RbZnSb"), ("Zn1 Sb1 Rb1", "RbZnSb"), ("Fe4O6", "Fe2O3"), ("abc", None),
     ("", None), ("thermoelectric", None), ("Qq2", None)],
)  # fmt: skip
def test_formulas_have_one_spelling(text: str, formula: str | None) -> None:
    assert formula_of(text) == formula
