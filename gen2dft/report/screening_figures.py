"""Figures of screening and validation: the funnel, distances to the hull, costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gen2dft.funnel import HITS_LEFT, StageCount
from gen2dft.properties import PROPERTIES
from gen2dft.report.data import ReportData
from gen2dft.report.style import (
    HIT,
    INK,
    MUTED,
    PASSED,
    SERIES,
    SURROGATE,
    TINTS,
    VALIDATED,
    grid_on,
    new_figure,
    plain_numbers,
    styled,
    whole_numbers,
)
from gen2dft.report.wording import counted, most_frequent_first, round_title, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gen2dft.store.documents import LabelDoc, RoundDoc

ROW = 0.27  # inches per stage of the funnel
AROUND = 0.75  # inches per round around them
LETTER = 0.0135  # width of a letter as a share of the reasons' axis
# A logarithmic axis has no zero: it begins here, so that one crystal is a visible bar and none is
# no bar.
LOG_ZERO = 0.7
SURROGATE_TIME = "surrogate (all workers)"
STAGES_IN_TIME = ("train", "propose", "screen", SURROGATE_TIME, "validate")
UNITS_OF_TIME = ((3600, "h"), (60, "min"), (1, "s"))
HULL_VIEW = (-0.2, 0.6)  # eV/atom; what lies outside is counted in the outermost bins
HULL_BINS = np.linspace(*HULL_VIEW, 41)

REASON: Mapping[str, Any] = {"height": 0.72, "edgecolor": "white", "linewidth": 0.8}
REASON_TEXT: Mapping[str, Any] = {"ha": "center", "va": "center", "fontsize": 8}
GATE_LINE: Mapping[str, Any] = {"color": SURROGATE, "linestyle": "--", "linewidth": 1.2}
TARGET_LINE: Mapping[str, Any] = {"color": HIT, "linestyle": ":", "linewidth": 1.6}
COST: Mapping[str, Any] = {"height": 0.55}
TIMES_LEGEND: Mapping[str, Any] = {
    "loc": "lower left", "bbox_to_anchor": (-0.02, 1), "ncols": 4,
    "columnspacing": 1.1, "handlelength": 1, "borderpad": 0.2,
}  # fmt: skip


@styled
def funnel(data: ReportData) -> Figure | None:
    """Survivors and reasons per stage, one row of panels per round."""
    rounds = [r for r in data.rounds if r.funnel]
    if not rounds:
        return None
    heights = [ROW * len(r.funnel) + AROUND for r in rounds]
    figure = new_figure(sum(heights))
    proportions = {"width_ratios": [1, 2.1], "height_ratios": heights}
    panels = figure.subplots(len(rounds), 2, squeeze=False, gridspec_kw=proportions)
    largest = max(stage.n_in for r in rounds for stage in r.funnel)
    for document, (left, right) in zip(rounds, panels, strict=True):
        _survivors(left, document, largest)
        _reasons(right, document.funnel)
    panels[0, 1].set_title("what became of those that entered the stage")
    panels[-1, 0].set_xlabel("crystals leaving the stage")
    panels[-1, 1].set_xlabel("share of those entering (%)")
    return figure


def _survivors(axes: Axes, document: RoundDoc, largest: int) -> None:
    stages = document.funnel
    rows = range(len(stages))
    bars = [max(stage.n_out, LOG_ZERO) for stage in stages]
    colours = [HIT if stage.stage in HITS_LEFT else PASSED for stage in stages]
    axes.barh(rows, bars, color=colours, height=0.72)
    axes.set_xscale("log")
    axes.set_xlim(LOG_ZERO, largest * 6)
    plain_numbers(axes, "x")
    for row, bar, stage in zip(rows, bars, stages, strict=True):
        number = f"{stage.n_out:,}"
        axes.text(bar * 1.12, row, number, va="center", fontsize=8.5)
    titles = [words(stage.stage) for stage in stages]
    axes.set_yticks(rows, titles)
    axes.set_ylim(len(stages) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.set_title(round_title(document.index))
    grid_on(axes, "x")


def _reasons(axes: Axes, stages: Sequence[StageCount]) -> None:
    for row, stage in enumerate(stages):
        if stage.n_in == 0:
            axes.text(1, row, "nothing entered", va="center", fontsize=8, color=MUTED)
        else:
            _stack_reasons(axes, row, stage)
    axes.set_xlim(0, 100)
    axes.set_ylim(len(stages) - 0.45, -0.55)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _stack_reasons(axes: Axes, row: int, stage: StageCount) -> None:
    """A bar of those that passed, then of the reasons, the most frequent first."""
    passed = stage.n_out / stage.n_in
    axes.barh(row, 100 * passed, left=0.0, color=PASSED, **REASON)
    _write_inside(axes, row, (0.0, passed), "", "white")
    start = passed
    reasons = most_frequent_first(stage.reasons)
    for (reason, count), colour in zip(reasons, itertools.cycle(TINTS), strict=False):
        share = count / stage.n_in
        name = words(reason)
        axes.barh(row, 100 * share, left=100 * start, color=colour, **REASON)
        _write_inside(axes, row, (start, share), name, INK)
        start += share


def _write_inside(
    axes: Axes, row: int, part: tuple[float, float], reason: str, colour: str
) -> None:
    """Write reason and per cent into a part of a bar, or as much of it as fits.

    Parameters
    ----------
    part
        Where it starts and how long it is, as shares of the bar.
    """
    start, share = part
    digits = 0 if share >= 0.01 else 1
    percent = f"{100 * share:.{digits}f}%"
    whole = f"{reason} {percent}".strip()
    for text in (whole, reason):
        if text and len(text) * LETTER <= share - 0.01:
            middle = 100 * (start + share / 2)
            axes.text(middle, row, text, color=colour, **REASON_TEXT)
            return


@styled
def hull_distances(data: ReportData) -> Figure | None:
    """Histograms of e_above_hull after the surrogate's relaxation and after validation."""
    screened = [p.surrogate_hull for p in data.points if p.surrogate_hull is not None]
    validated = list(_validated_distances(data.labels))
    if not screened and not validated:
        return None
    figure = new_figure(3.9)
    axes = figure.subplots()
    _histogram(axes, screened, f"screen: {_gate(data)}", SURROGATE)
    _histogram(axes, validated, f"validation: {_engines(data.labels)}", VALIDATED)
    _hull_lines(axes, data)
    note = _outside_note([*screened, *validated])
    hull_id = data.campaign.hull_id
    axes.set_xlabel(f"{PROPERTIES['e_above_hull'].axis}, hull {hull_id}{note}")
    axes.set_ylabel("candidates")
    axes.set_xlim(*HULL_VIEW)
    whole_numbers(axes.yaxis)
    grid_on(axes, "y")
    axes.legend(loc="upper right")
    return figure


def _validated_distances(labels: Sequence[LabelDoc]) -> Iterator[float]:
    for label in labels:
        value = label.own_values.get("e_above_hull")
        if value is not None:
            yield value


def _histogram(axes: Axes, values: Sequence[float], name: str, colour: str) -> None:
    if not values:
        return
    # Values outside the view are counted in the outermost bins, whose edges belong to no bin.
    low, high = HULL_VIEW
    clipped = np.clip(values, low + 1e-9, high - 1e-9)
    label = f"{name}, n = {len(values):,}"
    axes.hist(clipped, HULL_BINS, color=colour, alpha=0.35, label=label)
    axes.hist(clipped, HULL_BINS, color=colour, histtype="step", linewidth=1.4)


def _outside_note(distances: Sequence[float]) -> str:
    low, high = HULL_VIEW
    outside = sum(not low <= distance <= high for distance in distances)
    return f"; {outside} outside the view are in the outermost bins" if outside else ""


def _gate(data: ReportData) -> str:
    """Engine and preset of the screen."""
    gate = data.spec.screening.surrogate
    return f"{gate.engine} {gate.preset} (surrogate, not DFT)"


def _engines(labels: Sequence[LabelDoc]) -> str:
    """Engines with their presets, and whether they are surrogates."""
    names = set()
    for label in labels:
        kind = "" if label.is_dft else " (surrogate, not DFT)"
        names.add(f"{label.engine} {label.preset}{kind}")
    return ", ".join(sorted(names))


def _hull_lines(axes: Axes, data: ReportData) -> None:
    """The gate of the screen, the target's bound, and the hull itself."""
    axes.axvline(0, color=INK, linewidth=0.9)
    gate = data.spec.screening.surrogate.max_e_above_hull
    axes.axvline(gate, label=f"screen's limit {gate:g} eV/atom", **GATE_LINE)
    for target in data.spec.targets:
        if target.property == "e_above_hull" and target.max is not None:
            text = f"target: at most {target.max:g} eV/atom"
            axes.axvline(target.max, label=text, **TARGET_LINE)


@styled
def costs(data: ReportData) -> Figure | None:
    """Time per stage, core-hours of validation, oracle calls and hits, per round."""
    if not any(r.seconds for r in data.rounds):
        return None
    height = 0.5 * len(data.rounds) + 1.6
    figure = new_figure(max(2.6, height))
    panels = figure.subplots(1, 3, gridspec_kw={"width_ratios": [2.2, 1, 1.2]})
    times, hours, calls = panels
    rows = range(len(data.rounds))
    _times(times, data)
    _core_hours(hours, data)
    _oracle_calls(calls, data)
    for axes in panels:
        axes.set_ylim(len(rows) - 0.4, -0.6)
        grid_on(axes, "x")
        axes.set_yticks(rows, [""] * len(rows))
        axes.tick_params(axis="y", length=0)
    # The panels share their rows, which the first one names.
    titles = [round_title(r.index) for r in data.rounds]
    times.set_yticks(rows, titles)
    return figure


def _core_hours(axes: Axes, data: ReportData) -> None:
    hours = [data.core_hours(r.index) for r in data.rounds]
    axes.barh(range(len(hours)), hours, color=VALIDATED, **COST)
    texts = [f"{h:.3g}" for h in hours]
    _write_beside(axes, hours, texts)
    axes.set_xlabel("core-hours of validation")


def _oracle_calls(axes: Axes, data: ReportData) -> None:
    """Oracle calls, and in front of them their hits."""
    rows = range(len(data.rounds))
    calls = [r.dispatch_size for r in data.rounds]
    hits = [data.num_hits(r.index) for r in data.rounds]
    axes.barh(rows, calls, color=VALIDATED, alpha=0.35, **COST)
    axes.barh(rows, hits, color=HIT, **COST)
    pairs = zip(calls, hits, strict=True)
    texts = [f"{called:,}, {counted(hit, 'hit')}" for called, hit in pairs]
    _write_beside(axes, calls, texts)
    whole_numbers(axes.xaxis)
    axes.set_xlabel("oracle calls, of which hits")


def _times(axes: Axes, data: ReportData) -> None:
    """Stacked time per stage."""
    spent = [_spent(data, document) for document in data.rounds]
    stages = _stages_of(spent)
    longest = max(sum(seconds.values()) for seconds in spent)
    divisor, unit = _unit_of_time(longest)
    rows = range(len(spent))
    start = np.zeros(len(spent))
    for stage, colour in zip(stages, itertools.cycle(SERIES), strict=False):
        seconds = [times.get(stage, 0.0) for times in spent]
        lengths = np.array(seconds) / divisor
        bars = axes.barh(rows, lengths, left=start, color=colour, edgecolor="white", **COST)
        bars.set_label(words(stage))
        start += lengths
    axes.set_xlabel(f"time ({unit})")
    axes.legend(**TIMES_LEGEND)


def _spent(data: ReportData, document: RoundDoc) -> dict[str, float]:
    """Seconds per stage of a round, with those of the surrogate's workers."""
    surrogate = data.surrogate_seconds(document.index)
    return {**document.seconds, SURROGATE_TIME: surrogate}


def _stages_of(spent: Sequence[Mapping[str, float]]) -> list[str]:
    """Stages that took time, in the order of a round; names of an older version come last."""
    named: set[str] = set()
    took_time: set[str] = set()
    for times in spent:
        named.update(times)
        took_time.update(stage for stage, seconds in times.items() if seconds)
    known = [stage for stage in STAGES_IN_TIME if stage in took_time]
    others = named.difference(STAGES_IN_TIME)
    return [*known, *sorted(others)]


def _unit_of_time(longest: float) -> tuple[int, str]:
    """Seconds of a unit in which the longest time is 2 or more, and its symbol."""
    for seconds, symbol in UNITS_OF_TIME:
        if longest >= 2 * seconds:
            return seconds, symbol
    return UNITS_OF_TIME[-1]


def _write_beside(axes: Axes, values: Sequence[float], texts: Sequence[str]) -> None:
    """Write a text behind each bar, and leave room for it."""
    largest = max([*values, 0.0]) or 1.0
    gap = 0.02 * largest
    for row, value in enumerate(values):
        axes.text(value + gap, row, texts[row], va="center", fontsize=8.5)
    longest = max(len(text) for text in texts)
    room = 1.15 + 0.055 * longest
    axes.set_xlim(0, largest * room)
