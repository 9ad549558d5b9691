"""A small picture of a crystal: its cell and atoms in orthographic projection, as an SVG."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterator, Sequence
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

Floats = NDArray[np.float64]

SIZE = 220  # pixels, both ways
MARGIN = 4  # pixels around the crystal
LEGEND = 34  # pixels below the picture; pages show it smaller, so its letters are large
# The camera goes round the cell and looks down on it.
TURN, TILT = math.radians(-24.0), math.radians(14.0)
COS_TURN, SIN_TURN = math.cos(TURN), math.sin(TURN)
COS_TILT, SIN_TILT = math.cos(TILT), math.sin(TILT)
BALL = 0.42  # drawn radius over covalent radius
# A metal and a non-metal nearer than this times the sum of their covalent radii are joined.
BOND = 1.15
REACH = BOND / BALL  # the same over the sum of the drawn radii
# A stick begins at this share of the drawn radius: its round end hides beneath the ball.
BENEATH = 0.9
# Fractional distance at which an atom counts as lying on a face and is repeated on the opposite
# one.
ON_FACE = 0.02
CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))
UNKNOWN_COLOUR = (160, 160, 160)

PICTURE = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE + LEGEND}" role="img">'
    "<title>Unit cell of {formula}</title><defs>{gradients}</defs>{shapes}{legend}</svg>"
)
BALL_SVG = (
    '<circle cx="{:.1f}" cy="{:.1f}" r="{}" fill="url(#{}-{})" stroke="#3a3f45" stroke-width=".5"/>'
)
LINE_SVG = (
    '<path d="M{:.1f} {:.1f}L{:.1f} {:.1f}" stroke="{}" stroke-width="{:.1f}" '
    'stroke-linecap="round"/>'
)
GRADIENT_SVG = '<radialGradient id="{}-{}" cx=".38" cy=".35" r=".7">{}</radialGradient>'
STOP_SVG = '<stop offset="{}" stop-color="rgb({:.0f},{:.0f},{:.0f})"/>'
LEGEND_SVG = '<g font-family="sans-serif" font-size="20" fill="#1f2933">{}</g>'
SYMBOL_SVG = '<text x="{:.1f}" y="{:.1f}">{}</text>'


@dataclass(frozen=True)
class _Shape:
    depth: float
    svg: str


@dataclass(frozen=True)
class _Cell:
    """One unit cell, c upwards, with the atoms on its faces repeated.

    Parameters
    ----------
    lattice
        (3, 3) vectors as rows, Angstrom.
    symbols
        Of n atoms.
    positions
        (n, 3), Angstrom.
    radii
        (n,) as drawn, Angstrom.
    """

    lattice: Floats
    symbols: list[str]
    positions: Floats
    radii: Floats

    @classmethod
    def of(cls, structure: Structure) -> _Cell:
        lattice = _upright(structure.lattice.matrix)
        symbols, numbers, positions = _atoms(structure, lattice)
        radii = BALL * COVALENT_RADII[numbers]
        return cls(lattice, symbols, positions, radii)

    @property
    def elements(self) -> list[str]:
        return sorted(set(self.symbols))

    @property
    def corners(self) -> Floats:
        """(8, 3) corners, Angstrom."""
        return np.asarray(CORNERS @ self.lattice)

    def bonded(self) -> Iterator[tuple[int, int, float]]:
        """Pairs of unlike atoms that touch, no two metals, and their distance in Angstrom."""
        pairs = itertools.combinations(range(len(self.symbols)), 2)
        for i, j in pairs:
            if not _may_bond(self.symbols[i], self.symbols[j]):
                continue
            apart = self.positions[i] - self.positions[j]
            length = float(np.linalg.norm(apart))
            drawn = self.radii[i] + self.radii[j]
            # A stick between balls that overlap would not be seen.
            if drawn < length < REACH * drawn:
                yield i, j, length


@cache
def _may_bond(first: str, second: str) -> bool:
    """Whether sticks join two elements: unlike ones, no two metals."""
    from pymatgen.core import Element

    are_metals = Element(first).is_metal and Element(second).is_metal
    return first != second and not are_metals


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
    cell = _Cell.of(structure)
    shapes = _shapes(cell, prefix)
    # Nearer shapes are drawn later, over the others.
    shapes.sort(key=lambda shape: -shape.depth)
    drawn = "".join(shape.svg for shape in shapes)
    gradients = "".join(_gradient(prefix, symbol) for symbol in cell.elements)
    formula = html.escape(structure.composition.reduced_formula)
    legend = _legend(prefix, cell.elements)
    return PICTURE.format(formula=formula, gradients=gradients, shapes=drawn, legend=legend)


def _shapes(cell: _Cell, prefix: str) -> list[_Shape]:
    """Edges, sticks and balls in pixels, in any order."""
    points = _project(cell.positions)
    ends = _project(cell.corners)
    outline = _outline(points, cell.radii, ends)
    scale, shift = _fit(outline)
    points = points * scale + shift
    ends = ends * scale + shift
    sticks = _bonds(cell, points)
    balls = _balls(cell, points, scale, prefix)
    return [*_edges(ends), *sticks, *balls]


def crystal_scene(structure: Structure) -> dict[str, Any]:
    """One unit cell as plain numbers, for a viewer that rotates it.

    Returns
    -------
    `atoms`, each with `symbol`, `at` (Angstrom, about the middle of the cell; c along the third
    axis) and `radius` as drawn; `bonds` as pairs of rows of `atoms`; `corners` of the cell;
    `colours` of the elements as hexadecimal.
    """
    cell = _Cell.of(structure)
    middle = cell.lattice.sum(axis=0) / 2
    atoms = list(_atoms_of_scene(cell, middle))
    corners = (cell.corners - middle).round(4)
    bonds = [[i, j] for i, j, _ in cell.bonded()]
    colours = {symbol: _hexadecimal(symbol) for symbol in cell.elements}
    return {"atoms": atoms, "bonds": bonds, "corners": corners.tolist(), "colours": colours}


def _atoms_of_scene(cell: _Cell, middle: Floats) -> Iterator[dict[str, Any]]:
    offsets = cell.positions - middle
    places = offsets.round(4).tolist()
    radii = cell.radii.round(4).tolist()
    for symbol, place, radius in zip(cell.symbols, places, radii, strict=True):
        yield {"symbol": symbol, "at": place, "radius": radius}


def _upright(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same cell rotated so that c points up and a lies to the right."""
    a, _, c = matrix
    up = c / np.linalg.norm(c)
    right = a - (a @ up) * up
    right /= np.linalg.norm(right)
    back = np.cross(up, right)
    frame = np.stack([right, back, up])
    return matrix @ frame.T


def _atoms(structure: Structure, lattice: Floats) -> tuple[list[str], NDArray[np.int64], Floats]:
    """Symbols, atomic numbers and positions (Angstrom) of the atoms in the cell and on its
    faces.
    """
    symbols, numbers, places = [], [], []
    for site in structure:
        frac = site.frac_coords % 1.0
        # An atom just below the upper face lies on the lower one too.
        frac[frac > 1 - ON_FACE] -= 1.0
        # Along each axis on whose lower face it lies, it has an image on the upper one.
        steps = [(0, 1) if f < ON_FACE else (0,) for f in frac]
        for step in itertools.product(*steps):
            symbols.append(site.specie.symbol)
            numbers.append(site.specie.Z)
            places.append((frac + step) @ lattice)
    return symbols, np.array(numbers), np.array(places)


def _project(positions: Floats) -> Floats:
    """(n, 3) right, down and away from the reader, of positions in Angstrom."""
    x, y, z = positions.T
    right = x * COS_TURN - y * SIN_TURN
    away = x * SIN_TURN + y * COS_TURN
    up = z * COS_TILT + away * SIN_TILT
    depth = away * COS_TILT - z * SIN_TILT
    return np.stack([right, -up, depth], axis=1)


def _outline(points: Floats, radii: Floats, ends: Floats) -> Floats:
    """(k, 2) outermost points of balls and cell."""
    centres, corners = points[:, :2], ends[:, :2]
    reach = radii[:, None]
    return np.concatenate([centres - reach, centres + reach, corners])


def _fit(outline: Floats) -> tuple[float, Floats]:
    """Pixels per Angstrom, and the shift that centres everything in the picture."""
    low = outline.min(axis=0)
    high = outline.max(axis=0)
    extent = float((high - low).max())
    scale = (SIZE - 2 * MARGIN) / extent
    middle = (low + high) / 2
    right, down = SIZE / 2 - scale * middle
    return scale, np.array([right, down, 0.0])


def _balls(cell: _Cell, points: Floats, scale: float, prefix: str) -> Iterator[_Shape]:
    radii = [f"{radius:.1f}" for radius in cell.radii * scale]
    for symbol, point, radius in zip(cell.symbols, points, radii, strict=True):
        x, y, depth = point
        svg = BALL_SVG.format(x, y, radius, prefix, symbol)
        yield _Shape(depth, svg)


def _edges(ends: Floats) -> Iterator[_Shape]:
    """The twelve edges of the cell.

    Two corners share one if their indices differ in one binary digit.
    """
    for i, j in itertools.combinations(range(8), 2):
        if (i ^ j).bit_count() == 1:
            yield from _line(ends[i], ends[j], "#9aa3ad", 1.0, parts=6)


def _bonds(cell: _Cell, points: Floats) -> Iterator[_Shape]:
    """Sticks between unlike atoms that touch, from surface to surface."""
    for i, j, length in cell.bonded():
        first, second = points[i], points[j]
        along = second - first
        hidden = BENEATH * cell.radii / length
        start = first + along * hidden[i]
        end = second - along * hidden[j]
        yield from _line(start, end, "#b4bac2", 3.0, parts=4)


def _line(start: Floats, end: Floats, colour: str, width: float, parts: int) -> Iterator[_Shape]:
    """A line in parts, each with a depth of its own, so that atoms can stand before one end and
    behind the other.
    """
    places = np.linspace(start, end, parts + 1)
    for first, second in itertools.pairwise(places):
        x1, y1, depth1 = first
        x2, y2, depth2 = second
        depth = float(depth1 + depth2) / 2
        svg = LINE_SVG.format(x1, y1, x2, y2, colour, width)
        yield _Shape(depth, svg)


@cache
def element_colours() -> dict[str, tuple[int, int, int]]:
    """Symbol to red, green and blue (0 to 255), as VESTA draws the elements.

    The table is pymatgen's.
    """
    table = resources.files("pymatgen.vis") / "ElementColorSchemes.yaml"
    schemes = yaml.safe_load(table.read_text(encoding="utf-8"))
    colours = {}
    for symbol, parts in schemes["VESTA"].items():
        red, green, blue = map(int, parts)
        colours[symbol] = (red, green, blue)
    return colours


def _colour(symbol: str) -> tuple[int, int, int]:
    return element_colours().get(symbol, UNKNOWN_COLOUR)


def _hexadecimal(symbol: str) -> str:
    """Colour of an element for a page."""
    return "#{:02x}{:02x}{:02x}".format(*_colour(symbol))


def _gradient(prefix: str, symbol: str) -> str:
    """A ball lit from the upper left."""
    base = np.array(_colour(symbol))
    to_white = 255 - base
    light = base + 0.65 * to_white
    dark = 0.62 * base
    colours = ((0, light), (0.55, base), (1, dark))
    stops = [STOP_SVG.format(at, *colour) for at, colour in colours]
    return GRADIENT_SVG.format(prefix, symbol, "".join(stops))


def _legend(prefix: str, elements: Sequence[str]) -> str:
    """A ball and a symbol per element, centred below the picture."""
    step = min(62, SIZE / len(elements))
    width = step * len(elements)
    left = (SIZE - width) / 2
    y = SIZE + LEGEND / 2
    parts = []
    for number, symbol in enumerate(elements):
        x = left + step * number + 12
        letters = html.escape(symbol)
        parts.append(BALL_SVG.format(x, y, 9, prefix, symbol))
        parts.append(SYMBOL_SVG.format(x + 14, y + 7, letters))
    return LEGEND_SVG.format("".join(parts))
