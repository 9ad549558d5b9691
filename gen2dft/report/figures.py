"""All figures of a report by name: each is a function of the campaign's data that gives a Figure.

A figure without anything to show (no held-out labels, nothing validated yet) is None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gen2dft.report import latent_figures, learning_figures, screening_figures, style
from gen2dft.report.data import ReportData
from gen2dft.report.transport_figures import TRANSPORT_FIGURES, TransportFigureKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FigureKind:
    """One kind of figure.

    Parameters
    ----------
    title
        Heading above it.
    caption
        What it shows and how to read it.
    draw
        The campaign's data in, a Figure out; None when there is nothing to show.
    """

    title: str
    caption: str
    draw: Callable[[ReportData], Figure | None]


def _of_the_largest(kind: TransportFigureKind) -> FigureKind:
    """The same figure of the crystal with the campaign's largest power factor."""

    def draw(data: ReportData) -> Figure | None:
        return None if data.transport is None else kind.draw(data.transport)

    whose = "The crystal with the largest power factor that was computed from its bands."
    return FigureKind(kind.title, f"{whose} {kind.caption}", draw)


FIGURES: dict[str, FigureKind] = {
    "funnel": FigureKind(
        "Funnel",
        "Left: crystals that leave each stage (logarithmic). Right: what became of those that "
        "entered it; blue passed, "
        "tints are the reasons why the others did not. Every sampled point is counted once: what "
        "enters a stage either "
        "leaves it or has one reason. Reasons too rare for a label are in the table.",
        screening_figures.funnel,
    ),
    "training": FigureKind(
        "Training",
        "Terms of the generator's loss per epoch; solid on the training crystals, dashed on "
        "held-out ones. Later "
        "rounds start from the last snapshot, dotted lines separate the rounds.",
        learning_figures.training,
    ),
    "parity": FigureKind(
        "Property heads",
        "Prediction against label for crystals that the last trained generator has not seen. MAE: "
        "mean absolute error; "
        "in brackets what guessing the mean of these labels would give.",
        learning_figures.parity,
    ),
    "latent": FigureKind(
        "Latent space",
        "The first two principal components of the training crystals' latent vectors. Left: the "
        "points sampled in the "
        "round. Others: training crystals coloured by label (grey: no label). Circles were "
        "computed, stars became "
        "hits. Every round has its own generator and so its own map.",
        latent_figures.latent_map,
    ),
    "hull": FigureKind(
        "Distance to the hull",
        "Candidates after relaxation by the surrogate, and after validation. Distances are "
        "measured against the campaign's own frozen hull; those of a potential are corrected where "
        "the campaign corrects them.",
        screening_figures.hull_distances,
    ),
    "calibration": FigureKind(
        "Expected and computed",
        "What the screens expected of the candidates before validation, against what the engine "
        "then computed. "
        "Formation energy and hull distance are expected by the surrogate, other properties by the "
        "generator. Bars are errors that labels state, open symbols are labels in doubt.",
        learning_figures.calibration,
    ),
    **{name: _of_the_largest(kind) for name, kind in TRANSPORT_FIGURES.items()},
    "costs": FigureKind(
        "Costs",
        "Wall time per stage and worker time of the surrogate's relaxations, core-hours of "
        "validation, and oracle "
        "calls (candidates sent to validation) with the hits they gave.",
        screening_figures.costs,
    ),
}


def draw_all(data: ReportData) -> dict[str, bytes]:
    """Every figure that has something to show, as PNG."""
    pictures = {}
    for name, kind in FIGURES.items():
        figure = kind.draw(data)
        if figure is not None:
            pictures[name] = style.png(figure)
    return pictures
