"""The phase diagram as a figure.

Two elements: formation energy against composition, with the hull. Three: the triangle of
compositions, with the tie lines of the hull, and the distance to the hull as colour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gen2dft.report.phase_diagram import (
    HEIGHT,
    IS_HIT,
    KINDS,
    LABELLED,
    SCREENED,
    WORST_SHOWN,
    Diagram,
    Phase,
    Point,
    corners,
    label_offsets,
    lowest_energy,
)
from gen2dft.report.style import FAINT, INK, MUTED, SCALE, grid_on, new_figure, styled
from gen2dft.report.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZES = {SCREENED: 16, LABELLED: 26, IS_HIT: 130}  # points squared
STABLE: Mapping[str, Any] = {
    "s": 30, "color": INK, "marker": "s", "zorder": 4, "label": "known stable phases",
}  # fmt: skip
METASTABLE: Mapping[str, Any] = {
    "s": 14, "color": MUTED, "zorder": 2, "label": "other known phases",
}  # fmt: skip
OUTLINED: Mapping[str, Any] = {"edgecolors": "white", "linewidths": 0.5}
TIE: Mapping[str, Any] = {"color": INK, "linewidth": 1.3, "zorder": 2}
FAINT_TIE: Mapping[str, Any] = {"color": FAINT, "linewidth": 1.1, "zorder": 1}
EDGE: Mapping[str, Any] = {"color": "#98a2ad", "linewidth": 1.0, "zorder": 1}
NAME: Mapping[str, Any] = {
    "textcoords": "offset points", "va": "center", "fontsize": 8.5, "zorder": 6,
}  # fmt: skip
BY_DISTANCE: Mapping[str, Any] = {
    "cmap": SCALE, "vmin": 0, "vmax": WORST_SHOWN,
    "edgecolors": "white", "linewidths": 0.6, "zorder": 5,
}  # fmt: skip


@styled
def draw(diagram: Diagram) -> Figure:
    """The picture."""
    return _binary(diagram) if diagram.is_binary else _ternary(diagram)


def _binary(diagram: Diagram) -> Figure:
    figure = new_figure(5.2)
    axes = figure.subplots()
    for first, second in diagram.ties:
        ends = [diagram.phases[first], diagram.phases[second]]
        axes.plot(*_xy(ends), **TIE)
    metastable = diagram.phases_that_are(stable=False)
    axes.scatter(*_xy(metastable), marker="_", **METASTABLE)
    stable = diagram.phases_that_are(stable=True)
    axes.scatter(*_xy(stable), **STABLE)
    for kind in KINDS:
        _scatter_kind(axes, kind, diagram.points_of(kind))
    _frame(axes, diagram)
    _name_phases(axes, diagram)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _scatter_kind(axes: Axes, kind: str, points: Sequence[Point]) -> None:
    """Draw candidates of one kind in a binary, hits over everything else."""
    if not points:
        return
    colour, marker = KINDS[kind]
    order = 5 if kind == IS_HIT else 3
    label = _legend_text(kind, points)
    look = {"s": SIZES[kind], "color": colour, "marker": marker, "label": label}
    axes.scatter(*_xy(points), zorder=order, **OUTLINED, **look)


def _frame(axes: Axes, diagram: Diagram) -> None:
    """Set view and titles of a binary; candidates far above the hull are counted, not shown."""
    low = lowest_energy(diagram)
    top = 0.25 * abs(low) or 0.1
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(low - 0.2 * abs(low), top)
    note = _note_of_those_above(diagram, top)
    axes.set_xlabel(f"atomic fraction of {diagram.elements[1]} in {diagram.system}{note}")
    axes.set_ylabel("formation energy (eV/atom)")
    axes.set_title(f"{diagram.campaign_id}, hull {diagram.hull_id}")
    grid_on(axes, "both")


def _note_of_those_above(diagram: Diagram, top: float) -> str:
    above = sum(point.formation_energy > top for point in diagram.points)
    return f"; {counted(above, 'candidate')} above the view" if above else ""


def _ternary(diagram: Diagram) -> Figure:
    figure = new_figure(6.6, width=8.2)
    axes = figure.subplots()
    _triangle(axes, diagram)
    metastable = diagram.phases_that_are(stable=False)
    if metastable:
        axes.scatter(*_places(metastable), marker="x", linewidths=0.8, **METASTABLE)
    stable = diagram.phases_that_are(stable=True)
    axes.scatter(*_places(stable), **STABLE)
    mappable = None
    for kind in KINDS:
        mappable = _scatter_by_distance(axes, kind, diagram.points_of(kind)) or mappable
    _name_phases(axes, diagram)
    if mappable is not None:
        bar = figure.colorbar(mappable, ax=axes, shrink=0.6, pad=0.06, extend="both")
        bar.set_label("candidates: energy above hull (eV/atom)")
    axes.set_title(f"{diagram.campaign_id}, hull {diagram.hull_id}", pad=16)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, 1.0))
    return figure


def _scatter_by_distance(axes: Axes, kind: str, points: Sequence[Point]) -> Any:
    """Draw candidates of one kind in a ternary, coloured by their distance to the hull.

    None if there are none.
    """
    if not points:
        return None
    _, marker = KINDS[kind]
    distances = [point.e_above_hull for point in points]
    label = _legend_text(kind, points)
    look = {"c": distances, "s": 2 * SIZES[kind], "marker": marker, "label": label}
    return axes.scatter(*_places(points), **look, **BY_DISTANCE)


def _triangle(axes: Axes, diagram: Diagram) -> None:
    """Edges of the triangle and the tie lines."""
    edge = corners([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)])
    axes.plot(*edge.T, **EDGE)
    places = corners([phase.fractions for phase in diagram.phases])
    for tie in diagram.ties:
        ends = places[list(tie)]
        axes.plot(*ends.T, **FAINT_TIE)
    axes.set_aspect("equal")
    axes.set_xlim(-0.1, 1.1)
    axes.set_ylim(-0.1, HEIGHT + 0.1)
    axes.axis("off")


def _name_phases(axes: Axes, diagram: Diagram) -> None:
    """Write the formulas of the stable phases."""
    places = {phase.formula: _place(phase, diagram) for phase in diagram.phases}
    for formula, offset in label_offsets(diagram).items():
        right, up, alignment = offset
        text = _subscripts(formula)
        axes.annotate(text, places[formula], (right, up), ha=alignment, **NAME)


def _place(phase: Phase, diagram: Diagram) -> tuple[float, float]:
    """Where a phase stands on the axes."""
    if diagram.is_binary:
        return phase.fractions[1], phase.formation_energy
    ((x, y),) = corners([phase.fractions])
    return float(x), float(y)


def _xy(items: Sequence[Phase] | Sequence[Point]) -> tuple[list[float], list[float]]:
    """Fraction of the second element and formation energy."""
    fractions = [item.fractions[1] for item in items]
    return fractions, [item.formation_energy for item in items]


def _places(items: Sequence[Phase] | Sequence[Point]) -> Any:
    """(2, n) places in the triangle."""
    return corners([item.fractions for item in items]).T


def _legend_text(kind: str, points: Sequence[Point]) -> str:
    """A kind with the engines of its points, and how many there are."""
    names = {_engine(point) for point in points}
    engines = ", ".join(sorted(names))
    return f"{kind}: {engines}, n = {len(points):,}"


def _engine(point: Point) -> str:
    """Engine of a point, and whether it is a surrogate."""
    return f"{point.engine} (DFT)" if point.is_dft else f"{point.engine} (surrogate)"


def _subscripts(formula: str) -> str:
    """A formula with subscripts, for matplotlib."""
    return re.sub(r"(\d+)", r"$_{\1}$", formula)
