"""The phase diagram of one chemical system: what it shows, read from the store, and its picture.

Two elements: formation energy against composition, with the hull. Three: the triangle of
compositions, with the tie lines of the hull, and the distance to the hull as colour.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import ThermoError
from gen2dft.report.output import write_file
from gen2dft.report.style import (
    FAINT,
    HIT,
    INK,
    MUTED,
    SCALE,
    SURROGATE,
    VALIDATED,
    grid_on,
    new_figure,
    png,
    styled,
)
from gen2dft.report.wording import counted
from gen2dft.store.documents import StoredVerdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gen2dft.store.store import Store
    from gen2dft.thermo.hull import ReferenceHull

SCREENED, LABELLED, IS_HIT = "screened", "labelled", "hit"
KINDS = {SCREENED: (SURROGATE, "o"), LABELLED: (VALIDATED, "o"), IS_HIT: (HIT, "*")}
SIZES = {SCREENED: 16, LABELLED: 26, IS_HIT: 130}  # points squared
WORST_SHOWN = 0.3  # eV/atom; the end of the colour scale
HEIGHT = float(np.sqrt(3) / 2)  # of a triangle of edge 1


@dataclass(frozen=True)
class Phase:
    """A phase of the reference: atomic fractions in the order of the diagram's elements, energies
    in eV/atom.
    """

    formula: str
    fractions: tuple[float, ...]
    formation_energy: float
    e_above_hull: float
    is_stable: bool


@dataclass(frozen=True)
class Point:
    """A candidate: `kind` is `screened` (the surrogate's figures), `labelled` or `hit`.

    Energies in eV/atom.
    """

    candidate_id: str
    formula: str
    fractions: tuple[float, ...]
    formation_energy: float
    e_above_hull: float
    kind: str
    engine: str
    is_dft: bool


@dataclass(frozen=True)
class Diagram:
    """What a phase diagram shows.

    Parameters
    ----------
    elements
        Two or three symbols.
    phases
        Phases of the reference, the pure elements among them.
    ties
        Pairs of rows of `phases` that the hull joins.
    points
        Candidates of the campaign.
    """

    campaign_id: str
    hull_id: str
    elements: tuple[str, ...]
    phases: tuple[Phase, ...]
    ties: tuple[tuple[int, int], ...]
    points: tuple[Point, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def load_diagram(store: Store, campaign_id: str, system: str, hull: ReferenceHull) -> Diagram:
    """Read what the diagram of one chemical system shows.

    Parameters
    ----------
    system
        `V-O`: two or three symbols; the first is at the left.
    hull
        The campaign's hull.

    Raises
    ------
    ThermoError
        A system that is none, or one that the hull does not cover.
    """
    elements = _elements(system)
    if gap := hull.gap(elements):
        raise ThermoError(
            f"{gap}: there is no diagram to draw; `gen2dft hull` lists the systems of the "
            "candidates"
        )
    lower = hull.system(elements)
    # Corners of the hull. What merely lies on a tie line may be a phase of which only the hull
    # below it is known.
    stable = np.isin(np.arange(len(lower.energies)), lower.facets)
    above = lower.energies - lower.energy(lower.fractions)
    phases = [
        Phase(
            _formula(formula),
            _fractions(dict(formula), elements),
            energy,
            max(float(e), 0.0),
            bool(is_stable),
        )
        for (formula, energy), e, is_stable in zip(
            hull.phases(elements), above, stable, strict=True
        )
    ]
    pairs = {
        tuple(sorted(map(int, pair)))
        for facet in lower.facets
        for pair in itertools.combinations(facet, 2)
    }
    ties = tuple((first, second) for first, second in sorted(pairs))
    points = tuple(
        sorted(
            _points(store, campaign_id, elements),
            key=lambda point: (point.e_above_hull, point.formula),
        )
    )
    return Diagram(campaign_id, hull.hull_hash, elements, tuple(phases), ties, points)


def systems_of(store: Store, campaign_id: str) -> dict[str, int]:
    """Chemical systems of the candidates that came to the hull, and how many there are.

    The fullest first.
    """
    counts: dict[str, int] = {}
    for found in store.candidate_fields(campaign_id, ("formula",), surrogate={"$ne": None}):
        name = "-".join(sorted(_counts(found.get("formula") or "")))
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def write_diagram(diagram: Diagram, folder: Path) -> tuple[Path, Path]:
    """Write picture and page; their paths. OutputError if the folder cannot be written."""
    from gen2dft.report.phase_diagram_page import render

    name = f"hull-{'-'.join(diagram.elements)}"
    picture = write_file(folder / f"{name}.png", png(draw(diagram)))
    return picture, write_file(folder / f"{name}.html", render(diagram).encode("utf-8"))


def lowest_energy(diagram: Diagram) -> float:
    """The lowest formation energy of phases and candidates, eV/atom.

    The pure elements are at 0 at most.
    """
    return min(
        [p.formation_energy for p in diagram.phases] + [p.formation_energy for p in diagram.points]
    )


def corners(fractions: Sequence[tuple[float, ...]]) -> NDArray[np.float64]:
    """(n, 2) places of (n, 3) compositions in a triangle of edge 1: first element left, second
    right, third on top.
    """
    table = np.asarray(fractions, dtype=np.float64).reshape(-1, 3)
    return np.column_stack([table[:, 1] + 0.5 * table[:, 2], HEIGHT * table[:, 2]])


@styled
def draw(diagram: Diagram) -> Figure:
    """The picture."""
    return _binary(diagram) if len(diagram.elements) == 2 else _ternary(diagram)


def _binary(diagram: Diagram) -> Figure:
    figure = new_figure(5.2)
    axes = figure.subplots()
    for first, second in diagram.ties:
        ends = [diagram.phases[first], diagram.phases[second]]
        axes.plot(
            [p.fractions[1] for p in ends],
            [p.formation_energy for p in ends],
            color=INK,
            linewidth=1.3,
            zorder=2,
        )
    metastable = [p for p in diagram.phases if not p.is_stable]
    stable = [p for p in diagram.phases if p.is_stable]
    axes.scatter(
        *_xy(metastable), s=14, color=MUTED, marker="_", zorder=2, label="other known phases"
    )
    axes.scatter(*_xy(stable), s=30, color=INK, marker="s", zorder=4, label="known stable phases")
    for kind, (colour, marker) in KINDS.items():
        points = [p for p in diagram.points if p.kind == kind]
        if points:
            label = f"{kind}: {', '.join(_engines(points))}, n = {len(points):,}"
            style = {"edgecolors": "white", "linewidths": 0.5, "zorder": 5 if kind == IS_HIT else 3}
            axes.scatter(
                *_xy(points), s=SIZES[kind], color=colour, marker=marker, label=label, **style
            )
    low = lowest_energy(diagram)
    top = 0.25 * abs(low) or 0.1
    axes.set_ylim(low - 0.2 * abs(low), top)
    _name_phases(axes, diagram)
    outside = sum(p.formation_energy > top for p in diagram.points)
    note = f"; {counted(outside, 'candidate')} above the view" if outside else ""
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel(
        f"atomic fraction of {diagram.elements[1]} in {'-'.join(diagram.elements)}{note}"
    )
    axes.set_ylabel("formation energy (eV/atom)")
    axes.set_title(f"{diagram.campaign_id}, hull {diagram.hull_id}")
    grid_on(axes, "both")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def label_offsets(diagram: Diagram) -> dict[str, tuple[float, float, str]]:
    """Formula of each stable phase to where its name stands: right and up of it in points, and its
    alignment.

    In a binary, elements are named above; compounds below, neighbours in turn nearer and farther;
    on the rising branch to the right. In a ternary, away from the middle.
    """
    stable = [phase for phase in diagram.phases if phase.is_stable]
    if len(diagram.elements) == 3:
        places = corners([phase.fractions for phase in stable])
        return {
            phase.formula: (*_outwards(place), "center")
            for phase, place in zip(stable, places, strict=True)
        }
    offsets: dict[str, tuple[float, float, str]] = {}
    last, in_a_row, climbing = Phase("", (1.0, -1.0), 0.0, 0.0, is_stable=True), 0, 0
    for phase in sorted(stable, key=lambda phase: phase.fractions[1]):
        is_near = phase.fractions[1] - last.fractions[1] < 0.06
        rising = is_near and phase.formation_energy > last.formation_energy + 0.04
        in_a_row = in_a_row + 1 if is_near else 0
        climbing = climbing + 1 if rising else 0
        if phase.formation_energy >= 0:
            offsets[phase.formula] = (0.0, 12.0, "center")
        elif rising:
            offsets[phase.formula] = (8.0, -21.0 + 9 * min(climbing, 3), "left")
        else:
            offsets[phase.formula] = (0.0, -12.0 - 13 * (in_a_row % 3), "center")
        last = phase
    return offsets


def _name_phases(axes: Axes, diagram: Diagram) -> None:
    """Write the formulas of the stable phases."""
    places = {phase.formula: _place(phase, diagram) for phase in diagram.phases}
    for formula, (right, up, alignment) in label_offsets(diagram).items():
        axes.annotate(
            _pretty(formula),
            places[formula],
            (right, up),
            textcoords="offset points",
            ha=alignment,
            va="center",
            fontsize=8.5,
            zorder=6,
        )


def _place(phase: Phase, diagram: Diagram) -> tuple[float, float]:
    """Where a phase stands on the axes."""
    if len(diagram.elements) == 2:
        return phase.fractions[1], phase.formation_energy
    ((x, y),) = corners([phase.fractions])
    return float(x), float(y)


def _xy(items: Sequence[Phase] | Sequence[Point]) -> tuple[list[float], list[float]]:
    """Fraction of the second element and formation energy."""
    return [item.fractions[1] for item in items], [item.formation_energy for item in items]


def _ternary(diagram: Diagram) -> Figure:
    figure = new_figure(6.6, width=8.2)
    axes = figure.subplots()
    _triangle(axes, diagram)
    metastable = [p for p in diagram.phases if not p.is_stable]
    stable = [p for p in diagram.phases if p.is_stable]
    if metastable:
        axes.scatter(
            *corners([p.fractions for p in metastable]).T,
            s=14,
            color=MUTED,
            marker="x",
            linewidths=0.8,
            zorder=2,
            label="other known phases",
        )
    axes.scatter(*corners([p.fractions for p in stable]).T, s=30, color=INK, marker="s", zorder=4,
                 label="known stable phases")  # fmt: skip
    mappable = None
    for kind, (_, marker) in KINDS.items():
        points = [p for p in diagram.points if p.kind == kind]
        if points:
            label = f"{kind}: {', '.join(_engines(points))}, n = {len(points):,}"
            mappable = axes.scatter(
                *corners([p.fractions for p in points]).T,
                c=[p.e_above_hull for p in points],
                cmap=SCALE,
                vmin=0,
                vmax=WORST_SHOWN,
                s=2 * SIZES[kind],
                marker=marker,
                edgecolors="white",
                linewidths=0.6,
                zorder=5,
                label=label,
            )
    _name_phases(axes, diagram)
    if mappable is not None:
        bar = figure.colorbar(mappable, ax=axes, shrink=0.6, pad=0.06, extend="both")
        bar.set_label("candidates: energy above hull (eV/atom)")
    axes.set_title(f"{diagram.campaign_id}, hull {diagram.hull_id}", pad=16)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, 1.0))
    return figure


def _triangle(axes: Axes, diagram: Diagram) -> None:
    """Edges of the triangle and the tie lines."""
    places = corners([p.fractions for p in diagram.phases])
    edge = corners([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)])
    axes.plot(*edge.T, color="#98a2ad", linewidth=1.0, zorder=1)
    for first, second in diagram.ties:
        axes.plot(*places[[first, second]].T, color=FAINT, linewidth=1.1, zorder=1)
    axes.set_aspect("equal")
    axes.set_xlim(-0.1, 1.1)
    axes.set_ylim(-0.1, HEIGHT + 0.1)
    axes.axis("off")


def _outwards(place: NDArray[np.float64]) -> tuple[float, float]:
    """Offset of a label in points, away from the middle of the triangle."""
    away = place - np.array([0.5, HEIGHT / 3])
    length = float(np.linalg.norm(away)) or 1.0
    return float(13 * away[0] / length), float(11 * away[1] / length) if length > 0.05 else 11.0


def _points(store: Store, campaign_id: str, elements: tuple[str, ...]) -> Iterator[Point]:
    """Candidates within the chemical system: by their label, else by the surrogate."""
    found_labels = store.label_fields(campaign_id, ("candidate_id", "values", "engine", "is_dft"))
    labels = {
        label["candidate_id"]: label for label in found_labels if "e_above_hull" in label["values"]
    }
    same_hull = store.campaign(campaign_id).screen_hull_id is None
    fields = (
        "candidate_id",
        "formula",
        "state",
        "surrogate.formation_energy",
        "surrogate.e_above_hull",
        "surrogate.engine",
    )
    for found in store.candidate_fields(campaign_id, fields, surrogate={"$ne": None}):
        counts = _counts(found.get("formula") or "")
        if not counts or not set(counts) <= set(elements):
            continue
        place = (_formula(tuple(sorted(counts.items()))), _fractions(counts, elements))
        label = labels.get(found["candidate_id"])
        verdict = StoredVerdict.of(found["surrogate"])
        if label is not None:
            kind = IS_HIT if found["state"] == "hit" else LABELLED
            energies = (label["values"]["formation_energy"], label["values"]["e_above_hull"])
            yield Point(
                found["candidate_id"], *place, *energies, kind, label["engine"], label["is_dft"]
            )
        elif (
            same_hull and verdict.formation_energy is not None and verdict.e_above_hull is not None
        ):
            energies = (verdict.formation_energy, verdict.e_above_hull)
            yield Point(found["candidate_id"], *place, *energies, SCREENED, verdict.engine, False)


def _elements(system: str) -> tuple[str, ...]:
    from pymatgen.core import Element

    elements = tuple(part.strip() for part in system.split("-"))
    if (
        len(elements) not in (2, 3)
        or len(set(elements)) < len(elements)
        or not all(map(Element.is_valid_symbol, elements))
    ):
        raise ThermoError(
            f"--system {system!r} must name two or three different elements, e.g. V-O or Li-Fe-O"
        )
    return elements


@lru_cache(maxsize=100_000)
def _counts(formula: str) -> Mapping[str, float]:
    from pymatgen.core import Composition

    return dict(Composition(formula).get_el_amt_dict()) if formula else {}


def _fractions(counts: Mapping[str, float], elements: Sequence[str]) -> tuple[float, ...]:
    total = sum(counts.values())
    return tuple(counts.get(symbol, 0.0) / total for symbol in elements)


def _formula(formula: Sequence[tuple[str, float]]) -> str:
    from pymatgen.core import Composition

    return str(Composition(dict(formula)).reduced_formula)


def _engines(points: Sequence[Point]) -> list[str]:
    """Engines of the points, and whether they are surrogates."""
    return sorted({f"{p.engine} (DFT)" if p.is_dft else f"{p.engine} (surrogate)" for p in points})


def _pretty(formula: str) -> str:
    """A formula with subscripts, for matplotlib."""
    import re

    return re.sub(r"(\d+)", r"$_{\1}$", formula)
