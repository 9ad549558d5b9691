"""The picture of a crystal shows every atom of the cell and of its faces."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from example_campaign import structure
from pymatgen.core import Lattice, Structure

from gen2dft.report.picture import LEGEND, SIZE, crystal_svg, element_colours

SVG = "{http://www.w3.org/2000/svg}"


def atoms(svg: str, symbol: str) -> list[ET.Element]:
    """Circles of one element, without the one in the legend."""
    fill = f"url(#p-{symbol})"
    return [c for c in ET.fromstring(svg).findall(f"{SVG}circle") if c.get("fill") == fill]


def test_perovskite_shows_the_images_on_faces_edges_and_corners() -> None:
    svg = crystal_svg(
        structure(0), "p"
    )  # NaTiO3: Na on the corners, Ti in the middle, O on the faces
    assert [len(atoms(svg, symbol)) for symbol in ("Na", "Ti", "O")] == [8, 1, 6]


def test_everything_lies_inside_the_picture() -> None:
    svg = crystal_svg(structure(1), "p")
    for circle in ET.fromstring(svg).iter(f"{SVG}circle"):
        x, y, r = (float(circle.get(key) or 0) for key in ("cx", "cy", "r"))
        assert r <= x <= SIZE - r
        assert r <= y <= SIZE + LEGEND - r


@pytest.mark.parametrize("shift", [0.0, 1.0, -2.0, 1e-9])
def test_whole_translations_change_nothing(shift: float) -> None:
    moved = Structure(structure(0).lattice, structure(0).species, structure(0).frac_coords + shift)
    assert crystal_svg(moved, "p") == crystal_svg(structure(0), "p")


def test_rotating_the_crystal_changes_nothing() -> None:
    crystal = structure(1)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    turned = Structure(Lattice(crystal.lattice.matrix @ turn), crystal.species, crystal.frac_coords)
    assert len(crystal_svg(turned, "p")) == pytest.approx(len(crystal_svg(crystal, "p")), abs=20)
    assert len(atoms(crystal_svg(turned, "p"), "Sb")) == 4


def test_near_atoms_are_drawn_over_far_ones() -> None:
    lattice = Lattice.cubic(6)
    svg = crystal_svg(Structure(lattice, ["Na", "Cl"], [[0.5, 0.9, 0.5], [0.5, 0.1, 0.5]]), "p")
    order = [c.get("fill") for c in ET.fromstring(svg).findall(f"{SVG}circle")]
    assert order == ["url(#p-Na)", "url(#p-Cl)"]


def test_metals_are_not_joined_by_sticks() -> None:
    alloy = Structure(Lattice.cubic(3), ["Cu", "Zn"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    salt = Structure(Lattice.cubic(4.1), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert crystal_svg(alloy, "p").count("<path") == 12 * 6
    assert crystal_svg(salt, "p").count("<path") > 12 * 6


def test_every_element_has_a_colour() -> None:
    assert element_colours()["O"] == (254, 3, 0)
    assert all(0 <= part <= 255 for colour in element_colours().values() for part in colour)
