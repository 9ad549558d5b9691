"""Gate `formula`: whether the reduced formula is new."""

from __future__ import annotations

from gen2dft.crystals import CrystalTable
from gen2dft.screening.base import Gate, GateContext, NoSettings, as_reasons

KNOWN_FORMULA = "known_formula"


class FormulaGate(Gate[NoSettings]):
    """Refuse formulas of the training set and of the hull."""

    name = "formula"
    reasons = {
        KNOWN_FORMULA: (
            "A crystal of the training set or a phase of the hull has its reduced formula."
        )
    }

    def judge(self, table: CrystalTable, context: GateContext) -> list[str | None]:
        """See `formula_gate`."""
        return formula_gate(table, context.known_formulas)


def formula_gate(table: CrystalTable, known_formulas: frozenset[str]) -> list[str | None]:
    """`known_formula` for each crystal whose reduced formula is known, the novelty of the FTCP
    paper.

    Ren et al., Matter 5, 314 (2022).
    """
    is_known = [formula in known_formulas for formula in table.formulas()]
    return as_reasons(is_known, KNOWN_FORMULA)
