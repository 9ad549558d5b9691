"""Whether a structure is new: structures by formula, compared in their primitive cells."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gen2dft.crystals import CrystalTable

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass
class StructureIndex:
    """Structures that others are compared with, found by their reduced formula.

    pymatgen's StructureMatcher decides (its defaults: scaled to equal volume, ltol 0.2, stol 0.3,
    angle_tol 5). Two crystals are compared only if formula and number of sites of their primitive
    cells agree; the matcher itself reduces both to primitive cells first, so nothing that it would
    match is kept apart. Cells are reduced when they are first compared, and only then.
    """

    _groups: dict[str, list[_Reduced]] = field(default_factory=dict)

    @classmethod
    def from_table(cls, table: CrystalTable) -> StructureIndex:
        """Index of all crystals of a table."""
        index = cls()
        for i, formula in enumerate(table.formulas()):
            index.add(table, i, formula)
        return index

    def add(self, table: CrystalTable, row: int, formula: str, name: str = "") -> None:
        """Take in crystal `row` of a table, whose reduced formula is given as
        `CrystalTable.formulas` writes it.
        """
        build = functools.partial(table.structure, row)
        group = self._groups.setdefault(formula, [])
        group.append(_Reduced(build, name))

    def contains(self, structure: Structure) -> bool:
        """Whether a structure matches one of the index."""
        (formula,) = CrystalTable.from_structures([structure]).formulas()
        candidate = _Reduced(lambda: structure)
        return self._match(candidate, formula) is not None

    def matches_row(self, table: CrystalTable, row: int, formula: str) -> bool:
        """Whether crystal `row` of a table matches one of the index."""
        return self.match_row(table, row, formula) is not None

    def match_row(self, table: CrystalTable, row: int, formula: str) -> str | None:
        """The name of the first of the index that crystal `row` of a table matches.

        None if there is none.
        """
        candidate = _Reduced(functools.partial(table.structure, row))
        return self._match(candidate, formula)

    def _match(self, candidate: _Reduced, formula: str) -> str | None:
        for other in self._groups.get(formula, ()):
            if _same(candidate.primitive, other.primitive):
                return other.name
        return None


@dataclass
class _Reduced:
    """A structure, built and reduced to its primitive Niggli cell when first needed."""

    build: Callable[[], Structure]
    name: str = ""

    @functools.cached_property
    def primitive(self) -> Structure:
        return reduced_primitive(self.build())


def reduced_primitive(structure: Structure) -> Structure:
    """The primitive Niggli cell of a structure."""
    try:
        reduced = structure.get_reduced_structure("niggli")
    except ValueError:  # Niggli's algorithm can fail to converge on extreme cells
        reduced = structure.get_reduced_structure("LLL")
    return reduced.get_primitive_structure()  # type: ignore[no-any-return]


def _same(first: Structure, second: Structure) -> bool:
    if len(first) != len(second):
        return False
    return bool(_matcher().fit(first, second))


@functools.cache
def _matcher() -> Any:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(primitive_cell=False)  # the cells are primitive already
