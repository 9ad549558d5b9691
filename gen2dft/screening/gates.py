"""The cheap gates of a campaign in their order, and the funnel that counts what they stop."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import ScreeningSpec
from gen2dft.campaign.gate_list import GROUP, without_weighing
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import CampaignError, not_one_of
from gen2dft.funnel import StageCount
from gen2dft.plugins import SHIPPED, package_of, registry
from gen2dft.screening.base import Gate, GateContext
from gen2dft.screening.elements import allowed_elements

# Other packages add gates by entry points of this group, each naming a subclass of Gate.
GATES: dict[str, Callable[[], type[Gate[Any]]]] = registry(GROUP)

Judge = Callable[[CrystalTable], Sequence[str | None]]
"""From crystals to one reason each; None lets a crystal pass."""


class PlannedGate(NamedTuple):
    """A gate of a campaign, ready to judge.

    Parameters
    ----------
    name
        In the registry and in the funnel.
    judge
        Its verdicts.
    ratio
        What the chance of a crystal that it finds a fault in is multiplied by; None: it refuses.
    """

    name: str
    judge: Judge
    ratio: float | None = None


class Gated(NamedTuple):
    """What gates made of n crystals.

    Parameters
    ----------
    kept
        Rows of the table that passed all gates, ascending.
    reasons
        One per row of the table; None for those kept.
    counts
        One per gate; what leaves a gate enters the next.
    weighed
        Row to each reason for which a gate weighed it, and that gate's ratio.
    """

    kept: NDArray[np.int64]
    reasons: list[str | None]
    counts: list[StageCount]
    weighed: dict[int, dict[str, float]]


def load_gate(name: str, settings: Mapping[str, Any] | None = None) -> Gate[Any]:
    """A registered gate with its settings; CampaignError names the choices."""
    if name not in GATES:
        raise CampaignError(not_one_of("gate", name, GATES))
    gate = GATES[name]()
    return gate(gate.Settings.model_validate(settings or {}))


def screening_gates(
    spec: ScreeningSpec,
    known: Dataset,
    earlier: CrystalTable | None = None,
    phases: frozenset[str] = frozenset(),
) -> list[PlannedGate]:
    """The gates that a campaign asks for, in their order.

    Parameters
    ----------
    known
        Training set: its elements are allowed unless the spec names others, candidates have as many
        different ones as its crystals, and must differ from it.
    earlier
        Candidates of earlier rounds, which are not to be computed again.
    phases
        Formulas of the hull, which are known although it has no structures.

    Raises
    ------
    CampaignError
        If the spec names something that is not an element.
    """
    context = gate_context(spec, known, earlier, phases)
    gates: list[PlannedGate] = []
    for name, settings in spec.plan:
        own, ratio = without_weighing(settings)
        gate = load_gate(name, own)
        judges = functools.partial(judge, gate, context=context)
        gates.append(PlannedGate(name, judges, ratio))
    return gates


def gate_context(
    spec: ScreeningSpec,
    known: Dataset,
    earlier: CrystalTable | None = None,
    phases: frozenset[str] = frozenset(),
) -> GateContext:
    """What gates may compare with; parameters and errors as those of `screening_gates`."""
    allowed = allowed_elements(spec, known.crystals)
    num_elements = frozenset(known.crystals.num_elements.tolist())
    return GateContext(known, allowed, num_elements, earlier, phases)


def judge(gate: Gate[Any], table: CrystalTable, context: GateContext) -> Sequence[str | None]:
    """The verdicts of a gate.

    Raises
    ------
    ValueError
        The gate gave a reason that it does not declare: the funnel would count what nobody can
        look up.
    """
    verdicts = gate.judge(table, context)
    undeclared = set(verdicts) - {None, *gate.reasons}
    if undeclared:
        raise ValueError(
            f"gate {gate.name!r} gave {undeclared}, but declares {sorted(gate.reasons)}"
        )
    return verdicts


def run_gates(table: CrystalTable, gates: Sequence[PlannedGate]) -> Gated:
    """Pass crystals through one gate after another; those that a gate weighs go on to the next."""
    kept = np.arange(len(table), dtype=np.int64)
    reasons: list[str | None] = [None] * len(table)
    counts: list[StageCount] = []
    weighed: dict[int, dict[str, float]] = {}
    for gate in gates:
        verdicts = gate.judge(table.select(kept))
        package = package_of(GROUP, gate.name)
        if gate.ratio is not None:
            counts.append(weighed_count(gate.name, verdicts, package))
            _weigh(weighed, kept, verdicts, gate.ratio)
            continue
        for row, verdict in zip(kept, verdicts, strict=True):
            reasons[row] = verdict
        counts.append(stage_count(gate.name, verdicts, package))
        passed = [verdict is None for verdict in verdicts]
        kept = kept[np.array(passed, dtype=bool)]
    return Gated(kept, reasons, counts, weighed)


def _weigh(
    weighed: dict[int, dict[str, float]],
    rows: NDArray[np.int64],
    verdicts: Sequence[str | None],
    ratio: float,
) -> None:
    """Write the ratio to each row that a gate finds a fault in."""
    for row, verdict in zip(rows.tolist(), verdicts, strict=True):
        if verdict is not None:
            weighed.setdefault(row, {})[verdict] = ratio


def stage_count(
    stage: str, reasons: Sequence[str | None], package: str | None = None
) -> StageCount:
    """Counters of a stage from one reason per crystal, None for those that passed.

    Parameters
    ----------
    package
        Name and version of the package that brings the stage, if it does not ship.
    """
    stopped = Counter(reason for reason in reasons if reason is not None)
    by_reason = dict(sorted(stopped.items()))
    n_in = len(reasons)
    n_out = n_in - stopped.total()
    return StageCount(stage=stage, n_in=n_in, n_out=n_out, reasons=by_reason, package=package)


def weighed_count(
    stage: str, reasons: Sequence[str | None], package: str | None = None
) -> StageCount:
    """Counters of a gate that weighs: nothing is lost. Parameters as those of `stage_count`."""
    refused = stage_count(stage, reasons, package)
    update = {"n_out": refused.n_in, "reasons": {}, "weighed": refused.reasons}
    return refused.model_copy(update=update)


def table() -> str:
    """The gates that ship and their reasons as a Markdown table, for docs/gates.md."""
    lines = ["| gate | reason | a crystal is stopped because |", "|---|---|---|"]
    for name in SHIPPED[GROUP]:
        for reason, sentence in GATES[name]().reasons.items():
            lines.append(f"| `{name}` | `{reason}` | {sentence} |")
    return "\n".join(lines)
