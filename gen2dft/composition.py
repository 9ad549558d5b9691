"""What a crystal is made of, in the fields by which others search: names and meaning as in
emmet-core's StructureMetadata and SymmetryData.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from gen2dft.symmetry import space_group

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

CRYSTAL_SYSTEMS = (
    "Triclinic", "Monoclinic", "Orthorhombic", "Tetragonal", "Trigonal", "Hexagonal", "Cubic",
)  # fmt: skip
# Number of the last space group of each (International Tables for Crystallography, A).
LAST_GROUPS = (2, 15, 74, 142, 167, 194, 230)


def crystal_fields(structure: Structure) -> dict[str, Any]:
    """Composition, number of sites and symmetry of a crystal.

    Returns
    -------
    `formula_pretty`, `elements` (symbols in alphabetical order), `nelements`, `chemsys`, `nsites`
    and `symmetry` with `crystal_system`, `symbol` and `number`; None in the place of `symmetry`
    where spglib finds none. The space group is found within 0.01 Angstrom, as everywhere here;
    emmet-core takes 0.1 Angstrom.
    """
    return {
        **composition_fields(structure.composition),
        "nsites": len(structure),
        "symmetry": symmetry_fields(structure),
    }


def composition_fields(composition: Composition) -> dict[str, Any]:
    """`formula_pretty`, `elements`, `nelements` and `chemsys` of a composition."""
    elements = sorted(element.symbol for element in composition.elements)
    return {
        "formula_pretty": composition.reduced_formula,
        "elements": elements,
        "nelements": len(elements),
        "chemsys": "-".join(elements),
    }


def symmetry_fields(structure: Structure) -> dict[str, Any] | None:
    """`crystal_system`, `symbol` and `number` of the space group; None where spglib finds none."""
    found = space_group(structure)
    if found is None:
        return None
    return {
        "crystal_system": crystal_system(found.number),
        "symbol": found.symbol,
        "number": found.number,
    }


def crystal_system(number: int) -> str:
    """The crystal system of a space group, 1 to 230."""
    # pymatgen's SpaceGroup tells it, too, after multiplying out all operations: 0.1 to 0.3 s.
    return CRYSTAL_SYSTEMS[bisect_left(LAST_GROUPS, number)]


def formula_of(text: str) -> str | None:
    """The reduced formula as documents spell it; None if the text is no formula of elements."""
    from pymatgen.core import Composition

    try:
        composition = Composition(text, strict=True)
        return str(composition.reduced_formula) if composition else None
    except (ValueError, ArithmeticError, LookupError, TypeError):
        return None
