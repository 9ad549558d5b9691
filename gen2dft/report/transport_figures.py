"""Figures of transport: bands; Seebeck coefficient, conductivity and power factor against doping
and temperature; a crystal beside a reference material.

All are in the constant-relaxation-time approximation, and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import CampaignError
from gen2dft.report.style import FAINT, MUTED, SERIES, grid_on, new_figure, styled
from gen2dft.report.wording import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gen2dft.transport.document import BandPath, Carrier, TransportDoc

Floats = NDArray[np.float64]
# Field of the document, title of the panel, unit, whether the axis is logarithmic.
QUANTITIES = (
    ("seebeck_mean", "Seebeck coefficient", "uV K^-1", False),
    ("conductivity_per_tau_mean", "conductivity over tau", "S m^-1 s^-1", True),
    ("power_factor_mean", "power factor", "uW cm^-1 K^-2", True),
)
FIELDS = tuple(name for name, *_ in QUANTITIES)
CARRIERS: tuple[tuple[Carrier, str], ...] = (("p", "holes"), ("n", "electrons"))
TEMPERATURES = (300.0, 600.0, 900.0, 1200.0)  # K, curves against doping, of those computed
DOPINGS = (1e18, 1e19, 1e20, 1e21)  # cm^-3, curves against temperature, of those computed
MOST_CURVES = 4
BANDS_SHOWN = 2.5  # eV below and above the gap
OCCUPIED, EMPTY = SERIES[0], SERIES[5]
GAP: Mapping[str, Any] = {"color": FAINT, "alpha": 0.5, "linewidth": 0}
NOTE: Mapping[str, Any] = {"fontsize": 8.5, "color": MUTED, "x": 0.01, "ha": "left"}
SUBSCRIPTS = str.maketrans(
    "0123456789", "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089"
)


@dataclass(frozen=True)
class _Curves:
    """Curves that one figure draws from a document.

    Parameters
    ----------
    x, title
        Values of the horizontal axis, and its title.
    names
        One per curve.
    of
        A table (temperatures, dopings) in, the curves (names, x) out.
    log_x
        Whether the horizontal axis is logarithmic.
    """

    x: Sequence[float]
    title: str
    names: Sequence[str]
    of: Callable[[Floats], Floats]
    log_x: bool


@styled
def bands_along_path(doc: TransportDoc) -> Figure | None:
    """The bands near the gap between points of high symmetry; None if the document has none."""
    path = doc.path
    if path is None:
        return None
    figure = new_figure(4.2)
    axes = figure.subplots()
    for energies in path.energies:
        occupied = max(energies) < doc.band_gap / 2
        colour = OCCUPIED if occupied else EMPTY
        axes.plot(path.distances, energies, color=colour, linewidth=1.4)
    names = _names_of_points(path)
    axes.set_xticks(list(names), list(names.values()))
    axes.grid(True, axis="x")
    axes.axhspan(0.0, doc.band_gap, **GAP)
    first, *_, last = path.distances
    axes.set_xlim(first, last)
    axes.set_ylim(-BANDS_SHOWN, doc.band_gap + BANDS_SHOWN)
    axes.set_xlabel("wave vector")
    axes.set_ylabel("energy above the valence bands (eV)")
    gap = f"gap on the mesh {doc.band_gap:.2f} eV"
    axes.set_title(f"{_formula(doc.formula)}, {gap}")
    return figure


def _names_of_points(path: BandPath) -> dict[float, str]:
    """Place on the path to the name there; both names where the path jumps (`U|K`)."""
    names: dict[float, list[str]] = {}
    for place, letter in path.points:
        name = "\u0393" if letter == "G" else letter
        found = names.setdefault(place, [])
        if name not in found:
            found.append(name)
    return {place: "|".join(found) for place, found in names.items()}


@styled
def against_doping(doc: TransportDoc) -> Figure:
    """Three quantities against doping at some temperatures; holes above, electrons below."""
    rows = _chosen(doc.temperatures, TEMPERATURES)
    temperatures = [doc.temperatures[row] for row in rows]
    names = [f"{temperature:g} K" for temperature in temperatures]
    curves = _Curves(doc.dopings, "doping (cm^-3)", names, lambda table: table[rows], log_x=True)
    return _both_carriers(doc, curves)


@styled
def against_temperature(doc: TransportDoc) -> Figure:
    """Three quantities against temperature at some dopings; holes above, electrons below."""
    columns = _chosen(doc.dopings, DOPINGS)
    dopings = [doc.dopings[column] for column in columns]
    names = [pretty(f"1e{np.log10(doping):g} cm^-3") for doping in dopings]
    curves = _Curves(
        doc.temperatures, "temperature (K)", names, lambda table: table.T[columns], log_x=False
    )
    return _both_carriers(doc, curves)


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
        times = f"{doc.relaxation_time:g} and {reference.relaxation_time:g} s"
        raise CampaignError(
            f"{doc.formula} and {reference.formula} were computed with relaxation times of "
            f"{times}; compute one of them anew"
        )
    figure = new_figure(3.4)
    panels = figure.subplots(1, 3, squeeze=False)
    for temperature, colour in zip(temperatures, SERIES, strict=False):
        for shown, line in ((doc, "-"), (reference, "--")):
            look = {"color": colour, "linestyle": line}
            _plot_one(panels[0], shown, temperature, carrier, look)
    _dress(panels, "doping (cm^-3)", log_x=True)
    panels[0, 2].legend(loc="lower right")
    who = dict(CARRIERS)[carrier]
    figure.suptitle(_said(doc, who), **NOTE)
    return figure


def _plot_one(
    panels: Sequence[Axes],
    doc: TransportDoc,
    temperature: float,
    carrier: Carrier,
    look: Mapping[str, Any],
) -> None:
    """Three quantities of one crystal at one temperature."""
    rows = _places_of(doc.temperatures, (temperature,))
    if not rows:
        computed = list(doc.temperatures)
        raise CampaignError(
            f"{doc.formula}: {[temperature]} K were not computed; there are {computed} K"
        )
    (row,) = rows
    label = f"{_formula(doc.formula)}, {temperature:g} K"
    for axes, name in zip(panels, FIELDS, strict=True):
        values = doc.table(carrier, name)[row]
        axes.plot(doc.dopings, values, label=label, **look)


def beside_gete(doc: TransportDoc) -> Figure:
    """A crystal beside GeTe, which ships with gen2dft, computed as `gen2dft power-factor`
    computes.
    """
    from gen2dft.transport.document import TransportDoc

    file = resources.files("gen2dft.report") / "gete.json"
    gete = TransportDoc.model_validate_json(file.read_text(encoding="utf-8"))
    return beside_reference(doc, gete)


def _both_carriers(doc: TransportDoc, curves: _Curves) -> Figure:
    """Holes above, electrons below; a curve for each name."""
    figure = new_figure(5.6)
    panels = figure.subplots(2, 3, squeeze=False, sharex=True)
    for row, (carrier, _) in zip(panels, CARRIERS, strict=True):
        for axes, name in zip(row, FIELDS, strict=True):
            table = doc.table(carrier, name)
            _plot_all(axes, curves, table)
    _dress(panels, curves.title, curves.log_x)
    for (first, *_), (_, who) in zip(panels, CARRIERS, strict=True):
        first.set_ylabel(f"{who}: {first.get_ylabel()}")
    panels[0, 2].legend(loc="best")
    figure.suptitle(_said(doc, ""), **NOTE)
    return figure


def _plot_all(axes: Axes, curves: _Curves, table: Floats) -> None:
    drawn = zip(curves.of(table), curves.names, SERIES, strict=False)
    for values, label, colour in drawn:
        axes.plot(curves.x, values, color=colour, label=label)


def _dress(panels: NDArray[Any], x_title: str, log_x: bool) -> None:
    """Titles, units and scales of the panels."""
    for axes, (_, title, *_unit) in zip(panels[0], QUANTITIES, strict=True):
        axes.set_title(pretty(title))
    for row in panels:
        for axes, (_, _, unit, log_y) in zip(row, QUANTITIES, strict=True):
            axes.set_ylabel(pretty(unit))
            if log_y and _all_positive(axes):
                axes.set_yscale("log")
            if log_x:
                axes.set_xscale("log")
            grid_on(axes, "both")
    for axes in panels[-1]:
        axes.set_xlabel(pretty(x_title))


def _all_positive(axes: Axes) -> bool:
    """Whether every value of the curves has a logarithm."""
    for line in axes.lines:
        values = np.asarray(line.get_ydata())
        if not (values > 0).all():
            return False
    return True


def _said(doc: TransportDoc, who: str) -> str:
    """Assumptions that hold for every number of a figure."""
    return "; ".join(_facts(doc, who))


def _facts(doc: TransportDoc, who: str) -> Iterator[str]:
    power = np.log10(doc.relaxation_time)
    tau = pretty(f"1e{power:g} s")
    yield _formula(doc.formula)
    if who:
        yield who
    yield f"constant relaxation time, {tau} for the power factor"
    yield "means of eigenvalues"


def _formula(formula: str) -> str:
    """A formula with its numbers as subscripts."""
    return formula.translate(SUBSCRIPTS)


def _chosen(computed: Sequence[float], preferred: Sequence[float]) -> list[int]:
    """Places of the preferred values among those computed; without any, of the last four."""
    found = _places_of(computed, preferred)
    if found:
        return found
    return list(range(len(computed)))[-MOST_CURVES:]


def _places_of(computed: Sequence[float], wanted: Sequence[float]) -> list[int]:
    """Places of values among those computed; values that are not there have none."""
    places = []
    for value in wanted:
        is_value = np.isclose(computed, value)
        if is_value.any():
            places.append(int(is_value.argmax()))
    return places


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
