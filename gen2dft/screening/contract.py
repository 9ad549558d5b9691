"""What every gate must do, as functions that its tests call."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from gen2dft.campaign.gate_list import RESERVED, WEIGHING
from gen2dft.campaign.part import Part
from gen2dft.crystals import CrystalTable
from gen2dft.screening.base import Gate, GateContext
from gen2dft.screening.gates import judge

GATE_NAME = re.compile(r"[a-z][a-z0-9-]*")
SENTENCE = re.compile(r"[^\n|]+\.")  # a bar would end the cell of the documents' table
REASON_NAME = re.compile(r"[a-z][a-z0-9_]*")
ROTATION = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
Transform = Callable[[CrystalTable], CrystalTable]


def validate_gate(
    gate: Gate[Any],
    table: CrystalTable,
    context: GateContext,
    invariances: Collection[str] | None = None,
) -> None:
    """Check what a gate declares, and that its verdicts depend on the crystal alone.

    Parameters
    ----------
    gate
        The gate, with its settings.
    table
        Crystals of which it stops some and lets others pass, none of them close to a limit.
    context
        What it may compare them with.
    invariances
        Names in `DISGUISES` of the changes that must not change a verdict; all unless given.

    Raises
    ------
    ValueError
        Names the first promise that is broken.
    """
    require_declarations(gate)
    require_verdicts(gate, table, context)
    require_independence(gate, table, context)
    for name in DISGUISES if invariances is None else invariances:
        require_invariance(gate, table, context, name)


def require_declarations(gate: Gate[Any]) -> None:
    """ValueError unless name, reasons and settings are as the funnel and the files need them."""
    is_kebab_case = GATE_NAME.fullmatch(gate.name) is not None
    _require(gate, is_kebab_case, "its name is not kebab-case")
    _require(gate, gate.name not in RESERVED, "its name is that of another stage")
    _require(gate, bool(gate.reasons), "it declares no reason")
    for reason, text in gate.reasons.items():
        is_snake_case = REASON_NAME.fullmatch(reason) is not None
        _require(gate, is_snake_case, f"reason {reason!r} is not snake_case")
        is_sentence = SENTENCE.fullmatch(text) is not None
        _require(gate, is_sentence, f"the text of {reason!r} is not one sentence on one line")
    _require(gate, issubclass(gate.Settings, Part), "its Settings are not a Part")
    _require(gate, isinstance(gate.settings, gate.Settings), "its settings are of another class")
    of_all = set(WEIGHING).intersection(gate.Settings.model_fields)
    _require(gate, not of_all, f"every gate has the settings {sorted(of_all)} already")
    dumped = gate.settings.model_dump(mode="json")
    read_again = gate.Settings.model_validate(dumped)
    _require(gate, read_again == gate.settings, "its settings do not survive the database")


def require_verdicts(gate: Gate[Any], table: CrystalTable, context: GateContext) -> None:
    """ValueError unless each crystal gets one declared reason or None, the same each time."""
    size, before = len(table), table.content_hash()
    verdicts = list(judge(gate, table, context))
    _require(gate, len(verdicts) == size, "it does not give one verdict per crystal")
    passed = verdicts.count(None)
    _require(gate, 0 < passed < size, "the crystals of the test do not try it")
    _require(gate, table.content_hash() == before, "it changes the table")
    again = list(judge(gate, table, context))
    _require(gate, again == verdicts, "it remembers earlier calls")
    nothing = table.select(np.arange(0))
    of_nothing = judge(gate, nothing, context)
    _require(gate, len(of_nothing) == 0, "it gives verdicts on an empty table")


def require_independence(gate: Gate[Any], table: CrystalTable, context: GateContext) -> None:
    """ValueError if a verdict depends on order or company, or changes for what has passed."""
    verdicts = np.array(judge(gate, table, context), dtype=object)
    passed = table.select(verdicts == None)  # noqa: E711 - elementwise
    again = judge(gate, passed, context)
    _require(gate, not any(again), "it stops what has passed it")
    if gate.depends_on_order:
        return
    some = np.arange(len(table))[::-2]
    theirs = judge(gate, table.select(some), context)
    same = list(theirs) == verdicts[some].tolist()
    _require(gate, same, "verdicts depend on order or company")


def require_invariance(
    gate: Gate[Any], table: CrystalTable, context: GateContext, name: str
) -> None:
    """ValueError if another description of the same crystals gets other verdicts."""
    disguised = DISGUISES[name](table)
    verdicts = list(judge(gate, table, context))
    theirs = list(judge(gate, disguised, context))
    _require(gate, theirs == verdicts, f"verdicts change for crystals that are {name}")


def _require(gate: Gate[Any], condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(f"not a valid gate: {gate.name!r}: {problem}")


def _translated(table: CrystalTable) -> CrystalTable:
    shift = np.array([0.21, 0.34, 0.47])
    moved = (table.frac + shift) % 1.0
    return CrystalTable(table.lattices, table.numbers, moved, table.offsets)


def _permuted(table: CrystalTable) -> CrystalTable:
    """Sites in reverse order: within a crystal, the last comes first."""
    sites = np.arange(len(table.numbers))
    order = np.lexsort([-sites, table.owners])
    return CrystalTable(table.lattices, table.numbers[order], table.frac[order], table.offsets)


def _turned(table: CrystalTable) -> CrystalTable:
    lattices = table.lattices @ ROTATION
    return CrystalTable(lattices, table.numbers, table.frac, table.offsets)


def _repeated(table: CrystalTable) -> CrystalTable:
    """Cells twice as long along their first axis."""
    lattices = table.lattices.copy()
    lattices[:, 0] *= 2
    # Each site twice, and its copies beside each other.
    numbers = np.repeat(table.numbers, 2)
    frac = np.repeat(table.frac, 2, axis=0)
    frac[1::2, 0] += 1
    frac[:, 0] /= 2
    return CrystalTable(lattices, numbers, frac, 2 * table.offsets)


DISGUISES: dict[str, Transform] = {
    "translated": _translated,
    "permuted": _permuted,
    "turned": _turned,
    "repeated": _repeated,
}
"""Other descriptions of the same crystals: origin, order of sites, axes, a supercell."""
