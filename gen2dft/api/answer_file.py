"""Answers from a CSV file, and the crystals that they name."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gen2dft.errors import AnswerError, DatasetError, Gen2DFTError, not_one_of
from gen2dft.rounds.answers import Answer, property_of, split_unit

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.properties import Properties

# Columns beside properties, with the unit that may stand beside the name.
COLUMNS = {
    "id": None,
    "structure": None,
    "energy": "eV",
    "scale": None,
    "dft": None,
    "basis": None,
    "failed": None,
    "core_hours": "h",
}
FOR_READERS = ("formula", "file", "round")  # written by `gen2dft ask`; not read back
YES, NO = ("true", "yes", "1"), ("false", "no", "0")
TEXTS = ("scale", "basis", "failed")


class Row(NamedTuple):
    """One row of a file: its answer, or why it cannot be understood. `line` counts from 1."""

    line: int
    id: str
    answer: Answer | None
    problem: str | None


def read_answers(path: Path, known: Properties) -> Iterator[Row]:
    """Rows of a CSV file that tell something, in their order.

    Raises
    ------
    AnswerError
        The file cannot be read, has no column `id`, an unknown column, or one in another unit.
    """
    try:
        lines = list(csv.reader(_text(path).splitlines()))
    except csv.Error as err:
        raise AnswerError(f"{path} is no CSV file: {err}") from err
    header = lines[0] if lines else []
    if len(header) == 1 and ";" in header[0]:
        raise AnswerError(f"{path} separates its columns by semicolons: save it with commas")
    columns = [_column(title, known, path) for title in header]
    _must_be_usable(columns, path)
    for number, cells in enumerate(lines[1:], start=2):
        texts = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
        told = {name: text for name, text in texts.items() if text and name not in FOR_READERS}
        key = told.pop("id", "")
        if len(cells) > len(columns):
            problem = f"{len(cells)} cells under {len(columns)} columns; quote texts with commas"
            yield Row(number, key, None, problem)
        elif _says_something(told):
            yield _row(number, key, told, path.parent)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # spreadsheets put a mark before the first name
    except (OSError, UnicodeDecodeError) as err:
        reason = getattr(err, "strerror", None) or err
        raise AnswerError(f"cannot read {path}: {reason}; give a CSV file in UTF-8") from err


def _column(title: str, known: Properties, path: Path) -> str:
    """Plain name of a column; AnswerError if it is unknown or in another unit."""
    name, unit = split_unit(title)
    if name in FOR_READERS:
        return name
    if name in COLUMNS:
        if unit not in (None, COLUMNS[name]):
            raise AnswerError(f"{path}: {name} is in {unit!r}, and its unit is {COLUMNS[name]!r}")
        return name
    if name not in known:
        raise AnswerError(f"{path}: {not_one_of('column', name, {*COLUMNS, *known})}")
    try:
        return property_of(title, known)
    except AnswerError as err:
        raise AnswerError(f"{path}: {err}") from err


def _must_be_usable(columns: list[str], path: Path) -> None:
    if "id" not in columns:
        raise AnswerError(f"{path} has no column `id`; `gen2dft ask` writes a form that has all")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise AnswerError(f"{path} has two columns {twice[0]}: keep one")


def _says_something(told: Mapping[str, str]) -> bool:
    """Whether a row holds more than what a form holds for all rows."""
    return any(name not in ("scale", "dft", "basis") for name in told)


def _row(line: int, key: str, told: Mapping[str, str], folder: Path) -> Row:
    try:
        if not key:
            raise AnswerError("the row has no id")
        return Row(line, key, _answer(told, folder), None)
    except Gen2DFTError as err:
        return Row(line, key, None, str(err))


def _answer(told: Mapping[str, str], folder: Path) -> Answer:
    """The answer in the cells of one row."""
    fields: dict[str, Any] = {name: told[name] for name in TEXTS if name in told}
    for name in ("energy", "core_hours"):
        if name in told:
            fields[name] = _number(name, told[name])
    if "dft" in told:
        fields["dft"] = _truth(told["dft"])
    if "structure" in told:
        fields["structure"] = told_structure(folder / told["structure"])
    values = {name: _number(name, text) for name, text in told.items() if name not in COLUMNS}
    return Answer(values=values, **fields)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise AnswerError(f"{name} is {text!r}, which is no number") from None


def _truth(text: str) -> bool:
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    raise AnswerError(f"dft is {text!r}: write true or false")


def told_structure(given: Structure | Mapping[str, Any] | str | Path) -> Structure:
    """A crystal that was told: pymatgen's, its dictionary, or a file that holds one.

    Raises
    ------
    AnswerError
        It cannot be read, or is not one ordered crystal.
    """
    from pymatgen.core import Structure

    from gen2dft.datasets.own_structures import one_crystal

    if isinstance(given, str | Path):
        return _from_file(Path(given))
    content = given.as_dict() if isinstance(given, Structure) else given
    try:
        return one_crystal(content)
    except DatasetError as err:
        raise AnswerError(f"the structure told: {err}") from err


def _from_file(path: Path) -> Structure:
    from gen2dft.datasets.own_structures import read_one_crystal

    if not path.is_file():
        raise AnswerError(f"structure {path}: there is no such file")
    try:
        return read_one_crystal(path)
    except DatasetError as err:
        raise AnswerError(f"structure {' '.join(str(err).split())}") from err
