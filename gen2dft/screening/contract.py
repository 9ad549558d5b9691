"""What every gate must do, as functions that its tests call."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign.part import Part
from gen2dft.crystals import CrystalTable
from gen2dft.screening.base import Gate, GateContext
from gen2dft.screening.gates import judge

GATE_NAME = re.compile(r"[a-z][a-z0-9-]*")
REASON_NAME = re.compile(r"[a-z][a-z0-9_]*")
ROTATION = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
SUPERCELL = np.array([2, 1, 2])
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
    _require(gate, bool(gate.reasons), "it declares no reason")
    for reason, sentence in gate.reasons.items():
        is_snake_case = REASON_NAME.fullmatch(reason) is not None
        _require(gate, is_snake_case, f"reason {reason!r} is not snake_case")
        is_sentence = sentence.endswith(".") and "\n" not in sentence and "|" not in sentence
        _require(gate, is_sentence, f"the text of {reason!r} is not one sentence on one line")
    _require(gate, issubclass(gate.Settings, Part), "its Settings are not a Part")
    _require(gate, isinstance(gate.settings, gate.Settings), "its settings are of another class")
    dumped = gate.settings.model_dump(mode="json")
    read_again = gate.Settings.model_validate(dumped)
    _require(gate, read_again == gate.settings, "its settings do not survive the database")


def require_verdicts(gate: Gate[Any], table: CrystalTable, context: GateContext) -> None:
    """ValueError unless each crystal gets one declared reason or None, the same each time."""
    before = table.content_hash()
    verdicts = list(judge(gate, table, context))
    _require(gate, len(verdicts) == len(table), "it does not give one verdict per crystal")
    stopped = sum(verdict is not None for verdict in verdicts)
    _require(gate, 0 < stopped < len(table), "the crystals of the test do not try it")
    _require(gate, table.content_hash() == before, "it changes the table")
    again = list(judge(gate, table, context))
    _require(gate, again == verdicts, "it remembers earlier calls")
    nothing = judge(gate, table.select(np.arange(0)), context)
    _require(gate, len(nothing) == 0, "it gives verdicts on an empty table")


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
    sites = np.arange(len(table.numbers))
    turned_round = [sites[table.sites(i)][::-1] for i in range(len(table))]
    order = np.concatenate(turned_round)
    return CrystalTable(table.lattices, table.numbers[order], table.frac[order], table.offsets)


def _turned(table: CrystalTable) -> CrystalTable:
    lattices = table.lattices @ ROTATION
    return CrystalTable(lattices, table.numbers, table.frac, table.offsets)


def _repeated(table: CrystalTable) -> CrystalTable:
    along_axes = [range(int(times)) for times in SUPERCELL]
    shifts = np.array(list(product(*along_axes)))
    numbers: list[NDArray[np.uint8]] = []
    frac: list[NDArray[np.float64]] = []
    for i in range(len(table)):
        sites = table.sites(i)
        copies = shifts[:, None, :] + table.frac[sites]
        numbers.append(np.tile(table.numbers[sites], len(shifts)))
        frac.append(copies.reshape(-1, 3) / SUPERCELL)
    lattices = table.lattices * SUPERCELL[:, None]
    return CrystalTable.from_arrays(lattices, numbers, frac)


DISGUISES: dict[str, Transform] = {
    "translated": _translated,
    "permuted": _permuted,
    "turned": _turned,
    "repeated": _repeated,
}
"""Other descriptions of the same crystals: origin, order of sites, axes, a supercell."""
