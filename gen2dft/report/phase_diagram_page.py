"""The interactive page of a phase diagram: one self-contained HTML file, an SVG and a few lines of
script.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np

from gen2dft import __version__
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
from gen2dft.store.documents import now

WIDTH, MARGIN = 860, 64  # pixels of the drawing
FIELD = (640, 460)  # of the binary's axes


def render(diagram: Diagram) -> str:
    """The page; every text is escaped, and nothing is loaded from elsewhere."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = (resources.files("gen2dft.report") / "phase_diagram.html").read_text(
        encoding="utf-8"
    )
    is_binary = len(diagram.elements) == 2
    place = _Binary(diagram) if is_binary else _Ternary()
    names = label_offsets(diagram)
    phases = [
        {
            **vars(phase),
            **place.of(phase),
            "kind": _kind(phase),
            "name": _name(names.get(phase.formula)),
        }
        for phase in diagram.phases
    ]
    points = [
        {**vars(point), **place.of(point), "colour": _colour(point, is_binary)}
        for point in diagram.points
    ]
    return environment.from_string(template).render(
        diagram=diagram,
        system="-".join(diagram.elements),
        is_binary=is_binary,
        width=WIDTH,
        height=place.height,
        frame=place.frame(diagram.elements),
        ties=[(phases[first], phases[second]) for first, second in diagram.ties],
        phases=sorted(phases, key=lambda phase: phase["is_stable"]),
        points=points,
        counts={kind: sum(p.kind == kind for p in diagram.points) for kind in KINDS},
        worst=WORST_SHOWN,
        surrogates=sorted({p.engine for p in diagram.points if not p.is_dft}),
        version=__version__,
        written=f"{now():%Y-%m-%d %H:%M} UTC",
    )


def _name(offset: tuple[float, float, str] | None) -> dict[str, object]:
    """Where the name of a phase stands, in pixels right and down of it."""
    right, up, alignment = offset or (0.0, 0.0, "center")
    return {
        "dx": 1.2 * right,
        "dy": 4 - 1.2 * up,
        "anchor": {"center": "middle", "left": "start"}[alignment],
    }


def _kind(phase: Phase) -> str:
    return "stable" if phase.is_stable else "metastable"


def _colour(point: Point, is_binary: bool) -> str:
    """By kind where the axis shows the energy, else by the distance to the hull."""
    if is_binary:
        return KINDS[point.kind][0]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    share = float(np.clip(point.e_above_hull / WORST_SHOWN, 0, 1))
    return str(to_hex(colormaps["cividis"](share)))


class _Binary:
    """Places in a diagram of formation energy against composition."""

    height = FIELD[1] + 2 * MARGIN

    def __init__(self, diagram: Diagram) -> None:
        self.low = min(lowest_energy(diagram) * 1.12, -0.1)
        self.top = -0.25 * self.low

    def of(self, item: Phase | Point) -> dict[str, float]:
        """Pixels of one phase or candidate; what lies above the view stays at its edge."""
        energy = min(item.formation_energy, self.top)
        return {"x": MARGIN + FIELD[0] * item.fractions[1], "y": self._y(energy)}

    def _y(self, energy: float) -> float:
        return MARGIN + FIELD[1] * (self.top - energy) / (self.top - self.low)

    def frame(self, elements: tuple[str, ...]) -> dict[str, Any]:
        """Lines and texts of the axes."""
        left, right, bottom = float(MARGIN), float(MARGIN + FIELD[0]), float(MARGIN + FIELD[1])
        step = next(s for s in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0) if (self.top - self.low) / s <= 9)
        levels = np.arange(np.ceil(self.low / step), np.floor(self.top / step) + 1) * step
        lines = [(left, self._y(e), right, self._y(e)) for e in levels]
        texts = [(left - 8, self._y(e) + 4, "end", f"{e:.2f}") for e in levels]
        shares = np.linspace(0, 1, 6)
        lines += [(left + FIELD[0] * x, MARGIN, left + FIELD[0] * x, bottom) for x in shares]
        texts += [(left + FIELD[0] * x, bottom + 18, "middle", f"{x:.1f}") for x in shares]
        texts.append(
            ((left + right) / 2, bottom + 42, "middle", f"atomic fraction of {elements[1]}")
        )
        texts.append((left, MARGIN - 16.0, "start", "formation energy (eV/atom)"))
        return {"lines": lines, "texts": texts}


class _Ternary:
    """Places in the triangle."""

    edge = 640
    height = int(640 * HEIGHT) + 2 * MARGIN

    def of(self, item: Phase | Point) -> dict[str, float]:
        """Pixels of one phase or candidate."""
        ((x, y),) = corners([item.fractions])
        return {"x": MARGIN + self.edge * float(x), "y": MARGIN + self.edge * (HEIGHT - float(y))}

    def frame(self, elements: tuple[str, ...]) -> dict[str, Any]:
        """The edges of the triangle; the elements are labelled as phases."""
        del elements
        left, right, top, bottom = MARGIN, MARGIN + self.edge, MARGIN, MARGIN + self.edge * HEIGHT
        middle = (left + right) / 2
        edges = [
            (left, bottom, right, bottom),
            (left, bottom, middle, top),
            (right, bottom, middle, top),
        ]
        return {"lines": edges, "texts": []}
