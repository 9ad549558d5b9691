"""The look of the figures: one palette with fixed meanings, one typography, one size.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which colour-blind readers
can tell apart; values on a scale use cividis.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Inches; with PNG_DPI twice the pixels of the page, so that it is sharp on dense screens.
WIDTH = 9.6
PNG_DPI = 200

INK = "#1f2933"
MUTED = "#66727f"
FAINT = "#dde2e8"
PASSED = "#0072b2"
SURROGATE = "#e69f00"
VALIDATED = "#0072b2"
HIT = "#d55e00"
SAMPLED = "#cc5f9b"
UNLABELLED = "#d3d8de"
SCALE = "cividis"
SERIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c")
# Light enough for black text on them; neighbours differ in lightness too.
TINTS = ("#f3d9b1", "#dcdfe3", "#f0c4b8", "#cfe3d4", "#e9d3e0", "#e8e4b8")

RC: Mapping[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#98a2ad",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.edgecolor": "white",
    "legend.facecolor": "white",
    "legend.framealpha": 0.9,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.7,
    "figure.facecolor": "white",
}


P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function under `RC`, so that its figures look alike.

    Matplotlib's own settings come back after it.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        import matplotlib as mpl

        with mpl.rc_context(dict(RC)):
            return function(*args, **kwargs)

    return run


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of its own, outside pyplot's global state; sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@styled
def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file, the same for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return buffer.getvalue()


def grid_on(axes: Axes, axis: str) -> None:
    """Faint lines behind the data along one axis (`x`, `y`) or `both`."""
    axes.grid(True, axis=axis)
    axes.tick_params(length=3)


def whole_numbers(axis: Axis) -> None:
    """Ticks of a count: none between two whole numbers."""
    axis.get_major_locator().set_params(integer=True)


def hide(panels: Iterable[Axes]) -> None:
    """Hide panels that a grid of them has too many."""
    for axes in panels:
        axes.set_visible(False)


def plain_numbers(axes: Axes, axis: str) -> None:
    """Ticks of a logarithmic axis as plain numbers, 0.1 instead of 10^-1."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    of = axes.xaxis if axis == "x" else axes.yaxis
    low, high = sorted(of.get_view_interval())
    # Over few decades, powers of ten alone would leave an axis with one tick or none.
    steps = (1.0,) if high > 100 * low else (1.0, 2.0, 5.0)
    of.set_major_locator(LogLocator(subs=steps))
    of.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    of.set_minor_formatter(NullFormatter())
