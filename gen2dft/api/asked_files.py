"""Crystals that were asked for as files, and a form for the answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gen2dft.api.answer_file import COLUMNS
from gen2dft.properties import ENERGIES
from gen2dft.report.cif import cif_name, structure_cif
from gen2dft.report.output import write_file

if TYPE_CHECKING:
    from gen2dft.campaign import CampaignSpec
    from gen2dft.rounds.asking import Asked

FORM = "answers.csv"
FORMATION_ENERGY, DISTANCE = ENERGIES


def write_poscars(asked: Iterable[Asked], folder: Path) -> list[Path]:
    """One POSCAR per crystal, as the screen relaxed it; OutputError if it cannot be written."""
    from pymatgen.io.vasp import Poscar

    written = []
    for crystal in asked:
        poscar = Poscar(crystal.structure, comment=_comment(crystal), sort_structure=True)
        path = folder / _name(crystal, ".vasp")
        written.append(write_file(path, poscar.get_str().encode()))
    return written


def write_cifs(asked: Iterable[Asked], folder: Path) -> list[Path]:
    """One CIF per crystal, conventional cell and symmetry; OutputError if it cannot be written."""
    written = []
    for crystal in asked:
        text = structure_cif(crystal.structure.as_dict(), [_comment(crystal)])
        written.append(write_file(folder / _name(crystal, ".cif"), text.encode()))
    return written


def _comment(crystal: Asked) -> str:
    return f"{crystal.formula}, round {crystal.round}, gen2dft candidate {crystal.id}"


def _name(crystal: Asked, ending: str) -> str:
    return cif_name(crystal.formula, crystal.id).removesuffix(".cif") + ending


def write_form(asked: Sequence[Asked], spec: CampaignSpec, folder: Path) -> Path:
    """A CSV file with a row per crystal, whose empty cells `gen2dft tell` reads once filled.

    It has a column for each property that a target asks for. OutputError if it cannot be written.
    """
    known = spec.known_properties
    wanted = [target.property for target in spec.targets if target.property != DISTANCE]
    names = dict.fromkeys([*wanted, FORMATION_ENERGY])
    titles = [f"{name} ({known[name].unit})" for name in names]
    others = [_title(name, unit) for name, unit in COLUMNS.items() if name != "id"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "formula", *titles, *others])
    empty = [""] * (len(titles) + len(others))
    for crystal in asked:
        writer.writerow([crystal.id, crystal.formula, *empty])
    return write_file(folder / FORM, text.getvalue().encode())


def _title(name: str, unit: str | None) -> str:
    return name if unit is None else f"{name} ({unit})"
