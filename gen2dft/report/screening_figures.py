"""Figures of screening and validation: the funnel, distances to the hull, costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
)
from gen2dft.report.wording import round_title, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gen2dft.store.documents import RoundDoc

ROW = 0.27  # inches per stage of the funnel
LETTER = 0.0135  # width of a letter as a share of the reasons' axis
SURROGATE_TIME = "surrogate (all workers)"
STAGES_IN_TIME = ("train", "propose", "screen", SURROGATE_TIME, "validate")
HULL_VIEW = (-0.2, 0.6)  # eV/atom; what lies outside is counted in the outermost bins


@styled
def funnel(data: ReportData) -> Figure | None:
    """Survivors and reasons per stage, one row of panels per round."""
    rounds = [r for r in data.rounds if r.funnel]
    if not rounds:
        return None
    heights = [ROW * len(r.funnel) + 0.75 for r in rounds]
    figure = new_figure(sum(heights))
    panels = figure.subplots(
        len(rounds),
        2,
        squeeze=False,
        gridspec_kw={"width_ratios": [1, 2.1], "height_ratios": heights},
    )
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
    rows = np.arange(len(stages))
    counts = np.array([stage.n_out for stage in stages])
    colours = [HIT if stage.stage in HITS_LEFT else PASSED for stage in stages]
    # A logarithmic axis has no zero: it begins at 0.7, so that one crystal is a visible bar and
    # none is no bar.
    axes.barh(rows, np.where(counts > 0, counts, 0.7), color=colours, height=0.72)
    axes.set_xscale("log")
    axes.set_xlim(0.7, largest * 6)
    plain_numbers(axes, "x")
    for row, count in zip(rows, counts, strict=True):
        axes.text(max(count, 0.7) * 1.12, row, f"{count:,}", va="center", fontsize=8.5)
    axes.set_yticks(rows, [words(stage.stage) for stage in stages])
    axes.set_ylim(len(stages) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.set_title(round_title(document.index))
    grid_on(axes, "x")


def _reasons(axes: Axes, stages: Sequence[StageCount]) -> None:
    for row, stage in enumerate(stages):
        if stage.n_in == 0:
            axes.text(1, row, "nothing entered", va="center", fontsize=8, color=MUTED)
            continue
        parts = [("passed", stage.n_out), *sorted(stage.reasons.items(), key=lambda item: -item[1])]
        start = 0.0
        for number, (reason, count) in enumerate(parts):
            share = count / stage.n_in
            colour = PASSED if number == 0 else TINTS[(number - 1) % len(TINTS)]
            axes.barh(
                row,
                100 * share,
                left=100 * start,
                color=colour,
                height=0.72,
                edgecolor="white",
                linewidth=0.8,
            )
            _label_part(
                axes, row, start, share, "" if number == 0 else f"{words(reason)} ", number == 0
            )
            start += share
    axes.set_xlim(0, 100)
    axes.set_ylim(len(stages) - 0.45, -0.55)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _label_part(axes: Axes, row: int, start: float, share: float, text: str, passed: bool) -> None:
    """Write reason and per cent into a part of a bar, or as much of it as fits."""
    percent = f"{100 * share:.0f}%" if share >= 0.01 else f"{100 * share:.1f}%"
    fitting = next(
        (t for t in (f"{text}{percent}", text.strip()) if t and len(t) * LETTER <= share - 0.01),
        None,
    )
    if fitting:
        colour = "white" if passed else INK
        axes.text(
            100 * (start + share / 2),
            row,
            fitting,
            ha="center",
            va="center",
            fontsize=8,
            color=colour,
        )


@styled
def hull_distances(data: ReportData) -> Figure | None:
    """Histograms of e_above_hull after the surrogate's relaxation and after validation."""
    screened = [p.surrogate_hull for p in data.points if p.surrogate_hull is not None]
    validated = [v for label in data.labels if (v := label.values.get("e_above_hull")) is not None]
    if not screened and not validated:
        return None
    figure = new_figure(3.9)
    axes = figure.subplots()
    edges = np.linspace(*HULL_VIEW, 41)
    for values, name, colour in (
        (screened, f"screen: {_engines(data, screening=True)}", SURROGATE),
        (validated, f"validation: {_engines(data, screening=False)}", VALIDATED),
    ):
        if values:
            clipped = np.clip(values, edges[0] + 1e-9, edges[-1] - 1e-9)
            label = f"{name}, n = {len(values):,}"
            axes.hist(clipped, edges, color=colour, alpha=0.35, label=label)
            axes.hist(clipped, edges, color=colour, histtype="step", linewidth=1.4)
    _hull_lines(axes, data)
    outside = sum(not HULL_VIEW[0] <= v <= HULL_VIEW[1] for v in [*screened, *validated])
    note = f"; {outside} outside the view are in the outermost bins" if outside else ""
    axes.set_xlabel(f"{PROPERTIES['e_above_hull'].axis}, hull {data.campaign.hull_id}{note}")
    axes.set_ylabel("candidates")
    axes.set_xlim(*HULL_VIEW)
    axes.yaxis.get_major_locator().set_params(integer=True)
    grid_on(axes, "y")
    axes.legend(loc="upper right")
    return figure


def _engines(data: ReportData, screening: bool) -> str:
    """Engine with preset, and whether it is a surrogate."""
    if screening:
        gate = data.spec.screening.surrogate
        return f"{gate.engine} {gate.preset} (surrogate, not DFT)"
    names = sorted({(label.engine, label.preset, label.is_dft) for label in data.labels})
    return ", ".join(
        f"{e} {p}" + ("" if is_dft else " (surrogate, not DFT)") for e, p, is_dft in names
    )


def _hull_lines(axes: Axes, data: ReportData) -> None:
    """The gate of the screen, the target's bound, and the hull itself."""
    axes.axvline(0, color=INK, linewidth=0.9)
    gate = data.spec.screening.surrogate.max_e_above_hull
    axes.axvline(
        gate,
        color=SURROGATE,
        linestyle="--",
        linewidth=1.2,
        label=f"screen's limit {gate:g} eV/atom",
    )
    target = next((t for t in data.spec.targets if t.property == "e_above_hull"), None)
    if target is not None and target.max is not None:
        text = f"target: at most {target.max:g} eV/atom"
        axes.axvline(target.max, color=HIT, linestyle=":", linewidth=1.6, label=text)


@styled
def costs(data: ReportData) -> Figure | None:
    """Time per stage, core-hours of validation, oracle calls and hits, per round."""
    if not any(r.seconds for r in data.rounds):
        return None
    figure = new_figure(max(2.6, 0.5 * len(data.rounds) + 1.6))
    panels = figure.subplots(1, 3, gridspec_kw={"width_ratios": [2.2, 1, 1.2]})
    rows = np.arange(len(data.rounds))
    _times(panels[0], data)
    hours = [data.core_hours(r.index) for r in data.rounds]
    panels[1].barh(rows, hours, color=VALIDATED, height=0.55)
    _write_beside(panels[1], hours, [f"{h:.3g}" for h in hours])
    panels[1].set_xlabel("core-hours of validation")
    calls = [r.dispatch_size for r in data.rounds]
    hits = [sum(hit.round_index == r.index for hit in data.hits) for r in data.rounds]
    panels[2].barh(rows, calls, color=VALIDATED, height=0.55, alpha=0.35)
    panels[2].barh(rows, hits, color=HIT, height=0.55)
    texts = [f"{c:,}, {h:,} hit{'s' if h != 1 else ''}" for c, h in zip(calls, hits, strict=True)]
    _write_beside(panels[2], calls, texts)
    panels[2].xaxis.get_major_locator().set_params(integer=True)
    panels[2].set_xlabel("oracle calls, of which hits")
    for axes in panels:
        axes.set_ylim(len(rows) - 0.4, -0.6)
        grid_on(axes, "x")
        axes.set_yticks(
            rows,
            [round_title(r.index) for r in data.rounds] if axes is panels[0] else [""] * len(rows),
        )
        axes.tick_params(axis="y", length=0)
    return figure


def _times(axes: Axes, data: ReportData) -> None:
    """Stacked time per stage."""
    spent = [{**r.seconds, SURROGATE_TIME: data.surrogate_seconds(r.index)} for r in data.rounds]
    known = [stage for stage in STAGES_IN_TIME if any(seconds.get(stage) for seconds in spent)]
    stages = known + sorted({stage for seconds in spent for stage in seconds} - set(STAGES_IN_TIME))
    largest = max(sum(seconds.values()) for seconds in spent)
    divisor, unit = next(
        (d, u) for d, u in ((3600, "h"), (60, "min"), (1, "s")) if largest >= 2 * d or d == 1
    )
    start = np.zeros(len(spent))
    for stage, colour in zip(stages, SERIES * len(stages), strict=False):
        time = np.array([seconds.get(stage, 0.0) / divisor for seconds in spent])
        bars = axes.barh(
            np.arange(len(start)), time, left=start, color=colour, height=0.55, edgecolor="white"
        )
        bars.set_label(words(stage))
        start += time
    axes.set_xlabel(f"time ({unit})")
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1),
        ncols=4,
        columnspacing=1.1,
        handlelength=1,
        borderpad=0.2,
    )


def _write_beside(axes: Axes, values: Sequence[float], texts: Sequence[str]) -> None:
    """Write a text behind each bar, and leave room for it."""
    largest = max([*values, 0.0]) or 1.0
    for row, (value, text) in enumerate(zip(values, texts, strict=True)):
        axes.text(value + 0.02 * largest, row, text, va="center", fontsize=8.5)
    axes.set_xlim(0, largest * (1.15 + 0.055 * max(len(text) for text in texts)))
