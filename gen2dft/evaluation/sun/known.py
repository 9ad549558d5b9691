"""What a new crystal must differ from: the source's crystals, the hull's formulas, the prototypes
of the training part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.setting import Progress, Setting, silent
from gen2dft.screening.novelty import StructureIndex
from gen2dft.symmetry import prototype
from gen2dft.thermo.formulas import formula_text, parse_formula, reduced

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.thermo.hull import ReferenceHull

Amounts = tuple[int, ...]
"""Atoms of each element in a formula unit, ascending: the anonymous formula."""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known.

    Parameters
    ----------
    structures
        All crystals of the source, training part or not.
    source, hull
        Formulas, as `CrystalTable.formulas` writes them.
    prototypes
        Those of the training part.
    """

    structures: StructureIndex
    source: frozenset[str]
    hull: frozenset[str]
    prototypes: Prototypes

    @classmethod
    def of(cls, setting: Setting, hull: ReferenceHull) -> Known:
        """What an evaluation knows."""
        return cls(
            structures=StructureIndex.from_table(setting.known),
            source=frozenset(setting.known.formulas()),
            hull=frozenset(formula_text(entry.composition) for entry in hull.entries),
            prototypes=Prototypes(setting.train.crystals, setting.progress),
        )


@dataclass(eq=False)
class Prototypes:
    """Prototypes of crystals, found when a crystal of the same anonymous formula is first asked
    for: spglib takes 10 ms each.
    """

    crystals: CrystalTable
    progress: Progress = silent
    _rows: dict[Amounts, list[int]] = field(default_factory=dict, init=False, repr=False)
    _labels: dict[Amounts, frozenset[str]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for row, formula in enumerate(self.crystals.formulas()):
            amounts = tuple(sorted(parse_formula(formula).values()))
            self._rows.setdefault(amounts, []).append(row)

    def holds(self, structure: Structure, label: str) -> bool:
        """Whether a crystal of the table has the prototype of a structure."""
        formula = reduced(structure.composition)
        amounts = tuple(sorted(count for _, count in formula))
        if amounts not in self._labels:
            self._labels[amounts] = self._found(amounts)
        return label in self._labels[amounts]

    def _found(self, amounts: Amounts) -> frozenset[str]:
        """Labels of all crystals of an anonymous formula."""
        rows = self._rows.get(amounts, [])
        labels = set()
        for done, row in enumerate(rows):
            self.progress("label known prototypes", done, len(rows))
            labels.add(prototype(self.crystals.structure(row)))
        return frozenset(label for label in labels if label is not None)
