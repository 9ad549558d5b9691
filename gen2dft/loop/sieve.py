"""Pass what all arms have drawn through the cheap gates: one reason, or None, for every draw."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.funnel import StageCount
from gen2dft.heads.base import Prediction
from gen2dft.loop.draw import Drawn
from gen2dft.loop.view import View
from gen2dft.screening.duplicates import DUPLICATE_IN_BATCH
from gen2dft.screening.gates import run_gates, screening_gates, stage_count
from gen2dft.screening.novelty import StructureIndex
from gen2dft.store.documents import weight_of

Reasons = list[str | None]


@dataclass(frozen=True, eq=False)
class Sifted:
    """What became of one arm's draws.

    Parameters
    ----------
    reasons
        One per draw; None for those that passed so far.
    kept
        (k,) rows, among the crystals of the proposal, of those that the gates let through.
    predicted
        Predictions for these k crystals.
    also_from
        Row of a kept crystal to the other sources that drew the same crystal.
    weighed
        Row of a crystal of the proposal to each reason for which a gate weighed it, and that
        gate's ratio.
    """

    drawn: Drawn
    reasons: Reasons
    kept: NDArray[np.int64]
    predicted: Prediction
    also_from: dict[int, list[str]] = field(default_factory=dict)
    weighed: dict[int, dict[str, float]] = field(default_factory=dict)

    @property
    def crystals(self) -> CrystalTable:
        """(k,) crystals that the gates let through."""
        return self.drawn.proposal.crystals.select(self.kept)

    @property
    def weights(self) -> NDArray[np.float64]:
        """(k,) what weighing gates leave of the chance of each kept crystal; 1 without any."""
        found = [weight_of(self.weighed.get(row, {})) for row in self.kept.tolist()]
        return np.array(found, dtype=np.float64)


def sieve(view: View, drawn: Sequence[Drawn]) -> tuple[list[Sifted], list[StageCount]]:
    """Pass the crystals of all arms through the cheap gates.

    Returns
    -------
    One result per arm, in the order given, and the counters of the stages `sample`, `invert` and
    of each gate.
    """
    order = in_turn(view, drawn)
    tables = [part.proposal.crystals for part in order]
    table = CrystalTable.concatenate(tables)
    phases = view.screen_hull.formulas
    gates = screening_gates(view.spec.screening, view.known, view.earlier, phases)
    gated = run_gates(table, gates)
    sifted: dict[tuple[str, str], Sifted] = {}
    start = 0
    for part in order:
        end = start + len(part.proposal.crystals)
        found = sift(part, gated.reasons[start:end])
        for row in range(start, end):
            if row in gated.weighed:
                found.weighed[row - start] = gated.weighed[row]
        sifted[part.arm.key] = found
        start = end
    _name_shared(list(sifted.values()), table, gated.reasons, order)
    results = [sifted[part.arm.key] for part in drawn]
    return results, [*_counts_of_draws(drawn), *gated.counts]


def _counts_of_draws(drawn: Sequence[Drawn]) -> list[StageCount]:
    """Counters of the stages `sample` and `invert`."""
    number = sum(len(part.proposal) for part in drawn)
    lost: Reasons = []
    for part in drawn:
        lost += part.proposal.reasons
    sampled = StageCount(stage="sample", n_in=number, n_out=number)
    inverted = stage_count("invert", lost)
    return [sampled, inverted]


def in_turn(view: View, drawn: Sequence[Drawn]) -> list[Drawn]:
    """The arms in the order of this round.

    Of two equal crystals the later one is a duplicate, so each arm comes first in its turn.
    """
    order = deque(drawn)
    order.rotate(view.index)
    return list(order)


def sift(drawn: Drawn, stopped: Sequence[str | None]) -> Sifted:
    """The result for one arm.

    Parameters
    ----------
    stopped
        The gates' reason for each crystal of the arm's proposal.
    """
    proposal = drawn.proposal
    reasons: Reasons = list(proposal.reasons)
    for row, reason in zip(proposal.kept, stopped, strict=True):
        reasons[row] = reason
    passed = [reason is None for reason in stopped]
    kept = np.flatnonzero(passed)
    crystals = proposal.crystals.select(kept)
    predicted = drawn.arm.model.head.predict(crystals)
    return Sifted(drawn, reasons, kept, predicted)


def _name_shared(
    sifted: Sequence[Sifted],
    table: CrystalTable,
    stopped: Sequence[str | None],
    order: Sequence[Drawn],
) -> None:
    """Write to each kept crystal which other sources drew it too.

    Nobody can tell who deserves a crystal that two sources propose, so it counts for both.
    """
    sources = [part.arm.source for part in order for _ in range(len(part.proposal.crystals))]
    twice = [row for row, reason in enumerate(stopped) if reason == DUPLICATE_IN_BATCH]
    if not twice or len(set(sources)) == 1:
        return
    formulas = table.formulas()
    wanted = {formulas[row] for row in twice}
    index = StructureIndex()
    places: dict[str, tuple[Sifted, int]] = {}
    row = 0
    for part in sifted:
        kept = set(part.kept.tolist())
        for place in range(len(part.drawn.proposal.crystals)):
            if place in kept and formulas[row] in wanted:
                index.add(table, row, formulas[row], str(row))
                places[str(row)] = (part, place)
            row += 1
    for row in twice:
        match = index.match_row(table, row, formulas[row])
        if match is None:
            continue
        part, place = places[match]
        others = part.also_from.setdefault(place, [])
        if sources[row] != part.drawn.arm.source and sources[row] not in others:
            others.append(sources[row])
