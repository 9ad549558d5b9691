"""Gate `duplicates`: whether the structure is new, among known, earlier and other candidates."""

from __future__ import annotations

from collections.abc import Sequence

from gen2dft.crystals import CrystalTable
from gen2dft.screening.base import Gate, GateContext, NoSettings
from gen2dft.screening.novelty import StructureIndex

DUPLICATE_OF_KNOWN = "duplicate_of_known"
DUPLICATE_IN_STORE = "duplicate_in_store"
DUPLICATE_IN_BATCH = "duplicate_in_batch"


class DuplicateGate(Gate[NoSettings]):
    """Refuse structures that match another one."""

    name = "duplicates"
    reasons = {
        DUPLICATE_OF_KNOWN: "It matches a crystal of the training set.",
        DUPLICATE_IN_STORE: "It matches a candidate of an earlier round.",
        DUPLICATE_IN_BATCH: "It matches a candidate of this round that came before it.",
    }
    depends_on_order = True

    def judge(self, table: CrystalTable, context: GateContext) -> list[str | None]:
        """See `duplicate_gate`."""
        indices = [(DUPLICATE_OF_KNOWN, StructureIndex.from_table(context.known.crystals))]
        if context.earlier is not None:
            indices.append((DUPLICATE_IN_STORE, StructureIndex.from_table(context.earlier)))
        return duplicate_gate(table, indices)


def duplicate_gate(
    table: CrystalTable, indices: Sequence[tuple[str, StructureIndex]]
) -> list[str | None]:
    """Refuse crystals that match one of an index (with that index's reason) or an earlier one of
    this table.

    Parameters
    ----------
    indices
        Pairs of reason and index, asked in this order.
    """
    batch = StructureIndex()
    asked = [*indices, (DUPLICATE_IN_BATCH, batch)]
    reasons: list[str | None] = []
    for row, formula in enumerate(table.formulas()):
        met = (reason for reason, index in asked if index.matches_row(table, row, formula))
        reason = next(met, None)
        if reason is None:
            batch.add(table, row, formula)
        reasons.append(reason)
    return reasons
