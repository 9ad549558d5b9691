"""spglib (Togo & Tanaka, arXiv:1808.01590), called so that a crystal that it cannot read gives an
answer, not an error.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Structure

UNDETERMINED = "undetermined"


def ask_spglib(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function of spglib; None where it finds nothing, as with two atoms on one place.

    spglib 2 either returns None or raises, by a switch of the whole process which other libraries
    set (ASE leaves it set after its first use), and warns that it will no longer return None.
    """
    from spglib.error import SpglibError

    os.environ.setdefault("SPGLIB_WARNING", "OFF")  # its C code prints what its answer tells
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return function(*args, **options)
        except SpglibError:
            return None


def space_group_symbol(structure: Structure, symprec: float = 0.1) -> str:
    """International symbol, found within symprec Angstrom.

    `undetermined` where spglib finds none.
    """
    import spglib

    lattice = structure.lattice.matrix.tolist()
    positions = structure.frac_coords.tolist()
    cell = (lattice, positions, list(structure.atomic_numbers))
    found = ask_spglib(spglib.get_symmetry_dataset, cell, symprec=symprec)
    return UNDETERMINED if found is None else str(found.international)


def idealised_primitive(structure: Structure, symprec: float) -> Structure:
    """The primitive standard cell with the symmetry that the crystal has within symprec Angstrom.

    Where spglib finds none, the primitive cell as it is.
    """
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError

    try:
        found = ask_spglib(
            lambda: SpacegroupAnalyzer(structure, symprec).get_primitive_standard_structure()
        )
    except SymmetryUndeterminedError:
        found = None
    return structure.get_primitive_structure(tolerance=symprec) if found is None else found
