"""Tables of crystals (CSV, JSON, parquet): which column is which, and their numbers as labels."""

from __future__ import annotations

import difflib
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import DatasetError, not_one_of
from gen2dft.properties import PROPERTIES, Properties

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".csv.gz", ".json", ".json.gz", ".parquet")

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

Upper and lower case are the same. Other properties are recognised by their own name.
"""

NO_OTHERS = Properties()
Labels = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Wanted:
    """The part of a table that is read.

    Parameters
    ----------
    columns
        Property (or `id`, `structure`) to the column that was named for it.
    properties
        Whose own ones are read besides those that are built in.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    properties: Properties = NO_OTHERS

    @classmethod
    def checked(cls, columns: Mapping[str, str], properties: Properties) -> Wanted:
        """The same; DatasetError for a column that is named for no property."""
        wanted = cls(dict(columns), properties)
        for role in columns:
            if role not in wanted.roles:
                raise DatasetError(not_one_of("columns: property", role, wanted.roles))
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
        return ("id", "structure", *self.labels)


def read_frame(path: Path) -> pd.DataFrame:
    """A table by the end of its file's name; DatasetError if it cannot be read."""
    import pandas as pd

    name = path.name.lower()
    try:
        if name.endswith((".csv", ".csv.gz")):
            return pd.read_csv(path, low_memory=False)
        if name.endswith(".parquet"):
            return pd.read_parquet(path)
        return pd.DataFrame(_records(path))
    except ImportError as err:
        raise DatasetError(
            f"reading {path} needs the package pyarrow: pip install pyarrow"
        ) from err
    except (OSError, ValueError, EOFError, pd.errors.ParserError) as err:
        raise DatasetError(f"cannot read dataset {path}: {err}") from err


def _records(path: Path) -> list[dict[str, Any]]:
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as file:
        content = json.load(file)
    is_list = isinstance(content, list)
    if not is_list or not all(isinstance(row, dict) for row in content):
        raise ValueError("expected a list of records, one object per crystal")
    return content


def find_column(frame: pd.DataFrame, role: str, wanted: Wanted, path: Path) -> str | None:
    """The column of a role: the one named, else the first usual name that is there.

    Raises
    ------
    DatasetError
        The column named is not there.
    """
    if role in wanted.columns:
        return _named_column(frame, role, wanted.columns[role], path)
    present = {str(column).lower(): str(column) for column in frame.columns}
    for name in SYNONYMS.get(role, (role.lower(),)):
        if name in present:
            return present[name]
    return None


def _named_column(frame: pd.DataFrame, role: str, named: str, path: Path) -> str:
    if named in frame.columns:
        return named
    columns = [str(column) for column in frame.columns]
    near = difflib.get_close_matches(named, columns, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    have = ", ".join(columns)
    raise DatasetError(f"{path} has no column {named!r} (for {role}); it has {have}{hint}")


def require_column(frame: pd.DataFrame, role: str, wanted: Wanted, path: Path) -> str:
    """As `find_column`; DatasetError if there is none."""
    column = find_column(frame, role, wanted, path)
    if column is not None:
        return column
    usual = " or ".join(SYNONYMS[role][:2])
    have = ", ".join(map(str, frame.columns))
    raise DatasetError(
        f"{path} has no {role} column such as {usual}; it has {have}. Name it: columns: "
        f"{role}: NAME"
    )


def read_labels(frame: pd.DataFrame, ids: Sequence[str], wanted: Wanted, path: Path) -> Labels:
    """(n,) values of every property that has a column; empty cells are NaN.

    Raises
    ------
    DatasetError
        A cell is neither empty nor a number.
    """
    labels = {}
    for name in wanted.labels:
        column = find_column(frame, name, wanted, path)
        if column is not None:
            labels[name] = _numbers(frame[column], ids, path)
    return labels


def _numbers(cells: pd.Series[Any], ids: Sequence[str], path: Path) -> NDArray[np.float64]:
    import pandas as pd

    numeric = pd.to_numeric(cells, errors="coerce")
    # A text becomes NaN, as an empty cell does; only the latter means that there is no label.
    broken = np.flatnonzero(numeric.isna() & cells.notna())
    if len(broken):
        rows = ", ".join(f"{ids[row]} ({cells.iloc[row]!r})" for row in broken[:3])
        raise DatasetError(
            f"{path}: column {cells.name!r} is not a number for {rows}; leave a missing label empty"
        )
    return numeric.to_numpy(dtype=np.float64)


def check_rows(path: Path, ids: Sequence[str], labels: Labels) -> None:
    """Refuse duplicate ids and infinite labels; DatasetError names file and rows."""
    refuse_duplicates(path, ids)
    for name, values in labels.items():
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            rows = ", ".join(ids[row] for row in infinite[:3])
            raise DatasetError(
                f"{path}: {name} is infinite for {len(infinite)} rows: {rows}; leave it empty if "
                "missing"
            )


def refuse_duplicates(path: Path, ids: Iterable[str]) -> None:
    """DatasetError if an id occurs twice."""
    seen: set[str] = set()
    repeated: dict[str, None] = {}  # in the order of the file
    for name in ids:
        if name in seen:
            repeated[name] = None
        seen.add(name)
    if repeated:
        names = ", ".join(list(repeated)[:3])
        raise DatasetError(
            f"{path}: {len(repeated)} ids occur more than once: {names}; every crystal needs its "
            "own id"
        )
