"""Cells of tables as ids, which are text, and as labels, which are numbers or missing."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import DatasetError
from gen2dft.input_files import brief, shown

MISSING = frozenset({
    "", "na", "n/a", "#n/a", "#n/a n/a", "#na", "nan", "-nan", "null", "none", "<na>",
})  # fmt: skip
"""How programs write an empty cell, in lower case."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INFINITE = re.compile(r"([+-]?)inf(inity)?", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?[0-9]+(,[0-9]+)+")
_SPREADSHEET_ERROR = re.compile(r"#[A-Z0-9/]+[!?]?")
_NUMBER_AND_TEXT = re.compile(r"([+-]?[0-9.]+([eE][+-]?[0-9]+)?)\s*([^\W\d_].*)")


class NoNumber(ValueError):
    """A cell is no number; the message says why, or nothing."""


def id_text(cell: Any) -> str | None:
    """An id as it stands in its cell; None for an empty cell.

    Raises
    ------
    ValueError
        The cell holds no text and no whole number, so that its text is not known.
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, str):
        return _sound_text(cell.strip())
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    raise ValueError(f"{shown(cell)} is no text: write ids in quotes")


def _sound_text(text: str) -> str | None:
    """The text, None if it is empty; ValueError where a file or a terminal would change it."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError(f"{shown(text)} holds a control character: remove it")
    return text or None


def numbers(cells: Sequence[Any], ids: Sequence[str], column: str) -> NDArray[np.float64]:
    """(n,) labels of the cells of a column; NaN for an empty cell.

    Parameters
    ----------
    ids
        (n,) what each cell belongs to, for the message.
    column
        Name of the column and of its file, for the message.

    Raises
    ------
    DatasetError
        A cell is neither empty nor a number.
    """
    values = np.empty(len(cells))
    broken: list[tuple[int, str]] = []
    for row, cell in enumerate(cells):
        try:
            values[row] = number(cell)
        except NoNumber as err:
            broken.append((row, str(err)))
    if not broken:
        return values
    examples = ", ".join(f"{brief(ids[row])} ({shown(cells[row])})" for row, _ in broken[:3])
    more = f" and {len(broken) - 3:,} more" if len(broken) > 3 else ""
    reasons = "; ".join(_distinct(reason for _, reason in broken))
    remedy = f": {reasons}" if reasons else ""
    raise DatasetError(
        f"{column} is not a number for {examples}{more}{remedy}; leave a missing label empty"
    )


def number(cell: Any) -> float:
    """A label; NaN for an empty cell, infinite where a number is beyond all floats.

    Raises
    ------
    NoNumber
        It is no number as programs write them.
    """
    if cell is None:
        return math.nan
    if isinstance(cell, bool):
        raise NoNumber("truth values are no labels")
    if isinstance(cell, int | float | Decimal):
        return _as_float(cell)
    if not isinstance(cell, str):
        raise NoNumber
    text = cell.strip()
    if text.lower() in MISSING:
        return math.nan
    if _NUMBER.fullmatch(text):
        return float(text)
    if infinite := _INFINITE.fullmatch(text):
        return -math.inf if infinite.group(1) == "-" else math.inf
    raise NoNumber(_why_no_number(text))


def _as_float(value: float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _why_no_number(text: str) -> str:
    if _COMMA.fullmatch(text):
        return "a decimal comma: write a point (and no separators of thousands)"
    for character in text:
        if not character.isascii() and unicodedata.category(character) in ("Pd", "Sm"):
            name = unicodedata.name(character, "")
            return f"U+{ord(character):04X} ({name}) stands for a minus: write -"
    if _SPREADSHEET_ERROR.fullmatch(text):
        return "an error of the spreadsheet"
    if found := _NUMBER_AND_TEXT.fullmatch(text):
        return f"{shown(found.group(3))} behind a number: leave units out of the cells"
    if text.lower() in ("true", "false"):
        return "truth values are no labels"
    return ""


def _distinct(texts: Iterable[str]) -> list[str]:
    """Texts that are not empty, each once."""
    return [text for text in dict.fromkeys(texts) if text][:3]
