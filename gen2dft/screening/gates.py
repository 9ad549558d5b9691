"""The cheap gates of a campaign in their order, and the funnel that counts what they stop."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.funnel import StageCount
from gen2dft.screening.charge import charge_gate
from gen2dft.screening.novelty import (
    DUPLICATE_IN_STORE,
    DUPLICATE_OF_KNOWN,
    StructureIndex,
    duplicate_gate,
    formula_gate,
)
from gen2dft.screening.validity import allowed_elements, element_counts, element_gate, geometry_gate

Gate = Callable[[CrystalTable], Sequence[str | None]]
"""From crystals to one reason each; None lets a crystal pass."""


def screening_gates(
    spec: ScreeningSpec, known: Dataset, earlier: CrystalTable | None = None
) -> list[tuple[str, Gate]]:
    """Names and gates that a campaign asks for, the cheapest first.

    Parameters
    ----------
    known
        Training set: its elements are allowed unless the spec names others, candidates have as many
        different ones as its crystals, and must differ from it.
    earlier
        Candidates of earlier rounds, which are not to be computed again.

    Raises
    ------
    CampaignError
        If the spec names something that is not an element.
    """
    elements = allowed_elements(spec, known.crystals)
    how_many = frozenset(element_counts(known.crystals).tolist())
    indices = (
        [(DUPLICATE_IN_STORE, StructureIndex.from_table(earlier))] if earlier is not None else []
    )
    gates: list[tuple[str, Gate]] = [
        ("geometry", functools.partial(geometry_gate, spec=spec)),
        ("elements", functools.partial(element_gate, allowed=elements, how_many=how_many)),
    ]
    if spec.charge_balance:
        gates.append(
            ("charge", functools.partial(charge_gate, strict=spec.charge_balance == "strict"))
        )
    if spec.novelty == "formula":
        formulas = frozenset(known.crystals.formulas())
        gates.append(("formula", functools.partial(formula_gate, known_formulas=formulas)))
    else:
        indices.insert(0, (DUPLICATE_OF_KNOWN, StructureIndex.from_table(known.crystals)))
    gates.append(("duplicates", functools.partial(duplicate_gate, indices=indices)))
    return gates


def run_gates(
    table: CrystalTable, gates: Sequence[tuple[str, Gate]]
) -> tuple[NDArray[np.int64], list[str | None], list[StageCount]]:
    """Pass crystals through one gate after another.

    Returns
    -------
    kept
        Rows of the table that passed all gates, ascending.
    reasons
        One per row of the table; None for those kept.
    counts
        One per gate; what leaves a gate enters the next.
    """
    kept = np.arange(len(table), dtype=np.int64)
    reasons: list[str | None] = [None] * len(table)
    counts: list[StageCount] = []
    for name, gate in gates:
        verdicts = gate(table.select(kept))
        for row, verdict in zip(kept, verdicts, strict=True):
            reasons[row] = verdict
        counts.append(stage_count(name, verdicts))
        kept = kept[np.array([verdict is None for verdict in verdicts], dtype=bool)]
    return kept, reasons, counts


def stage_count(stage: str, reasons: Sequence[str | None]) -> StageCount:
    """Counters of a stage from one reason per crystal, None for those that passed."""
    stopped = Counter(reason for reason in reasons if reason is not None)
    n_out = len(reasons) - stopped.total()
    return StageCount(
        stage=stage, n_in=len(reasons), n_out=n_out, reasons=dict(sorted(stopped.items()))
    )
