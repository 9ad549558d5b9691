"""The figure of `gen2dft bench-loop`: hits per oracle call with intervals, and hits as calls are
spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.report.style import SERIES, grid_on, new_figure, png, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gen2dft.statistics import Interval

LEAST_HEIGHT, PER_PLAN, AROUND = 3.2, 0.4, 1.6  # inches: of the figure, of a bar, of the axes
BAR: Mapping[str, Any] = {"height": 0.55, "alpha": 0.8}
INTERVAL: Mapping[str, Any] = {"color": "black", "capsize": 3, "linewidth": 1.2}


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
    height = PER_PLAN * len(rates) + AROUND
    figure = new_figure(max(LEAST_HEIGHT, height))
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.2]})
    for place, (name, rate) in enumerate(rates.items()):
        colour = SERIES[place % len(SERIES)]
        _draw_rate(left, place, rate, colour)
        curve = _mean_hits(hits[name])
        calls = np.arange(1, len(curve) + 1)
        right.plot(calls, curve, color=colour, label=name)
    _dress_rates(left, list(rates))
    _dress_curves(right)
    return png(figure)


def _draw_rate(axes: Axes, place: int, rate: Interval, colour: str) -> None:
    """One plan's bar with its interval."""
    below = rate.value - rate.low
    above = rate.high - rate.value
    arms = [[below], [above]]
    axes.barh(place, rate.value, color=colour, **BAR)
    axes.errorbar(rate.value, place, xerr=arms, **INTERVAL)


def _mean_hits(runs: Sequence[Sequence[bool]]) -> NDArray[np.float64]:
    """Hits after each call, mean over the seeds."""
    # Seeds may have spent different numbers of calls: the mean ends where the first run ends.
    length = min(len(run) for run in runs)
    found = [np.cumsum(run[:length]) for run in runs]
    return np.asarray(np.mean(found, axis=0))


def _dress_rates(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)  # the first plan on top
    axes.set_xlim(left=0)
    axes.set_xlabel("hits per oracle call, with 95 % interval")
    grid_on(axes, "x")


def _dress_curves(axes: Axes) -> None:
    axes.set_xlabel("oracle calls")
    axes.set_ylabel("hits, mean over seeds")
    axes.legend(loc="upper left")
    grid_on(axes, "both")
