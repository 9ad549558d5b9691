"""Which property the columns of a table that are not read may hold: the nearest by name and unit,
as options to type.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gen2dft.datasets.cells import numbers
from gen2dft.datasets.columns import (
    NO_OTHERS,
    SYNONYMS,
    Wanted,
    find_column,
    name_and_unit,
)
from gen2dft.datasets.folders import is_crystal_file, list_folder
from gen2dft.datasets.tables import Table, read_table
from gen2dft.errors import DatasetError
from gen2dft.properties import PROPERTIES, Properties, Property
from gen2dft.units import units_like

# Names that are too short or too vague to be read without being told.
HINTS: dict[str, tuple[str, ...]] = {
    "formation_energy": ("ef", "eform", "formation_enthalpy", "hform", "e_f"),
    "e_above_hull": ("hull_distance", "decomposition_energy", "ehull"),
    "band_gap": ("eg", "egap", "gap"),
    "power_factor": ("pf", "powerfactor"),
}
NEAR = 0.7  # likeness of two names, 0 to 1
OF_ONE_UNIT = 0.15  # added where the column states a unit of the property


@dataclass(frozen=True)
class Proposal:
    """What a column that is not read may be.

    Parameters
    ----------
    column
        Its name.
    role
        The property that it comes nearest to; a name made of its own, where there is none.
    unit
        That its header states; None if it states none.
    is_own
        Whether the property would be one of the user's own.
    """

    column: str
    role: str
    unit: str | None
    is_own: bool = False

    @property
    def option(self) -> str:
        """The option that reads it; `UNIT` where a property of one's own still lacks one."""
        unit = self.unit or ("UNIT" if self.is_own else None)
        named = self.column if unit is None else f"{self.column}:{unit}"
        return f"--column {shlex.quote(f'{self.role}={named}')}"

    @property
    def text(self) -> str:
        """One line for people."""
        if self.is_own:
            return f"{self.column} can be a property of your own: {self.option}"
        unit = PROPERTIES[self.role].unit
        others = [other for other in units_like(unit) if other != unit]
        hint = ""
        if self.unit is None and others:
            hint = f" (read as {unit}; :{others[0]} behind the column converts)"
        return f"{self.column} looks like {self.role}: {self.option}{hint}"


def proposals_for(
    path: Path, columns: dict[str, str], properties: Properties = NO_OTHERS
) -> list[Proposal]:
    """Proposals for the columns of a file, or of a folder's labels, that are not read.

    Empty for what is no table. Arguments as of `gen2dft.datasets.files.read_dataset`.
    """
    file = list_folder(path).labels if path.is_dir() else path
    if file is None or is_crystal_file(file) or file.name.lower().endswith(".npz"):
        return []
    return list(proposals(read_table(file), Wanted.checked(columns, properties)))


def proposals(table: Table, wanted: Wanted) -> Iterator[Proposal]:
    """What each column of numbers that is not read may be, in the order of the table."""
    columns = {role: find_column(table, role, wanted) for role in wanted.roles}
    used = {column for column in columns.values() if column is not None}
    unread = [name for name in table.names if name not in used and _holds_numbers(table, name)]
    free = [prop for prop in PROPERTIES.values() if columns[prop.name] is None]
    nearest = _nearest(unread, free)
    for name in unread:
        unit = name_and_unit(name)[1]
        if name in nearest:
            yield Proposal(name, nearest[name], unit)
        else:
            yield Proposal(name, _as_name(name, set(wanted.roles)), unit, is_own=True)


def _nearest(columns: Sequence[str], free: Sequence[Property]) -> dict[str, str]:
    """Column to property, each used once, the most alike first."""
    likeness = [(_likeness(column, prop), column, prop.name) for column in columns for prop in free]
    found: dict[str, str] = {}
    for score, column, name in sorted(likeness, key=lambda entry: -entry[0]):
        is_taken = column in found or name in found.values()
        if score >= NEAR and not is_taken:
            found[column] = name
    return found


def _likeness(column: str, prop: Property) -> float:
    """How much a column's name and unit are like a property's; 0 for another kind of unit."""
    plain, unit = name_and_unit(column)
    if unit is not None and unit not in units_like(prop.unit):
        return 0.0
    usual = (prop.name, *SYNONYMS.get(prop.name, ()), *HINTS.get(prop.name, ()))
    best = max(_alike(plain, name) for name in usual)
    return best + (OF_ONE_UNIT if unit is not None else 0.0)


def _alike(plain: str, usual: str) -> float:
    words = plain.split("_")
    if plain == usual or (usual in words and len(usual) > 1):
        return 1.0
    return difflib.SequenceMatcher(None, plain, usual).ratio()


def _holds_numbers(table: Table, name: str) -> bool:
    """Whether a column's cells are numbers or empty, and some are numbers."""
    if not name or table.names.count(name) > 1:
        return False
    try:
        values = numbers(table.column(name), table.places, name)
    except DatasetError:
        return False
    return bool(np.isfinite(values).any())


def _as_name(column: str, taken: Collection[str]) -> str:
    """A name that a property can have, made of a column's."""
    plain, _ = name_and_unit(column)
    word = re.sub(r"^(\d)", r"p\1", plain) or "value"
    return f"own_{word}" if word in taken else word
