"""Figures of the generator's training: loss curves, and predictions against labels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.doubts import doubts_of
from gen2dft.properties import Property
from gen2dft.report.data import ReportData
from gen2dft.report.pairs import Pairs
from gen2dft.report.style import (
    INK,
    MUTED,
    SERIES,
    WIDTH,
    grid_on,
    hide,
    new_figure,
    plain_numbers,
    styled,
)
from gen2dft.report.wording import pretty, round_title, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
NOT_TERMS = ("epoch", "lr", "learning_rate", "seconds")
TERM_TITLES = {"loss": "total loss", "kl": "KL divergence"}
CURVES = (("", "-", "training"), ("val_", "--", "held out"))  # prefix in the history, line, name
LOG_SPAN = 8  # largest over smallest loss from which a logarithmic axis shows more
NEW_ROUND: Mapping[str, Any] = {"color": MUTED, "linestyle": ":", "linewidth": 1}
POINTS: Mapping[str, Any] = {"s": 16, "color": SERIES[0], "linewidths": 0}
OPEN_POINTS: Mapping[str, Any] = {
    "s": 16,
    "facecolors": "none",
    "edgecolors": SERIES[0],
    "linewidths": 1,
}
ERRORS: Mapping[str, Any] = {"fmt": "none", "ecolor": MUTED, "elinewidth": 0.8, "zorder": 0.95}
DIAGONAL: Mapping[str, Any] = {"color": INK, "linewidth": 0.9, "zorder": 0.9}
SYMLOG: Mapping[str, Any] = {"linthresh": 1.0, "linscale": 0.8}
SYMLOG_TICKS = (0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


@styled
def training(data: ReportData) -> Figure | None:
    """One panel per loss term over all epochs of all rounds; held-out values are dashed."""
    histories = [r.training["history"] for r in data.rounds if r.training.get("history")]
    if not histories:
        return None
    epochs = [row for history in histories for row in history]
    terms = _terms(epochs)
    ends = np.cumsum([len(history) for history in histories])
    figure, panels = _panels_of_terms(len(terms))
    for axes, term, colour in zip(panels, terms, itertools.cycle(SERIES), strict=False):
        _curve(axes, epochs, ends[:-1], term, colour)
        for end in ends[:-1]:
            axes.axvline(end + 0.5, **NEW_ROUND)
    panels[0].legend(loc="upper right")
    return figure


def _terms(epochs: Sequence[Mapping[str, float]]) -> list[str]:
    """Terms of the loss in a history, the total first."""
    keys = {key for row in epochs for key in row}
    terms = {key.removeprefix("val_") for key in keys.difference(NOT_TERMS)}
    return sorted(terms, key=lambda term: (term != "loss", term))


def _panels_of_terms(number: int) -> tuple[Figure, Sequence[Axes]]:
    """A figure with a panel per term, at most three side by side."""
    columns = 2 if number in (2, 4) else min(number, 3)
    lines = math.ceil(number / columns)
    figure = new_figure(2.5 * lines + 0.2)
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True).ravel()
    hide(panels[number:])
    # The lowest panel of each column, which is not in the last line where that has a gap.
    for axes in panels[max(0, number - columns) : number]:
        axes.set_xlabel("epoch, all rounds")
        axes.tick_params(labelbottom=True)
    return figure, panels


def _curve(
    axes: Axes,
    epochs: Sequence[Mapping[str, float]],
    ends: NDArray[np.int64],
    term: str,
    colour: str,
) -> None:
    """One term's curves; `ends` are the epochs that end a round."""
    at = np.arange(1.0, len(epochs) + 1)
    shown = []
    for prefix, line, name in CURVES:
        losses = [row.get(prefix + term, math.nan) for row in epochs]
        values = np.array(losses, dtype=float)
        known = values[np.isfinite(values)]
        if len(known):
            # NaN between two rounds: no line joins the end of one training to the start of
            # the next.
            x = np.insert(at, ends, math.nan)
            y = np.insert(values, ends, math.nan)
            axes.plot(x, y, line, color=colour, label=name)
            shown.append(known)
    _scale_losses(axes, shown)
    axes.set_title(TERM_TITLES.get(term, words(term)))
    axes.set_ylabel("loss (no unit)")
    grid_on(axes, "y")


def _scale_losses(axes: Axes, shown: Sequence[Floats]) -> None:
    """Use a logarithmic axis if the losses are positive and span more than `LOG_SPAN`."""
    if not shown:
        return
    losses = np.concatenate(shown)
    lowest, highest = losses.min(), losses.max()
    if lowest > 0 and highest > LOG_SPAN * lowest:
        axes.set_yscale("log")
        plain_numbers(axes, "y")


@styled
def parity(data: ReportData) -> Figure | None:
    """Prediction against label on held-out crystals, one panel per property, of the last trained
    generator.
    """
    trained = [r for r in data.rounds if r.training.get("heldout")]
    if not trained:
        return None
    last = trained[-1]
    heldout = last.training["heldout"].items()
    pairs = {name: Pairs.of(found["truth"], found["predicted"]) for name, found in heldout}
    known = data.spec.known_properties
    panels = {known[name]: pair for name, pair in pairs.items()}
    return _parity_panels(panels, ("label", "prediction"), round_title(last.index))


@styled
def calibration(data: ReportData) -> Figure | None:
    """Values that the screens expected of validated candidates, against their labels.

    Bars are the errors that labels state, open symbols labels in doubt.
    """
    pairs = {}
    for name, rows in _computed_and_expected(data).items():
        computed, expected, errors, doubtful = zip(*rows, strict=True)
        pairs[name] = Pairs.of(computed, expected, errors, doubtful)
    engines = sorted({label.engine for label in data.labels})
    known = data.spec.known_properties
    panels = {known[name]: pair for name, pair in pairs.items()}
    return _parity_panels(panels, ("label", "expected"), ", ".join(engines))


def _computed_and_expected(data: ReportData) -> dict[str, list[tuple[float, float, float, bool]]]:
    """Property to rows: the value of a label, the value expected of the same candidate, the error
    that the label states, and whether it is in doubt.
    """
    expected = {point.candidate_id: point.predicted for point in data.points}
    found: dict[str, list[tuple[float, float, float, bool]]] = {}
    for label in data.labels:
        predicted = expected.get(label.candidate_id, {})
        # What the screen itself told is no check of it.
        for name, value in label.own_values.items():
            if name in predicted and name in data.spec.known_properties:
                rows = found.setdefault(name, [])
                in_doubt = bool(doubts_of(name, label.doubts))
                rows.append((value, predicted[name], label.errors.get(name, 0.0), in_doubt))
    return found


def _parity_panels(
    pairs: dict[Property, Pairs], sides: tuple[str, str], source: str
) -> Figure | None:
    shown = {prop: pair for prop, pair in pairs.items() if len(pair)}
    if not shown:
        return None
    columns = min(len(shown), 3)
    lines = math.ceil(len(shown) / columns)
    width = WIDTH * min(1.0, (columns + 0.15) / 3)
    # A little higher than three panels need: two or one are wider, and keep their titles whole.
    figure = new_figure(4.1 * lines, width)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (prop, pair) in zip(panels, shown.items(), strict=False):
        _scatter_pair(axes, prop, pair)
        _title_parity(axes, prop, sides, source)
    hide(panels[len(shown) :])
    return figure


def _scatter_pair(axes: Axes, prop: Property, pair: Pairs) -> None:
    """Draw points about the diagonal, on axes of equal scale, and write their mean error."""
    # The more points, the fainter each: crowds stay readable, few points visible.
    alpha = min(0.75, 0.15 + 40 / len(pair))
    if pair.errors.any():
        axes.errorbar(pair.truth, pair.predicted, xerr=pair.errors, **ERRORS)
    sure = ~pair.is_doubtful
    axes.scatter(pair.truth[sure], pair.predicted[sure], alpha=alpha, **POINTS)
    if pair.is_doubtful.any():
        doubtful = pair.is_doubtful
        axes.scatter(pair.truth[doubtful], pair.predicted[doubtful], alpha=alpha, **OPEN_POINTS)
    axes.locator_params(nbins=6)
    limits = _equal_limits(axes, prop, pair)
    axes.plot(limits, limits, **DIAGONAL)
    axes.set(xlim=limits, ylim=limits)
    axes.set_box_aspect(1)
    figures = _error_text(prop, pair)
    axes.text(0, 1.02, figures, transform=axes.transAxes, va="bottom", fontsize=8.5)
    grid_on(axes, "both")


def _equal_limits(axes: Axes, prop: Property, pair: Pairs) -> tuple[float, float]:
    """Limits of both axes, which hold all points."""
    low, high = pair.least, pair.greatest
    if prop.transform == "log1p":
        return _spread_small_values(axes, low, high)
    margin = 0.04 * (high - low) or 0.1
    return low - margin, high + margin


def _error_text(prop: Property, pair: Pairs) -> str:
    """Mean absolute error, and in brackets that of guessing the mean of the labels."""
    error = _mean_absolute(pair.predicted - pair.truth)
    guess = _mean_absolute(pair.truth - pair.truth.mean())
    # A condition (`at tau = 1e-14 s`) would not fit; the axes say it.
    unit, *_ = prop.unit.partition(" at ")
    errors = f"MAE {error:.2g} [{guess:.2g}] {pretty(unit)}"
    return f"{errors}, n = {len(pair):,}"


def _mean_absolute(values: Floats) -> float:
    return float(np.abs(values).mean())


def _title_parity(axes: Axes, prop: Property, sides: tuple[str, str], source: str) -> None:
    known, expected = sides
    axes.set_title(f"{prop.title}, {source}", pad=19)
    axes.set_xlabel(wrapped(f"{known}: ", prop))
    axes.set_ylabel(wrapped(f"{expected}: ", prop))


def _spread_small_values(axes: Axes, low: float, high: float) -> tuple[float, float]:
    """Scale a skewed positive property, linear up to 1 and logarithmic above; return the limits."""
    axes.set_xscale("symlog", **SYMLOG)
    axes.set_yscale("symlog", **SYMLOG)
    ticks = [tick for tick in SYMLOG_TICKS if tick <= 1.4 * high]
    texts = [f"{tick:g}" for tick in ticks]
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(ticks, texts)
        set_ticks([], minor=True)
    return min(low, 0.0) - 0.1, 1.25 * high


def wrapped(before: str, prop: Property) -> str:
    """Axis label of a property after the words `before`; a long unit goes to a second line."""
    text = pretty(before + prop.axis)
    if len(text) <= 42:
        return text
    return text.replace(" (", "\n(", 1)
