"""Folders with crystals of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pymatgen.core import Lattice, Structure

from tests.toys import rock_salt

# Rock salts that the toy engine relaxes, none of which the toys' training set knows.
SALTS = {
    "SrO.cif": ("Sr", "O"),
    "more/BaS.cif": ("Ba", "S"),
    "more/NaF.cif": ("Na", "F"),
}


def write_salts(
    folder: Path, salts: Mapping[str, tuple[str, str]] = SALTS, length: float = 5.8
) -> Path:
    """One CIF per rock salt."""
    for name, pair in salts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        rock_salt(*pair, length).to(filename=str(file))
    return folder


def disordered() -> Structure:
    """A crystal with a site that two species share."""
    return Structure(Lattice.cubic(4.0), [{"Si": 0.5, "Ge": 0.5}], [[0, 0, 0]])
