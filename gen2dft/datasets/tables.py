"""Tables as files (CSV, JSON, parquet): their cells as they stand, nothing inferred.

The cells of a CSV file are text, so that `0001`, `1e5`, `NaN` and `True` stay what they are where
they are ids. What a cell means is for `columns.py` and `cells.py` to say.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gen2dft.errors import DatasetError
from gen2dft.input_files import UnreadableFile, decoded, read_bytes

SUFFIXES = (".csv", ".csv.gz", ".json", ".json.gz", ".parquet")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
OF_A_CRYSTAL = ("@module", "@class", "@version", "charge", "lattice", "sites", "properties")
LONGEST_CELL = 2**31 - 1  # characters; a large cell as CIF text exceeds csv's own limit


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of cells under named columns.

    Parameters
    ----------
    path
        The file.
    names
        Names of the columns; a name may occur twice.
    rows
        Cells of each row, as many as columns; None where a record lacks one.
    places
        Where each row stands, e.g. `line 3`.
    """

    path: Path
    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    places: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[Any]:
        """(n,) cells of a column; DatasetError if two have this name."""
        if self.names.count(name) > 1:
            raise DatasetError(f"{self.path} has two columns {name!r}: remove or rename one")
        index = self.names.index(name)
        return [row[index] for row in self.rows]

    def only(self, rows: Sequence[int]) -> Table:
        """The table with these rows alone."""
        cells = tuple(self.rows[row] for row in rows)
        places = tuple(self.places[row] for row in rows)
        return Table(self.path, self.names, cells, places)


def read_table(path: Path) -> Table:
    """The table of a file, by the end of its name.

    Blank rows are left out. Of a CSV file the separator (comma, semicolon, tab or bar) is found in
    the header.

    Raises
    ------
    DatasetError
        It cannot be read: no file, damaged, another encoding, rows of unequal length, doubled keys.
    """
    try:
        data = read_bytes(path)
        return _read(path, data)
    except UnreadableFile as err:
        raise DatasetError(f"cannot read the table {path}: it {err}") from err
    except ImportError as err:
        raise DatasetError(
            f"reading {path} needs the package pyarrow: pip install pyarrow"
        ) from err
    except (ValueError, csv.Error, RecursionError, MemoryError) as err:
        raise DatasetError(f"cannot read the table {path}: {_first_line(err)}") from err


def _read(path: Path, data: bytes) -> Table:
    name = path.name.lower()
    if name.endswith(".parquet"):
        return _of_parquet(path, data)
    text = decoded(data)
    if name.endswith((".json", ".json.gz")):
        return _of_records(path, _records(text))
    return _of_csv(path, text)


def _first_line(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]


# CSV
# ------------------------------------------------------------------------------------------------


def _of_csv(path: Path, text: str) -> Table:
    separator, text = _separator(text)
    found = list(_csv_rows(text, separator))
    if not found:
        raise ValueError("it holds no rows")
    _, header = found.pop(0)
    names = tuple(name.strip() for name in header)
    rows = [_full_row(cells, len(names), line) for line, cells in found]
    places = tuple(f"line {line}" for line, _ in found)
    return Table(path, names, tuple(rows), places)


def _csv_rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the line in which it begins."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as err:
        raise ValueError(
            f"line {line}, cells separated by {SEPARATORS[separator]}: {err}; cells with "
            "separators, quotes or line ends must be in double quotes"
        ) from err


def _full_row(cells: Sequence[str], width: int, line: int) -> tuple[str, ...]:
    """The cells of a row; ValueError unless there are as many as columns."""
    surplus = cells[width:]
    if len(cells) < width or any(cell.strip() for cell in surplus):
        raise ValueError(
            f"line {line} has {len(cells)} cells, but the header names {width} columns; a text "
            "with separators in it must be in double quotes"
        )
    return tuple(cells[:width])


def _separator(text: str) -> tuple[str, str]:
    """The separator and the text without a line `sep=;`, which spreadsheets write before it."""
    first, _, rest = text.partition("\n")
    stated = first.strip().strip('"')
    if stated.lower().startswith("sep=") and stated[4:] in SEPARATORS:
        return stated[4:], rest
    widths = {separator: _width(text, separator) for separator in SEPARATORS}
    # The first of equals is the comma.
    return max(widths, key=lambda separator: widths[separator]), text


def _width(text: str, separator: str) -> int:
    """Number of columns that a header has with a separator."""
    lines = io.StringIO(text, newline="")
    header = next((line for line in lines if line.strip()), "")
    return len(next(csv.reader([header], delimiter=separator), ()))


# JSON and parquet
# ------------------------------------------------------------------------------------------------


def _records(text: str) -> list[Mapping[str, Any]]:
    content = json.loads(text, object_pairs_hook=without_doubled_keys)
    named = _named_crystals(content)
    if named is not None:
        return named
    is_list = isinstance(content, list)
    if not is_list or not all(isinstance(row, dict) for row in content):
        raise ValueError(
            "expected a list of records, one object per crystal, or crystals as pymatgen writes "
            "them: one, a list, or names with one each"
        )
    return [_with_structure(row) if _is_crystal(row) else row for row in content]


def _named_crystals(content: object) -> list[Mapping[str, Any]] | None:
    """Records of a file that holds one crystal, or names with one each; None for another file."""
    if not isinstance(content, dict) or not content:
        return None
    if _is_crystal(content):
        return [_with_structure(content)]
    if not all(map(_is_crystal, content.values())):
        return None
    return [{"id": name, **_with_structure(row)} for name, row in content.items()]


def _is_crystal(row: object) -> bool:
    """Whether this is a crystal as pymatgen writes it."""
    return isinstance(row, dict) and {"lattice", "sites"} <= row.keys()


def _with_structure(row: Mapping[str, Any]) -> dict[str, Any]:
    """A crystal with whatever else stands beside it as a record; `structure` is a column then."""
    crystal = {key: value for key, value in row.items() if key in OF_A_CRYSTAL}
    others = {key: value for key, value in row.items() if key not in OF_A_CRYSTAL}
    return {**others, "structure": crystal}


def without_doubled_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object of a JSON document; ValueError for a key that occurs twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        doubled = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object has the key {doubled[:40]!r} twice: leave one of them")
    return content


def _of_records(path: Path, records: Sequence[Mapping[str, Any]]) -> Table:
    if not records:
        raise ValueError("it holds no records")
    names = tuple(dict.fromkeys(name for record in records for name in record))
    rows = tuple(tuple(record.get(name) for name in names) for record in records)
    places = tuple(f"record {number}" for number in range(1, len(records) + 1))
    return Table(path, names, rows, places)


def _of_parquet(path: Path, data: bytes) -> Table:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_table as read_parquet

    try:
        table = read_parquet(io.BytesIO(data))
        # Not by way of pandas, which makes floats of whole numbers beside an empty cell.
        columns: Iterable[list[Any]] = [column.to_pylist() for column in table.columns]
    except (ArrowException, OSError, TypeError, UnicodeDecodeError) as err:
        raise ValueError(f"it is no whole parquet file: {_first_line(err)}") from err
    rows = tuple(zip(*columns, strict=True))
    if not rows:
        raise ValueError("it holds no rows")
    places = tuple(f"row {number}" for number in range(1, len(rows) + 1))
    return Table(path, tuple(table.column_names), rows, places)
