"""Gate `duplicates`: whether the structure is new, among known, earlier and other candidates."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from gen2dft.campaign.part import LATER, Part
from gen2dft.crystals import CrystalTable
from gen2dft.screening.base import Gate, GateContext
from gen2dft.screening.novelty import StructureIndex

DUPLICATE_OF_KNOWN = "duplicate_of_known"
DUPLICATE_IN_STORE = "duplicate_in_store"
DUPLICATE_IN_BATCH = "duplicate_in_batch"


class DuplicateSettings(Part):
    """Settings of the gate `duplicates`."""

    known: bool = Field(
        True,
        json_schema_extra=LATER,
        description="refuse crystals of the training set, too, not only other candidates",
    )


class DuplicateGate(Gate[DuplicateSettings]):
    """Refuse structures that match another one."""

    name = "duplicates"
    reasons = {
        DUPLICATE_OF_KNOWN: "It matches a crystal of the training set.",
        DUPLICATE_IN_STORE: "It matches a candidate of an earlier round.",
        DUPLICATE_IN_BATCH: "It matches a candidate of this round that came before it.",
    }
    Settings = DuplicateSettings
    must_refuse = "one crystal twice is no second candidate"
    depends_on_order = True

    def judge(self, table: CrystalTable, context: GateContext) -> list[str | None]:
        """See `duplicate_gate`."""
        indices = []
        if self.settings.known:
            known = StructureIndex.from_table(context.known.crystals)
            indices.append((DUPLICATE_OF_KNOWN, known))
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
