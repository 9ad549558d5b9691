"""What a new crystal must differ from: the source's crystals, the hull's formulas, the prototypes
of the training part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.setting import Setting
from gen2dft.screening.novelty import StructureIndex
from gen2dft.symmetry import prototype
from gen2dft.thermo.formulas import formula_text, reduced

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
            prototypes=Prototypes(setting.train.crystals),
        )


@dataclass(eq=False)
class Prototypes:
    """Prototypes of crystals, found when a crystal of the same anonymous formula is first asked
    for: spglib takes 30 ms each.
    """

    crystals: CrystalTable
    _rows: dict[Amounts, list[int]] = field(default_factory=dict, init=False, repr=False)
    _labels: dict[Amounts, frozenset[str]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for row in range(len(self.crystals)):
            _, counts = np.unique(
                self.crystals.numbers[self.crystals.sites(row)], return_counts=True
            )
            per_unit = counts // np.gcd.reduce(counts)
            self._rows.setdefault(tuple(sorted(per_unit.tolist())), []).append(row)

    def holds(self, structure: Structure, label: str) -> bool:
        """Whether a crystal of the table has the prototype of a structure."""
        formula = reduced(structure.composition)
        amounts = tuple(sorted(count for _, count in formula))
        if amounts not in self._labels:
            rows = self._rows.get(amounts, [])
            labels = (prototype(self.crystals.structure(row)) for row in rows)
            self._labels[amounts] = frozenset(name for name in labels if name is not None)
        return label in self._labels[amounts]
