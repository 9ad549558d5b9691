"""The interactive page of a phase diagram: one self-contained HTML file, an SVG and a few lines of
script.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gen2dft import __version__
from gen2dft.report.output import write_file
from gen2dft.report.phase_diagram import (
    HEIGHT,
    KINDS,
    WORST_SHOWN,
    Diagram,
    Phase,
    Point,
    corners,
    label_offsets,
    lowest_energy,
)
from gen2dft.report.phase_diagram_picture import draw
from gen2dft.report.style import SCALE, png
from gen2dft.report.templating import environment
from gen2dft.store.documents import now

WIDTH, MARGIN = 860, 64  # pixels of the drawing
FIELD_WIDTH, FIELD_HEIGHT = 640, 460  # of the binary's axes
STEPS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # eV/atom between two lines of the binary's grid
MOST_LINES = 9
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # atomic fractions with a line of the binary's grid
EDGE = 640  # of the triangle
ANCHORS = {"center": "middle", "left": "start"}  # alignment in words of matplotlib and SVG

PER_POINT = 1.2  # pixels

Offset = tuple[float, float, str]
NOT_NAMED: Offset = (0.0, 0.0, "center")
Line = tuple[float, float, float, float]
Text = tuple[float, float, str, str]


def write_diagram(diagram: Diagram, folder: Path) -> tuple[Path, Path]:
    """Write picture and page; return their paths. OutputError if the folder cannot be written."""
    name = f"hull-{diagram.system}"
    picture = png(draw(diagram))
    page = render(diagram).encode("utf-8")
    written = write_file(folder / f"{name}.png", picture)
    return written, write_file(folder / f"{name}.html", page)


def render(diagram: Diagram) -> str:
    """The page; every text is escaped, and nothing is loaded from elsewhere."""
    template = environment("gen2dft.report").get_template("phase_diagram.html")
    return template.render(dict(_values(diagram)))


def _values(diagram: Diagram) -> Iterator[tuple[str, object]]:
    """Values of the template by name."""
    place = _Binary(diagram) if diagram.is_binary else _Ternary()
    names = label_offsets(diagram)
    phases = [_phase(phase, place, names) for phase in diagram.phases]
    ties = [(phases[first], phases[second]) for first, second in diagram.ties]
    points = [_point(point, place, diagram.is_binary) for point in diagram.points]
    yield "diagram", diagram
    yield "system", diagram.system
    yield "is_binary", diagram.is_binary
    yield "width", WIDTH
    yield "height", place.height
    yield "frame", place.frame(diagram.elements)
    yield "ties", ties
    # Stable phases come last, over the others.
    yield "phases", sorted(phases, key=lambda phase: phase["is_stable"])
    yield "points", points
    yield "counts", {kind: len(diagram.points_of(kind)) for kind in KINDS}
    yield "worst", WORST_SHOWN
    yield "surrogates", diagram.surrogates
    yield "version", __version__
    yield "written", f"{now():%Y-%m-%d %H:%M} UTC"


def _phase(phase: Phase, place: _Binary | _Ternary, names: Mapping[str, Offset]) -> dict[str, Any]:
    """A phase with its place, and the place of its name."""
    kind = "stable" if phase.is_stable else "metastable"
    # The template writes the names of stable phases only.
    offset = names.get(phase.formula, NOT_NAMED)
    return {**vars(phase), **place.of(phase), "kind": kind, "name": _name(offset)}


def _point(point: Point, place: _Binary | _Ternary, is_binary: bool) -> dict[str, Any]:
    """A candidate with its place, and its colour: by kind where the axis shows the energy, else by
    the distance to the hull.
    """
    colour = KINDS[point.kind][0] if is_binary else _colour(point.e_above_hull)
    return {**vars(point), **place.of(point), "colour": colour}


def _name(offset: Offset) -> dict[str, object]:
    """Where the name of a phase stands, in pixels right and down of it."""
    right, up, alignment = offset
    # Letters stand on their line: 4 pixels lower, their middle is level with the phase.
    down = 4 - PER_POINT * up
    return {"dx": PER_POINT * right, "dy": down, "anchor": ANCHORS[alignment]}


def _colour(e_above_hull: float) -> str:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    share = np.clip(e_above_hull / WORST_SHOWN, 0, 1)
    colour = colormaps[SCALE](float(share))
    return str(to_hex(colour))


class _Binary:
    """Places in a diagram of formation energy against composition."""

    height = FIELD_HEIGHT + 2 * MARGIN

    def __init__(self, diagram: Diagram) -> None:
        lowest = lowest_energy(diagram)
        self.low = min(lowest * 1.12, -0.1)
        self.top = -0.25 * self.low

    def of(self, item: Phase | Point) -> dict[str, float]:
        """Pixels of one phase or candidate; one above the view is drawn at its edge."""
        energy = min(item.formation_energy, self.top)
        return {"x": _x(item.fractions[1]), "y": self._y(energy)}

    def _y(self, energy: float) -> float:
        share = (self.top - energy) / (self.top - self.low)
        return MARGIN + FIELD_HEIGHT * share

    def frame(self, elements: tuple[str, ...]) -> dict[str, Any]:
        """Lines and texts of the axes."""
        lines = list(self._lines())
        texts = list(self._texts(elements[1]))
        return {"lines": lines, "texts": texts}

    def _lines(self) -> Iterator[Line]:
        for energy in self._levels():
            y = self._y(energy)
            yield _x(0), y, _x(1), y
        for share in SHARES:
            x = _x(share)
            yield x, MARGIN, x, MARGIN + FIELD_HEIGHT

    def _texts(self, element: str) -> Iterator[Text]:
        left = _x(0)
        bottom = MARGIN + FIELD_HEIGHT
        for energy in self._levels():
            y = self._y(energy)
            yield left - 8, y + 4, "end", f"{energy:.2f}"
        for share in SHARES:
            x = _x(share)
            yield x, bottom + 18, "middle", f"{share:.1f}"
        yield _x(0.5), bottom + 42, "middle", f"atomic fraction of {element}"
        yield left, MARGIN - 16, "start", "formation energy (eV/atom)"

    def _levels(self) -> list[float]:
        """Energies with a line of the grid: multiples of a round step."""
        finest = (self.top - self.low) / MOST_LINES
        step = next(step for step in STEPS if step >= finest)
        first = math.ceil(self.low / step)
        beyond = math.floor(self.top / step) + 1
        return [number * step for number in range(first, beyond)]


def _x(fraction: float) -> float:
    """Pixels of an atomic fraction in a binary."""
    return MARGIN + FIELD_WIDTH * fraction


class _Ternary:
    """Places in the triangle."""

    height = int(EDGE * HEIGHT) + 2 * MARGIN

    def of(self, item: Phase | Point) -> dict[str, float]:
        """Pixels of one phase or candidate."""
        ((right, up),) = corners([item.fractions]).tolist()
        down = HEIGHT - up
        return {"x": MARGIN + EDGE * right, "y": MARGIN + EDGE * down}

    def frame(self, elements: tuple[str, ...]) -> dict[str, Any]:
        """The edges of the triangle; the elements are labelled as phases."""
        del elements
        bottom = MARGIN + EDGE * HEIGHT
        right, middle = MARGIN + EDGE, MARGIN + EDGE / 2
        base = (MARGIN, bottom, right, bottom)
        left_side = (MARGIN, bottom, middle, MARGIN)
        right_side = (right, bottom, middle, MARGIN)
        return {"lines": [base, left_side, right_side], "texts": []}
