"""Which column of a table is which: by the name that the user gave, or by usual names."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.datasets.cells import numbers
from gen2dft.datasets.tables import Table
from gen2dft.errors import DatasetError, not_one_of
from gen2dft.input_files import brief, shown
from gen2dft.properties import PROPERTIES, Properties
from gen2dft.units import factor, units_like

SYNONYMS: dict[str, tuple[str, ...]] = {
    "id": ("material_id", "id", "mp_id", "entry_id", "identifier", "file", "filename"),
    "structure": ("structure", "cif", "structures", "cif_text"),
    "formation_energy": (
        "formation_energy",
        "formation_energy_per_atom",
        "e_form",
        "e_form_per_atom",
    ),
    "e_above_hull": ("e_above_hull", "energy_above_hull", "e_hull", "ehull"),
    "band_gap": ("band_gap", "bandgap", "gap", "gap pbe", "e_gap"),
}
"""Column names recognised without being told, in order of preference.

Upper and lower case are the same, and a unit behind the name is read. Other properties are
recognised by their own name.
"""
NOT_LABELS = ("id", "structure")

# How headers write a unit: words of the name's end to the unit.
UNITS = {
    ("ev", "atom"): "eV/atom",
    ("ev", "per", "atom"): "eV/atom",
    ("mev", "atom"): "meV/atom",
    ("mev", "per", "atom"): "meV/atom",
    ("kj", "mol"): "kJ/mol",
    ("kj", "per", "mol"): "kJ/mol",
    ("kj", "mol", "atom"): "kJ/mol",
    ("kj",): "kJ/mol",
    ("kcal", "mol"): "kcal/mol",
    ("kcal",): "kcal/mol",
    ("j", "mol"): "J/mol",
    ("hartree",): "Hartree",
    ("ha",): "Hartree",
    ("ha", "atom"): "Hartree/atom",
    ("ry",): "Rydberg",
    ("ry", "atom"): "Rydberg/atom",
    ("rydberg", "atom"): "Rydberg/atom",
    ("hartree", "atom"): "Hartree/atom",
    ("kj", "mol", "per", "atom"): "kJ/mol-atom",
    ("ev", "fu"): "eV per formula unit",
    ("ev", "cell"): "eV per cell",
    ("mev",): "meV",
    ("ev",): "eV",
}
_LONGEST_FIRST = sorted(UNITS.items(), key=lambda entry: -len(entry[0]))
_WORD = re.compile(r"[^a-z0-9]+")
OF_ENERGIES = ("eV", "eV/atom")

NO_OTHERS = Properties()
Labels = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Wanted:
    """The part of a table that is read.

    Parameters
    ----------
    columns
        Property (or `id`, `structure`) to the column that was named for it; a unit may follow the
        column's name, `Ehull:meV/atom`, from which the values are converted.
    properties
        Whose own ones are read besides those that are built in.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    properties: Properties = NO_OTHERS

    @classmethod
    def checked(cls, columns: Mapping[str, str], properties: Properties) -> Wanted:
        """The same; DatasetError for a column that is named for no property, or for two."""
        wanted = cls(dict(columns), properties)
        users: dict[str, str] = {}
        for role, column in columns.items():
            if role not in wanted.roles:
                raise DatasetError(not_one_of("columns: property", role, wanted.roles))
            if column in users:
                raise DatasetError(_twice(column, users[column], role))
            users[column] = role
        return wanted

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all properties.

        A property of an installed package is not among them unless it is used: the content of a
        file must not depend on what is installed.
        """
        return (*PROPERTIES, *self.properties.own)

    @property
    def roles(self) -> tuple[str, ...]:
        """All that a column may be named for."""
        return (*NOT_LABELS, *self.labels)

    def unit(self, role: str) -> str:
        """The unit of a role's values; empty where it has none."""
        known = {**PROPERTIES, **self.properties.own}
        return known[role].unit if role in known else ""


def find_column(table: Table, role: str, wanted: Wanted) -> str | None:
    """The column of a role: the one named, else the first usual name that is there.

    Raises
    ------
    DatasetError
        The column named is not there, two columns could hold the labels of a property and differ,
        or the only one states another unit.
    """
    if role in wanted.columns:
        given, unit = split_unit(wanted.columns[role], table.names)
        named = _named_column(table, role, given)
        if unit is None:
            _refuse_other_unit(table, role, named, wanted)
        else:
            _check_unit(table, role, named, unit)
        return named
    usual = [_plain(name) for name in SYNONYMS.get(role, (role,))]
    taken = _taken(table, wanted)
    ranked: list[tuple[int, str]] = []
    for name in table.names:
        rank = _rank(name, usual, wanted.unit(role))
        if rank is not None and name not in taken:
            ranked.append((rank, name))
    if not ranked:
        _refuse_foreign_units(table, role, usual, wanted)
        return None
    found = [name for _, name in sorted(ranked, key=lambda entry: entry[0])]
    if role not in NOT_LABELS:
        _refuse_contradictions(table, role, found)
    return found[0]


def require_column(table: Table, role: str, wanted: Wanted) -> str:
    """As `find_column`; DatasetError if there is none."""
    column = find_column(table, role, wanted)
    if column is not None:
        return column
    usual = " or ".join(SYNONYMS[role][:2])
    raise DatasetError(
        f"{table.path} has no {role} column such as {usual}; it has {_listed(table.names)}. Name "
        f"it: columns: {role}: NAME"
    )


def read_labels(table: Table, ids: Sequence[str], wanted: Wanted) -> Labels:
    """(n,) values of every property that has a column; empty cells are NaN.

    Raises
    ------
    DatasetError
        A cell is neither empty nor a number; and as `find_column`.
    """
    labels: Labels = {}
    users: dict[str, str] = {}
    for name in wanted.labels:
        column = find_column(table, name, wanted)
        if column is not None:
            if column in users:
                raise DatasetError(_twice(column, users[column], name))
            users[column] = name
            where = f"{table.path}: column {column!r}"
            values = numbers(table.column(column), ids, where)
            labels[name] = values * _factor(table, name, wanted)
    return labels


def _twice(column: str, first: str, second: str) -> str:
    return f"column {column!r} is named for both {first} and {second}: it can hold one of them"


def split_unit(text: str, names: Sequence[str]) -> tuple[str, str | None]:
    """Column and unit of `Ehull:meV/atom`; no unit where a column has this very name."""
    column, colon, unit = text.rpartition(":")
    if text in names or not colon:
        return text, None
    return column.strip(), unit.strip()


def _taken(table: Table, wanted: Wanted) -> set[str]:
    """Columns that are named for a role."""
    return {split_unit(text, table.names)[0] for text in wanted.columns.values()}


def _factor(table: Table, role: str, wanted: Wanted) -> float:
    """What the values of a column are multiplied by to be in the unit of a property.

    Raises
    ------
    DatasetError
        The unit named behind the column cannot be converted to that of the property.
    """
    _, unit = split_unit(wanted.columns.get(role, ""), table.names)
    if unit is None:
        return 1.0
    try:
        return factor(unit, wanted.unit(role))
    except ValueError as err:
        raise DatasetError(f"--column {role}={brief(wanted.columns[role])}: {err}") from err


def _check_unit(table: Table, role: str, column: str, unit: str) -> None:
    """DatasetError for a unit of what has none, and one that the column's own name contradicts."""
    if role in NOT_LABELS:
        raise DatasetError(
            f"{table.path} has no column {f'{column}:{unit}'!r} (for {role}), and {role} has no "
            "unit: leave it out"
        )
    stated = name_and_unit(column)[1]
    # Energies per atom are often headed by eV alone.
    if stated is not None and stated != unit and not unit.startswith(stated):
        raise DatasetError(
            f"{table.path}: column {column!r} states the unit {stated}, and --column the unit "
            f"{brief(unit)}: give the one that is right, or rename the column"
        )


def check_finite(labels: Labels, ids: Sequence[str], path: Any) -> None:
    """DatasetError for infinite labels; it names file and rows."""
    for name, values in labels.items():
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            rows = ", ".join(brief(ids[row]) for row in infinite[:3])
            raise DatasetError(
                f"{path}: {name} is infinite for {len(infinite)} rows: {rows}; leave it empty if "
                "missing"
            )


def _listed(names: Sequence[str]) -> str:
    """Names of columns in a message; a long list is cut."""
    listed = ", ".join(brief(name) or "(no name)" for name in names[:20])
    return listed if len(names) <= 20 else f"{listed} and {len(names) - 20} more"


def _named_column(table: Table, role: str, named: str) -> str:
    if named in table.names:
        return named
    near = difflib.get_close_matches(named, table.names, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise DatasetError(
        f"{table.path} has no column {named!r} (for {role}); it has {_listed(table.names)}{hint}"
    )


def _plain(name: str) -> str:
    """A column's name as its words in lower case, joined by `_`."""
    return "_".join(word for word in _WORD.split(name.lower()) if word)


def name_and_unit(name: str) -> tuple[str, str | None]:
    """A column's plain name without the unit at its end, and that unit; None if it states none."""
    words = _plain(name).split("_")
    for ending, unit in _LONGEST_FIRST:
        rest = words[: -len(ending)]
        if rest and words[-len(ending) :] == list(ending):
            plain = "_".join(rest)
            is_per_atom = unit == "eV" and plain.endswith("per_atom")
            return plain, "eV/atom" if is_per_atom else unit
    return _plain(name), None


def _rank(name: str, usual: Sequence[str], unit: str) -> int | None:
    """The place of a column's name among usual ones; None if it is none of them, or of another
    unit.
    """
    without_unit, stated = name_and_unit(name)
    for plain in (_plain(name), without_unit if stated == unit else ""):
        if plain in usual:
            return usual.index(plain)
    return None


def _refuse_other_unit(table: Table, role: str, column: str, wanted: Wanted) -> None:
    """DatasetError for a named column whose name states another unit."""
    stated, unit = name_and_unit(column)[1], wanted.unit(role)
    if stated is None or unit not in OF_ENERGIES or stated in (unit, "eV"):
        return
    raise DatasetError(_other_unit(table, role, column, stated, unit))


def _refuse_foreign_units(table: Table, role: str, usual: Sequence[str], wanted: Wanted) -> None:
    """DatasetError for a column that would be a role's but for its unit."""
    unit, taken = wanted.unit(role), _taken(table, wanted)
    if unit not in OF_ENERGIES:
        return
    for name in table.names:
        plain, stated = name_and_unit(name)
        if stated is not None and plain in usual and name not in taken:
            remedy = f"; if they are in {unit}, name it: --column {role}={shown(name)}"
            problem = _other_unit(table, role, name, stated, unit)
            raise DatasetError(problem + (remedy if stated == "eV" else ""))


def _other_unit(table: Table, role: str, column: str, stated: str, unit: str) -> str:
    if stated in units_like(unit):
        option = f"{role}={column}:{stated}"
        remedy = f"have its values converted: --column {shlex.quote(option)}"
    else:
        remedy = "convert its values and rename it, or remove it"
    return (
        f"{table.path}: column {column!r} states the unit {stated}, but {role} is in {unit}: "
        f"{remedy}"
    )


def _refuse_contradictions(table: Table, role: str, names: Sequence[str]) -> None:
    """DatasetError where two columns could be one property and do not hold the same."""
    first = table.column(names[0])
    for other in names[1:]:
        if table.column(other) != first:
            raise DatasetError(
                f"{table.path}: {names[0]!r} and {other!r} could both be {role}, and they differ: "
                f"name one of them (columns: {role}: NAME, or --column {role}=NAME)"
            )
