"""Hulls of known phases that ship, by the name that `hull.source` gives them."""

from __future__ import annotations

from collections.abc import Callable

from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.materials_project import NAME, whole_hull
from gen2dft.thermo.vanadium_oxides import known_hull

KNOWN_HULLS: dict[str, Callable[[], ReferenceHull]] = {
    "vanadium-oxides": known_hull,
    NAME: whole_hull,
}
