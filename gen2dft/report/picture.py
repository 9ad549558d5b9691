"""A small picture of a crystal: its cell and atoms in orthographic projection, as an SVG."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from gen2dft.geometry import COVALENT_RADII

if TYPE_CHECKING:
    from pymatgen.core import Structure

SIZE = 220  # pixels, both ways
LEGEND = 34  # pixels below the picture; pages show it smaller, so its letters are large
TURN, TILT = (
    np.radians(-24.0),
    np.radians(14.0),
)  # the camera goes round the cell and looks down on it
BALL = 0.42  # drawn radius over covalent radius
# a metal and a non-metal nearer than this times the sum of their covalent radii are joined
BOND = 1.15
# fractional distance at which an atom counts as lying on a face and is repeated on the opposite one
ON_FACE = 0.02


@dataclass(frozen=True)
class _Shape:
    depth: float
    svg: str


def crystal_svg(structure: Structure, prefix: str) -> str:
    """One unit cell as an SVG element.

    Parameters
    ----------
    structure
        An ordered crystal.
    prefix
        Begins the ids of the colours, so that several pictures can stand on one page.

    Returns
    -------
    SVG text; depth is away from the reader, c points up, sticks join unlike atoms that touch, but
    no two metals.
    """
    lattice = _upright(structure.lattice.matrix)
    symbols, numbers, positions = _atoms(structure, lattice)
    corners = np.array(list(itertools.product((0, 1), repeat=3))) @ lattice
    radii = BALL * COVALENT_RADII[numbers]
    points, ends = _project(positions), _project(corners)
    scale, shift = _fit(np.concatenate([points, ends]), np.concatenate([radii, np.zeros(8)]))
    points, ends = points * scale + shift, ends * scale + shift
    shapes = [*_edges(ends), *_bonds(symbols, positions, points, radii)]
    for symbol, point, radius in zip(symbols, points, radii * scale, strict=True):
        circle = (
            f'<circle cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="{radius:.1f}" '
            f'fill="url(#{prefix}-{symbol})"'
        )
        shapes.append(_Shape(point[2], f'{circle} stroke="#3a3f45" stroke-width=".5"/>'))
    shapes.sort(key=lambda shape: -shape.depth)
    elements = sorted(set(symbols))
    formula = html.escape(structure.composition.reduced_formula)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE + LEGEND}" role="img">'
        "<title>Unit cell of "
        f"{formula}</title><defs>{''.join(_gradient(prefix, s) for s in elements)}</defs>"
        f"{''.join(shape.svg for shape in shapes)}{_legend(prefix, elements)}</svg>"
    )


def crystal_scene(structure: Structure) -> dict[str, Any]:
    """One unit cell as plain numbers, for a viewer that turns it.

    Returns
    -------
    `atoms`, each with `symbol`, `at` (Angstrom, about the middle of the cell; c along the third
    axis) and `radius` as drawn; `bonds` as pairs of rows of `atoms`; `corners` of the cell;
    `colours` of the elements as hexadecimal.
    """
    lattice = _upright(structure.lattice.matrix)
    symbols, numbers, positions = _atoms(structure, lattice)
    middle = lattice.sum(axis=0) / 2
    radii = BALL * COVALENT_RADII[numbers]
    places = np.round(positions - middle, 4).tolist()
    corners = np.array(list(itertools.product((0, 1), repeat=3))) @ lattice - middle
    return {
        "atoms": [
            {"symbol": symbol, "at": place, "radius": round(float(radius), 4)}
            for symbol, place, radius in zip(symbols, places, radii, strict=True)
        ],
        "bonds": [[i, j] for i, j, _ in _bonded(symbols, positions, radii)],
        "corners": np.round(corners, 4).tolist(),
        "colours": {
            symbol: "#{:02x}{:02x}{:02x}".format(*_colour(symbol))
            for symbol in sorted(set(symbols))
        },
    }


def _upright(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same cell turned so that c points up and a lies to the right."""
    up = matrix[2] / np.linalg.norm(matrix[2])
    right = matrix[0] - (matrix[0] @ up) * up
    right /= np.linalg.norm(right)
    frame = np.stack([right, np.cross(up, right), up])
    return matrix @ frame.T


def _atoms(
    structure: Structure, lattice: NDArray[np.float64]
) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64]]:
    """Symbols, atomic numbers and positions (Angstrom) of the atoms in the cell and on its
    faces.
    """
    symbols, numbers, places = [], [], []
    for site in structure:
        frac = site.frac_coords % 1.0
        frac[frac > 1 - ON_FACE] -= 1.0
        steps = [(0, 1) if f < ON_FACE else (0,) for f in frac]
        for step in itertools.product(*steps):
            symbols.append(site.specie.symbol)
            numbers.append(site.specie.Z)
            places.append((frac + step) @ lattice)
    return symbols, np.array(numbers), np.array(places)


def _project(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) right, down and away from the reader, of positions in Angstrom."""
    x = positions[:, 0] * np.cos(TURN) - positions[:, 1] * np.sin(TURN)
    away = positions[:, 0] * np.sin(TURN) + positions[:, 1] * np.cos(TURN)
    up = positions[:, 2] * np.cos(TILT) + away * np.sin(TILT)
    return np.stack([x, -up, away * np.cos(TILT) - positions[:, 2] * np.sin(TILT)], axis=1)


def _fit(
    points: NDArray[np.float64], radii: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Pixels per Angstrom, and the shift that centres everything in the picture."""
    low = (points[:, :2] - radii[:, None]).min(axis=0)
    high = (points[:, :2] + radii[:, None]).max(axis=0)
    scale = (SIZE - 8) / float((high - low).max())
    centre = SIZE / 2 - scale * (low + high) / 2
    return scale, np.array([*centre, 0.0])


def _edges(ends: NDArray[np.float64]) -> list[_Shape]:
    """The twelve edges of the cell.

    Two corners share one if their indices differ in one binary digit.
    """
    shapes = []
    for i, j in itertools.combinations(range(8), 2):
        if (i ^ j).bit_count() == 1:
            shapes += _line(ends[i], ends[j], "#9aa3ad", 1.0, parts=6)
    return shapes


def _bonds(
    symbols: list[str],
    positions: NDArray[np.float64],
    points: NDArray[np.float64],
    radii: NDArray[np.float64],
) -> list[_Shape]:
    """Sticks between unlike atoms that touch, from surface to surface.

    `radii` as drawn, in Angstrom.
    """
    shapes = []
    for i, j, length in _bonded(symbols, positions, radii):
        along = points[j] - points[i]
        start, end = (
            points[i] + along * (0.9 * radii[i] / length),
            points[j] - along * (0.9 * radii[j] / length),
        )
        shapes += _line(start, end, "#b4bac2", 3.0, parts=4)
    return shapes


def _bonded(
    symbols: list[str], positions: NDArray[np.float64], radii: NDArray[np.float64]
) -> Iterator[tuple[int, int, float]]:
    """Pairs of unlike atoms that touch, no two metals, and their distance in Angstrom.

    `radii` as drawn.
    """
    from pymatgen.core import Element

    metal = [Element(symbol).is_metal for symbol in symbols]
    for i, j in itertools.combinations(range(len(symbols)), 2):
        if symbols[i] == symbols[j] or (metal[i] and metal[j]):
            continue
        length = float(np.linalg.norm(positions[i] - positions[j]))
        if radii[i] + radii[j] < length < BOND / BALL * (radii[i] + radii[j]):
            yield i, j, length


def _line(
    start: NDArray[np.float64], end: NDArray[np.float64], colour: str, width: float, parts: int
) -> list[_Shape]:
    """A line in parts, each with a depth of its own, so that atoms can stand before one end and
    behind the other.
    """
    at = np.linspace(0, 1, parts + 1)[:, None]
    ends = start + at * (end - start)
    return [
        _Shape(
            float(p[2] + q[2]) / 2,
            f'<path d="M{p[0]:.1f} {p[1]:.1f}L{q[0]:.1f} {q[1]:.1f}" stroke="{colour}" '
            f'stroke-width="{width:.1f}"'
            ' stroke-linecap="round"/>',
        )
        for p, q in itertools.pairwise(ends)
    ]


@cache
def element_colours() -> dict[str, tuple[int, int, int]]:
    """Symbol to red, green and blue (0 to 255), as VESTA draws the elements.

    The table is pymatgen's.
    """
    table = resources.files("pymatgen.vis") / "ElementColorSchemes.yaml"
    colours = yaml.safe_load(table.read_text(encoding="utf-8"))["VESTA"]
    return {symbol: (int(r), int(g), int(b)) for symbol, (r, g, b) in colours.items()}


def _colour(symbol: str) -> tuple[int, int, int]:
    return element_colours().get(symbol, (160, 160, 160))


def _gradient(prefix: str, symbol: str) -> str:
    """A ball lit from the upper left."""
    base = np.array(_colour(symbol))
    light, dark = base + 0.65 * (255 - base), 0.62 * base
    stops = "".join(
        f'<stop offset="{at}" stop-color="rgb({c[0]:.0f},{c[1]:.0f},{c[2]:.0f})"/>'
        for at, c in ((0, light), (0.55, base), (1, dark))
    )
    return (
        f'<radialGradient id="{prefix}-{symbol}" cx=".38" cy=".35" r=".7">{stops}</radialGradient>'
    )


def _legend(prefix: str, elements: list[str]) -> str:
    """A ball and a symbol per element, centred below the picture."""
    step = min(62, SIZE / len(elements))
    left = (SIZE - step * len(elements)) / 2
    parts = []
    for number, symbol in enumerate(elements):
        x, y = left + step * number + 12, SIZE + LEGEND / 2
        ball = (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="url(#{prefix}-{symbol})" '
            'stroke="#3a3f45"'
        )
        parts.append(
            f'{ball} stroke-width=".5"/><text x="{x + 14:.1f}" '
            f'y="{y + 7:.1f}">{html.escape(symbol)}</text>'
        )
    return f'<g font-family="sans-serif" font-size="20" fill="#1f2933">{"".join(parts)}</g>'
