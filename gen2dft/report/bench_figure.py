"""The figure of `gen2dft bench-loop`: hits per oracle call with intervals, and hits as calls are
spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gen2dft.report.style import SERIES, grid_on, new_figure, png, styled

if TYPE_CHECKING:
    from gen2dft.statistics import Interval


@styled
def loop_figure(
    rates: Mapping[str, Interval], hits: Mapping[str, Sequence[Sequence[bool]]]
) -> bytes:
    """Draw the comparison as PNG.

    Parameters
    ----------
    rates
        Plan to hits per oracle call.
    hits
        Plan to one list per seed: whether each call, in order, was a hit.
    """
    figure = new_figure(max(3.2, 0.4 * len(rates) + 1.6))
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.2]})
    for place, (name, rate) in enumerate(rates.items()):
        colour = SERIES[place % len(SERIES)]
        ends = [[rate.value - rate.low], [rate.high - rate.value]]
        left.barh(place, rate.value, color=colour, height=0.55, alpha=0.8)
        left.errorbar(rate.value, place, xerr=ends, color="black", capsize=3, linewidth=1.2)
        length = min(len(run) for run in hits[name])
        curve = np.mean([np.cumsum(run[:length]) for run in hits[name]], axis=0)
        right.plot(np.arange(1, length + 1), curve, color=colour, label=name)
    left.set_yticks(range(len(rates)), list(rates))
    left.set_ylim(len(rates) - 0.4, -0.6)
    left.set_xlim(left=0)
    left.set_xlabel("hits per oracle call, with 95 % interval")
    right.set_xlabel("oracle calls")
    right.set_ylabel("hits, mean over seeds")
    right.legend(loc="upper left")
    grid_on(left, "x")
    grid_on(right, "both")
    return png(figure)
