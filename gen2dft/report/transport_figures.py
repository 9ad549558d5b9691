"""Figures of transport: bands.

Seebeck, conductivity, power factor against doping, temperature, beside a reference.

All are in the constant-relaxation-time approximation, and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import CampaignError
from gen2dft.report.style import FAINT, MUTED, SERIES, grid_on, new_figure, styled
from gen2dft.report.wording import pretty

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gen2dft.transport.document import Carrier, TransportDoc

Curves = Callable[[NDArray[np.float64]], NDArray[np.float64]]
# Field of the document, title of the panel, unit, whether the axis is logarithmic.
QUANTITIES = (
    ("seebeck_mean", "Seebeck coefficient", "uV K^-1", False),
    ("conductivity_per_tau_mean", "conductivity over tau", "S m^-1 s^-1", True),
    ("power_factor_mean", "power factor", "uW cm^-1 K^-2", True),
)
CARRIERS: tuple[tuple[Carrier, str], ...] = (("p", "holes"), ("n", "electrons"))
TEMPERATURES = (300.0, 600.0, 900.0, 1200.0)  # K, curves against doping, of those computed
DOPINGS = (1e18, 1e19, 1e20, 1e21)  # cm^-3, curves against temperature, of those computed


BANDS_SHOWN = 2.5  # eV below and above the gap


@styled
def bands_along_path(doc: TransportDoc) -> Figure | None:
    """The bands near the gap between points of high symmetry; None if the document has none."""
    if doc.path is None:
        return None
    figure = new_figure(4.2)
    axes = figure.subplots()
    for energies in doc.path.energies:
        occupied = max(energies) < doc.band_gap / 2
        axes.plot(doc.path.distances, energies, color=SERIES[0 if occupied else 5], linewidth=1.4)
    names: dict[float, list[str]] = {}
    for place, name in doc.path.points:
        shown = "\u0393" if name == "G" else name
        if shown not in names.setdefault(place, []):
            names[place].append(shown)
    axes.set_xticks(list(names), ["|".join(found) for found in names.values()])
    axes.grid(True, axis="x")
    axes.axhspan(0.0, doc.band_gap, color=FAINT, alpha=0.5, linewidth=0)
    axes.set_xlim(doc.path.distances[0], doc.path.distances[-1])
    axes.set_ylim(-BANDS_SHOWN, doc.band_gap + BANDS_SHOWN)
    axes.set_xlabel("wave vector")
    axes.set_ylabel("energy above the valence bands (eV)")
    axes.set_title(f"{_formula(doc.formula)}, gap on the mesh {doc.band_gap:.2f} eV")
    return figure


@styled
def against_doping(doc: TransportDoc) -> Figure:
    """Three quantities against doping at some temperatures; holes above, electrons below."""
    rows = _chosen(doc.temperatures, TEMPERATURES)
    names = [f"{doc.temperatures[row]:g} K" for row in rows]
    return _both_carriers(
        doc, doc.dopings, lambda table: table[rows], names, "doping (cm^-3)", log_x=True
    )


@styled
def against_temperature(doc: TransportDoc) -> Figure:
    """Three quantities against temperature at some dopings; holes above, electrons below."""
    columns = _chosen(doc.dopings, DOPINGS)
    names = [f"{pretty(f'1e{np.log10(doc.dopings[c]):g} cm^-3')}" for c in columns]
    return _both_carriers(
        doc, doc.temperatures, lambda table: table.T[columns], names, "temperature (K)", log_x=False
    )


@styled
def beside_reference(
    doc: TransportDoc,
    reference: TransportDoc,
    temperatures: Sequence[float] = (300.0, 600.0),
    carrier: Carrier = "p",
) -> Figure:
    """A crystal (solid) and a reference material (dashed): three quantities against doping.

    Raises
    ------
    CampaignError
        If one of the temperatures (K) was not computed for both, or the relaxation times differ.
    """
    if doc.relaxation_time != reference.relaxation_time:
        raise CampaignError(
            f"{doc.formula} and {reference.formula} were computed with relaxation times of "
            f"{doc.relaxation_time:g} and "
            f"{reference.relaxation_time:g} s; compute one of them anew"
        )
    figure = new_figure(3.4)
    panels = figure.subplots(1, 3, squeeze=False)
    for temperature, colour in zip(temperatures, SERIES, strict=False):
        for shown, style in ((doc, "-"), (reference, "--")):
            rows = _chosen(shown.temperatures, (temperature,), shown.formula)
            tables = [shown.table(carrier, name)[rows] for name, *_ in QUANTITIES]
            label = f"{_formula(shown.formula)}, {temperature:g} K"
            for axes, table in zip(panels[0], tables, strict=True):
                axes.plot(shown.dopings, table[0], style, color=colour, label=label)
    _dress(panels, "doping (cm^-3)", log_x=True)
    panels[0, 2].legend(loc="lower right")
    figure.suptitle(
        _said(doc, dict(CARRIERS)[carrier]), fontsize=8.5, color=MUTED, x=0.01, ha="left"
    )
    return figure


def beside_gete(doc: TransportDoc) -> Figure:
    """A crystal beside GeTe, which ships with gen2dft, computed as `gen2dft power-factor`
    computes.
    """
    from gen2dft.transport.document import TransportDoc

    file = resources.files("gen2dft.report") / "gete.json"
    return beside_reference(doc, TransportDoc.model_validate_json(file.read_text(encoding="utf-8")))


def _both_carriers(
    doc: TransportDoc,
    x: Sequence[float],
    curves: Curves,
    names: Sequence[str],
    x_title: str,
    log_x: bool,
) -> Figure:
    """Holes above, electrons below; a curve for each name."""
    figure = new_figure(5.6)
    panels = figure.subplots(2, 3, squeeze=False, sharex=True)
    for row, (carrier, _) in zip(panels, CARRIERS, strict=True):
        for axes, (name, *_rest) in zip(row, QUANTITIES, strict=True):
            for values, label, colour in zip(
                curves(doc.table(carrier, name)), names, SERIES, strict=False
            ):
                axes.plot(x, values, color=colour, label=label)
    _dress(panels, x_title, log_x)
    for row, (_, who) in zip(panels, CARRIERS, strict=True):
        row[0].set_ylabel(f"{who}: {row[0].get_ylabel()}")
    panels[0, 2].legend(loc="best")
    figure.suptitle(_said(doc, ""), fontsize=8.5, color=MUTED, x=0.01, ha="left")
    return figure


def _dress(panels: NDArray[Any], x_title: str, log_x: bool) -> None:
    """Titles, units and scales of the panels."""
    for axes, (_, title, *_unit) in zip(panels[0], QUANTITIES, strict=True):
        axes.set_title(pretty(title))
    for row in panels:
        for axes, (_, _, unit, log_y) in zip(row, QUANTITIES, strict=True):
            axes.set_ylabel(pretty(unit))
            if log_y and all(np.all(np.asarray(line.get_ydata()) > 0) for line in axes.lines):
                axes.set_yscale("log")
            if log_x:
                axes.set_xscale("log")
            grid_on(axes, "both")
    for axes in panels[-1]:
        axes.set_xlabel(pretty(x_title))


def _said(doc: TransportDoc, who: str) -> str:
    """What holds for every number of a figure."""
    tau = pretty(f"1e{np.log10(doc.relaxation_time):g} s")
    parts = [
        _formula(doc.formula),
        who,
        f"constant relaxation time, {tau} for the power factor",
        "means of eigenvalues",
    ]
    return "; ".join(part for part in parts if part)


def _formula(formula: str) -> str:
    """A formula with its numbers as subscripts."""
    return formula.translate(
        str.maketrans("0123456789", "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089")
    )


def _chosen(computed: Sequence[float], wanted: Sequence[float], whose: str = "") -> list[int]:
    """Places of the wanted values among those computed; without any, of the last four.

    With a name: all or an error.
    """
    found = [
        int(np.flatnonzero(hits)[0])
        for value in wanted
        if (hits := np.isclose(computed, value)).any()
    ]
    if whose and len(found) < len(wanted):
        raise CampaignError(
            f"{whose}: {list(wanted)} K were not computed; there are {list(computed)} K"
        )
    return found or list(range(len(computed)))[-4:]


@dataclass(frozen=True)
class TransportFigureKind:
    """One kind of figure of one crystal's transport.

    As `gen2dft.report.figures.FigureKind`, but `draw` takes a TransportDoc.
    """

    title: str
    caption: str
    draw: Callable[[TransportDoc], Figure | None]


TRANSPORT_FIGURES: dict[str, TransportFigureKind] = {
    "bands": TransportFigureKind(
        "Bands",
        "The bands near the gap (grey) between points of high symmetry, interpolated "
        "from the mesh.",
        bands_along_path,
    ),
    "power_factor": TransportFigureKind(
        "Power factor",
        "Holes above, electrons below, against doping. One constant relaxation time for all "
        "electrons: such curves "
        "rank compounds by their bands, they do not predict measurements.",
        against_doping,
    ),
    "power_factor_temperature": TransportFigureKind(
        "Power factor and temperature",
        "The same against temperature.",
        against_temperature,
    ),
    "power_factor_reference": TransportFigureKind(
        "Beside GeTe",
        "The crystal (solid) and GeTe (dashed), a good thermoelectric that was computed in the "
        "same way; holes. "
        "As figure 5 of Ren et al., Matter 5, 314 (2022).",
        beside_gete,
    ),
}
