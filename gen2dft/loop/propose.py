"""The first half of `ask`: draw, sieve, shortlist. It gives the crystals that are screened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gen2dft.funnel import StageCount
from gen2dft.loop.draw import draw
from gen2dft.loop.shortlist import shortlist
from gen2dft.loop.sieve import Sifted, sieve
from gen2dft.loop.view import View
from gen2dft.screening.gates import stage_count


@dataclass(frozen=True, eq=False)
class Proposed:
    """All draws of a round.

    Parameters
    ----------
    parts
        What became of each arm's draws, in the order of the view's arms.
    counts
        Counters of the stages from `sample` to `shortlist`.
    """

    parts: tuple[Sifted, ...]
    counts: tuple[StageCount, ...]

    @property
    def repairs(self) -> dict[str, int]:
        """What was put right in decoded crystals, by name, and how often."""
        total: Counter[str] = Counter()
        for part in self.parts:
            total.update(part.drawn.proposal.repairs)
        return dict(total)


def propose(view: View) -> Proposed:
    """Draw from every arm and find what the surrogate shall relax.

    The same view gives the same draws: randomness comes from the campaign's seed, the round and
    the arm alone.
    """
    drawn = [draw(view, arm) for arm in view.arms]
    parts, counts = sieve(view, drawn)
    late: list[str | None] = []
    for part in parts:
        listed = shortlist(view, part)
        rows = part.drawn.proposal.kept[part.kept]
        for row, reason in zip(rows, listed, strict=True):
            part.reasons[row] = reason
        late += listed
    count = stage_count("shortlist", late)
    return Proposed(tuple(parts), (*counts, count))
