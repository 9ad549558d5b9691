"""Figures that others published, to be printed beside one's own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gen2dft.errors import DatasetError, not_one_of
from gen2dft.evaluation.tables import Row, Table

FORM = (
    '{"name": ..., "source": ..., "tables": {TABLE: [{"row": ..., "figures": {COLUMN: NUMBER}}]}}'
)


@dataclass(frozen=True)
class Reference:
    """Figures of one source.

    Parameters
    ----------
    name, source
        Short name, and where the figures are from.
    tables
        Table name to rows.
    """

    name: str
    source: str
    tables: Mapping[str, Sequence[Row]]

    def beside(self, table: Table) -> Table:
        """The table with these rows at its end."""
        own = self.tables.get(table.name, ())
        return replace(table, rows=[*table.rows, *own])


def _reference(name: str, source: str, figures: Mapping[str, Mapping[str, float]]) -> Reference:
    """A reference with one row in each table."""
    tables = {}
    for table, row in figures.items():
        tables[table] = [Row(name, row, source)]
    return Reference(name, source, tables)


PAPER = _reference(
    "Ren et al., paper",
    "Ren et al., Matter 5, 314 (2022), arXiv:2005.07609; 24,785 ternary crystals, 80/20, full "
    "training",
    {
        "reconstruction": {
            "elements_right": 0.991,
            "length_pmae": 7.41,
            "angle_pmae": 3.99,
            "coordinate_mae": 0.001,
        },
        "prediction": {"formation_energy": 0.063, "band_gap": 0.231},
    },
)


def read_reference(path: Path | str, columns: Mapping[str, Sequence[str]]) -> Reference:
    """Read figures from a JSON file; `FORM` shows its form.

    Parameters
    ----------
    columns
        Table name to the keys of its columns; others are refused.

    Raises
    ------
    DatasetError
        The file is missing or not of that form; the place is named.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        reference = _parsed(content, path.name)
    except OSError as err:
        raise DatasetError(f"reference file {path} cannot be read: {err.strerror}") from err
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        why = f"{type(err).__name__} {err}"
        raise DatasetError(f"reference file {path} is not of the form {FORM}: {why}") from err
    for table, rows in reference.tables.items():
        _check_columns(path, table, rows, columns)
    return reference


def _parsed(content: Any, file_name: str) -> Reference:
    """A reference from plain values; the file's name is its source if it names none."""
    name = str(content["name"])
    source = str(content.get("source", file_name))
    tables = {}
    for table, rows in dict(content["tables"]).items():
        tables[table] = [_row(name, source, row) for row in rows]
    return Reference(name, source, tables)


def _check_columns(
    path: Path, table: str, rows: Sequence[Row], columns: Mapping[str, Sequence[str]]
) -> None:
    """Refuse a table or a column that does not exist."""
    if table not in columns:
        raise DatasetError(f"reference file {path}: {not_one_of('table', table, columns)}")
    known = columns[table]
    keys = itertools.chain.from_iterable(row.figures for row in rows)
    for key in keys:
        if key not in known:
            refusal = not_one_of(f"column of table {table}", key, known)
            raise DatasetError(f"reference file {path}: {refusal}")


def _row(name: str, source: str, row: Mapping[str, Any]) -> Row:
    title = f"{name}, {row['row']}" if row.get("row") else name
    figures = {}
    for key, value in dict(row["figures"]).items():
        figures[str(key)] = float(value)
    return Row(title, figures, source)
