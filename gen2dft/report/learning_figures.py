"""Figures of what the generator learnt: training curves, parity plots, latent maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gen2dft.properties import Property
from gen2dft.report.data import LatentArrays, ReportData
from gen2dft.report.style import (
    HIT,
    INK,
    MUTED,
    SAMPLED,
    SCALE,
    SERIES,
    UNLABELLED,
    WIDTH,
    grid_on,
    new_figure,
    plain_numbers,
    styled,
)
from gen2dft.report.wording import pretty, round_title, words
from gen2dft.store.states import LABELLED_STATES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Pairs = tuple[Floats, Floats]
NOT_TERMS = ("epoch", "lr", "learning_rate", "seconds")
TERM_TITLES = {"loss": "total loss", "kl": "KL divergence"}
MOST_ROUNDS = 3  # rows of the latent map: the first round and the last ones


@styled
def training(data: ReportData) -> Figure | None:
    """One panel per loss term over all epochs of all rounds; held-out values are dashed."""
    histories = [(r.index, r.training["history"]) for r in data.rounds if r.training.get("history")]
    if not histories:
        return None
    epochs = [row for _, history in histories for row in history]
    terms = sorted(
        {k.removeprefix("val_") for row in epochs for k in row if k not in NOT_TERMS},
        key=_term_order,
    )
    columns = 2 if len(terms) in (2, 4) else min(len(terms), 3)
    figure = new_figure(2.5 * math.ceil(len(terms) / columns) + 0.2)
    panels = figure.subplots(
        math.ceil(len(terms) / columns), columns, squeeze=False, sharex=True
    ).ravel()
    starts = np.cumsum([0, *(len(history) for _, history in histories)])
    for axes, term, colour in zip(panels, terms, SERIES * len(terms), strict=False):
        _curve(axes, epochs, starts[1:-1], term, colour)
        for start in starts[1:-1]:
            axes.axvline(start + 0.5, color=MUTED, linestyle=":", linewidth=1)
    for axes in panels[len(terms) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(terms) - columns) : len(terms)]:
        axes.set_xlabel("epoch, all rounds")
        axes.tick_params(labelbottom=True)
    panels[0].legend(loc="upper right")
    return figure


def _term_order(term: str) -> tuple[bool, str]:
    return term != "loss", term


def _curve(
    axes: Axes,
    epochs: Sequence[dict[str, float]],
    starts: NDArray[np.int64],
    term: str,
    colour: str,
) -> None:
    at = np.arange(1, len(epochs) + 1)
    shown = []
    for key, line, name in ((term, "-", "training"), (f"val_{term}", "--", "held out")):
        values = np.array([row.get(key, math.nan) for row in epochs], dtype=float)
        if np.isfinite(values).any():
            # NaN between two rounds: no line joins the end of one training to the begin of the
            # next.
            curve = np.insert(values, starts, math.nan)
            axes.plot(
                np.insert(at.astype(float), starts, math.nan), curve, line, color=colour, label=name
            )
            shown.append(values[np.isfinite(values)])
    flat = np.concatenate(shown) if shown else np.ones(1)
    if (flat > 0).all() and flat.max() > 8 * flat.min():
        axes.set_yscale("log")
        plain_numbers(axes, "y")
    axes.set_title(TERM_TITLES.get(term, words(term)))
    axes.set_ylabel("loss (no unit)")
    grid_on(axes, "y")


@styled
def parity(data: ReportData) -> Figure | None:
    """Prediction against label on held-out crystals, one panel per property, of the last trained
    generator.
    """
    trained = [r for r in data.rounds if r.training.get("heldout")]
    if not trained:
        return None
    pairs = {
        name: _finite(found["truth"], found["predicted"])
        for name, found in trained[-1].training["heldout"].items()
    }
    panels = {data.spec.known_properties[name]: pair for name, pair in pairs.items()}
    return _parity_panels(panels, ("label", "prediction"), round_title(trained[-1].index))


@styled
def calibration(data: ReportData) -> Figure | None:
    """What the screens expected of validated candidates against their labels."""
    points, known = {p.candidate_id: p for p in data.points}, data.spec.known_properties
    found: dict[str, list[tuple[float, float]]] = {}
    for label in data.labels:
        point = points.get(label.candidate_id)
        for name, value in label.values.items():
            if point is not None and name in point.predicted and name in known:
                found.setdefault(name, []).append((value, point.predicted[name]))
    pairs = {name: _finite(*zip(*rows, strict=True)) for name, rows in found.items()}
    engines = ", ".join(sorted({label.engine for label in data.labels}))
    panels = {known[name]: pair for name, pair in pairs.items()}
    return _parity_panels(panels, ("label", "expected"), engines)


def _finite(truth: ArrayLike, predicted: ArrayLike) -> Pairs:
    t, p = np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float)
    known = np.isfinite(t) & np.isfinite(p)
    return t[known], p[known]


def _parity_panels(
    pairs: dict[Property, Pairs], sides: tuple[str, str], source: str
) -> Figure | None:
    shown = {prop: pair for prop, pair in pairs.items() if len(pair[0])}
    if not shown:
        return None
    columns = min(len(shown), 3)
    lines = math.ceil(len(shown) / columns)
    width = WIDTH * min(1.0, (columns + 0.15) / 3)
    figure = new_figure(3.75 * lines, width)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (prop, pair) in zip(panels, shown.items(), strict=False):
        _parity_panel(axes, prop, pair, sides, source)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    return figure


def _parity_panel(
    axes: Axes, prop: Property, pair: Pairs, sides: tuple[str, str], source: str
) -> None:
    truth, predicted = pair
    error, guess = np.abs(predicted - truth).mean(), np.abs(truth - truth.mean()).mean()
    axes.scatter(
        truth,
        predicted,
        s=16,
        color=SERIES[0],
        alpha=min(0.75, 0.15 + 40 / len(truth)),
        linewidths=0,
    )
    low, high = min(truth.min(), predicted.min()), max(truth.max(), predicted.max())
    margin = 0.04 * (high - low) or 0.1
    limits = (low - margin, high + margin)
    axes.locator_params(nbins=6)
    if prop.transform == "log1p":
        limits = _spread_small_values(axes, low, high)
    axes.plot(limits, limits, color=INK, linewidth=0.9, zorder=0.9)
    axes.set(xlim=limits, ylim=limits)
    axes.set_box_aspect(1)
    unit = pretty(prop.unit.partition(" at ")[0])
    axes.set_title(f"{prop.title}, {source}", pad=19)
    figures = f"MAE {error:.2g} [{guess:.2g}] {unit}, n = {len(truth):,}"
    axes.text(0, 1.02, figures, transform=axes.transAxes, va="bottom", fontsize=8.5)
    axes.set_xlabel(_wrapped(f"{sides[0]}: ", prop))
    axes.set_ylabel(_wrapped(f"{sides[1]}: ", prop))
    grid_on(axes, "both")


def _spread_small_values(axes: Axes, low: float, high: float) -> tuple[float, float]:
    """Scale a skewed positive property: linear up to 1, logarithmic above; limits come back."""
    ticks = [t for t in (0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if t <= 1.4 * high]
    for set_scale, set_ticks in (
        (axes.set_xscale, axes.set_xticks),
        (axes.set_yscale, axes.set_yticks),
    ):
        set_scale("symlog", linthresh=1.0, linscale=0.8)
        set_ticks(ticks, [f"{t:g}" for t in ticks])
        set_ticks([], minor=True)
    return min(low, 0.0) - 0.1, 1.25 * high


def _wrapped(before: str, prop: Property) -> str:
    """Axis label that breaks before a long unit."""
    text = pretty(before + prop.axis)
    return text if len(text) <= 42 else text.replace(" (", "\n(", 1)


def principal_axes(vectors: NDArray[np.floating[Any]]) -> tuple[Floats, Floats, Floats]:
    """Mean, first two principal axes and their shares of the variance (PCA by singular value
    decomposition).

    Parameters
    ----------
    vectors
        (n, d) latent vectors, no unit; n >= 2, d >= 2.

    Returns
    -------
    Mean (d,), axes (2, d) of unit length with their largest component positive, shares (2,) between
    0 and 1.
    """
    x = np.asarray(vectors, dtype=np.float64)
    mean = x.mean(axis=0)
    _, singular, axes = np.linalg.svd(x - mean, full_matrices=False)
    # The sign of a principal axis is arbitrary; this one does not depend on the library.
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    variance = singular**2
    return mean, (axes * np.sign(largest))[:2], variance[:2] / (variance.sum() or 1.0)


@styled
def latent_map(data: ReportData) -> Figure | None:
    """Maps of the latent space, a row per round: where was sampled, then one column per labelled
    target property.
    """
    indices = sorted(i for i, arrays in data.latents.items() if len(arrays.train_latents) >= 2)
    if not indices:
        return None
    indices = indices if len(indices) <= MOST_ROUNDS else [indices[0], *indices[1 - MOST_ROUNDS :]]
    names = [t.property for t in data.spec.targets]
    names = [n for n in names if any(_num_labels(data.latents[i], n) for i in indices)][:3]
    columns = 1 + len(names)
    figure = new_figure(
        (8.6 / columns + 0.85) * len(indices) + 0.4,
        WIDTH if columns > 2 else 0.45 * WIDTH * columns,
    )
    panels = figure.subplots(len(indices), columns, squeeze=False)
    for index, row in zip(indices, panels, strict=True):
        _map_row(figure, row, data, index, names)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, markerscale=1.4)
    return figure


def _num_labels(arrays: LatentArrays, name: str) -> int:
    return int(np.isfinite(arrays.train_values.get(name, np.zeros(0))).sum())


def _map_row(
    figure: Figure, panels: Sequence[Axes], data: ReportData, index: int, names: Sequence[str]
) -> None:
    arrays = data.latents[index]
    mean, axes_of_variance, shares = principal_axes(arrays.train_latents)
    train = (arrays.train_latents - mean) @ axes_of_variance.T
    drawn = (arrays.latents - mean) @ axes_of_variance.T
    validated, hits = _rows_of(data, index)
    for axes, name in zip(panels, [None, *names], strict=True):
        if name is None:
            axes.scatter(*train.T, s=7, color=UNLABELLED, linewidths=0, label="training crystals")
            axes.scatter(
                *drawn.T, s=5, color=SAMPLED, alpha=0.8, linewidths=0, label="sampled points"
            )
        else:
            prop = data.spec.known_properties[name]
            _colour_known(figure, axes, train, arrays.train_values.get(name), prop)
        axes.scatter(
            *drawn[validated].T,
            s=30,
            facecolors="white",
            edgecolors=INK,
            linewidths=1.1,
            label="validated",
        )
        axes.scatter(
            *drawn[hits].T,
            s=120,
            marker="*",
            color=HIT,
            edgecolors="white",
            linewidths=0.9,
            label="hits",
        )
        axes.set_title(round_title(index) if name is None else "")
        axes.set_xlabel(f"PC 1 ({100 * shares[0]:.0f}% of variance)")
        axes.set_ylabel(f"PC 2 ({100 * shares[1]:.0f}%)" if name is None else "")
        axes.tick_params(labelleft=name is None)
        _view(axes, np.concatenate([train, drawn[hits]]))


def _rows_of(data: ReportData, index: int) -> tuple[list[int], list[int]]:
    """Rows of the validated candidates and of the hits in the round's latent points."""
    hit_ids = {hit.candidate_id for hit in data.hits}
    validated, hits = [], []
    for point in data.points_of(index):
        if point.latent_row is None:  # of a source without a latent space
            continue
        if point.candidate_id in hit_ids:
            hits.append(point.latent_row)
        elif point.state in LABELLED_STATES:
            validated.append(point.latent_row)
    return validated, hits


def _colour_known(
    figure: Figure, axes: Axes, train: Floats, values: Floats | None, prop: Property
) -> None:
    """Training crystals, grey where not labelled.

    The colour scale leaves out the extreme 2 % at either end.
    """
    known = np.isfinite(values) if values is not None else np.zeros(len(train), bool)
    axes.scatter(*train[~known].T, s=7, color=UNLABELLED, linewidths=0)
    if values is None or not known.any():
        return
    low, high = np.percentile(values[known], [2, 98])
    dots = axes.scatter(
        *train[known].T, s=7, c=values[known], cmap=SCALE, vmin=low, vmax=high, linewidths=0
    )
    bar = figure.colorbar(
        dots, ax=axes, location="top", shrink=0.95, aspect=28, pad=0.02, extend="both"
    )
    bar.ax.tick_params(labelsize=8)
    bar.locator.set_params(nbins=4)
    bar.set_label(_wrapped("", prop), fontsize=8)
    bar.outline.set_visible(False)


def _view(axes: Axes, points: Floats) -> None:
    """Limits that show nearly all points: single strays must not shrink the map."""
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    margin = 0.12 * (high - low) + 1e-9
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
