"""Whether two structures are one crystal, so that one calculation serves both."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING

from gen2dft.crystals import CrystalTable
from gen2dft.screening.novelty import reduced_primitive

if TYPE_CHECKING:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

SAME_VOLUME = 0.05  # relative; lengths within 1 % give 3 %


def same_crystal(first: Structure, second: Structure) -> bool:
    """Whether two structures are one crystal: lengths within 1 %, angles within half a degree, not
    scaled.
    """
    return _same_primitive(reduced_primitive(first), reduced_primitive(second))


def repeats(table: CrystalTable) -> dict[int, int]:
    """Row of each crystal that is the same as one before it, to the row of the first of these."""
    formulas = table.formulas()
    numbers = Counter(formulas)
    firsts: dict[str, list[tuple[int, Structure]]] = {}
    found = {}
    for row, formula in enumerate(formulas):
        if numbers[formula] == 1:
            continue  # cells are reduced only where there is something to compare them with
        primitive = reduced_primitive(table.structure(row))
        before = firsts.setdefault(formula, [])
        match = next((first for first, other in before if _same_primitive(primitive, other)), None)
        if match is None:
            before.append((row, primitive))
        else:
            found[row] = match
    return found


def _same_primitive(first: Structure, second: Structure) -> bool:
    if len(first) != len(second):
        return False
    if abs(first.volume / second.volume - 1) > SAME_VOLUME:  # quick, and thousands may be compared
        return False
    return bool(_matcher().fit(first, second))


@functools.cache
def _matcher() -> StructureMatcher:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.5, primitive_cell=False, scale=False)
