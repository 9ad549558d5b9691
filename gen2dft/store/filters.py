"""Filters that readers write, bounded before a database sees them.

A database evaluates them document by document without asking what that costs: a regular expression
can take minutes on one name, and some operators run programs on the server. So only operators that
compare are taken, and a pattern must be one that no text can make slow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from gen2dft.errors import QueryError, not_one_of

Filter = dict[str, Any]

MAX_LENGTH = 2000
MAX_DEPTH = 20
MAX_PARTS = 100  # comparisons
MAX_MS = 10_000  # that the database may take, as far as it counts
MAX_PATTERN = 100
MAX_REPEATS, MAX_ALTERNATIVES = 2, 5
SHOWN = 60
INT64 = 2**63

OPERATORS = frozenset({
    "$all", "$and", "$elemMatch", "$eq", "$exists", "$gt", "$gte", "$in", "$lt", "$lte", "$mod",
    "$ne", "$nin", "$nor", "$not", "$options", "$or", "$regex", "$size",
})  # fmt: skip
JOINING = ("$and", "$nor", "$or")
LISTS = ("$all", "$in", "$nin")
REPEATS = "*+?{"
EXAMPLE = """-q '{"formula": "SrTiO3"}'"""


def parse_filter(text: str) -> Filter:
    """The filter that a text in JSON holds.

    Raises
    ------
    QueryError
        It is no JSON object, or not within the bounds of `check_filter`.
    """
    shown = shortened(text)
    check_size(len(text), 0, 0)
    try:
        parsed = json.loads(text, parse_constant=_no_number, object_pairs_hook=_without_doubles)
    except (json.JSONDecodeError, RecursionError) as err:
        raise QueryError(f"the filter {shown} is not JSON: {err}; e.g. {EXAMPLE}") from err
    if not isinstance(parsed, dict):
        raise QueryError(f"the filter {shown} must be a JSON object; e.g. {EXAMPLE}")
    check_filter(parsed)
    return parsed


def check_filter(wanted: Filter) -> None:
    """Refuse what is too deep, too long, or more than a comparison.

    Raises
    ------
    QueryError
        The message names the part.
    """
    for number, part in enumerate(_parts(wanted)):
        check_size(0, part.depth, number)
        if part.key.startswith("$") and part.key not in OPERATORS:
            raise QueryError(not_one_of("operator", part.key, OPERATORS))
        if part.key == "$regex":
            check_pattern(part.value)
        elif part.key == "$options" and part.value != "i":
            raise QueryError("$options may only be 'i': capital or small letters alike")
        _check_text(part.key)
        _check_value(part.field, part.value)
    _check_lists(wanted)


def _check_lists(wanted: object) -> None:
    """Refuse an operator over several values or conditions that is given something else.

    Databases differ in what they make of it.
    """
    if isinstance(wanted, list):
        for item in wanted:
            _check_lists(item)
    if not isinstance(wanted, dict):
        return
    for key, value in wanted.items():
        if key in JOINING and not _are_conditions(value):
            raise QueryError(f"{key} takes a list of conditions, as in {key}: [{{...}}, {{...}}]")
        if key in LISTS and not isinstance(value, list):
            raise QueryError(f"{key} takes a list of values, as in {key}: [1, 2]")
        _check_lists(value)


def _are_conditions(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def check_size(length: int, depth: int, parts: int) -> None:
    """Refuse a filter of more characters, levels or comparisons than are taken.

    Raises
    ------
    QueryError
        The message says how many are.
    """
    if length > MAX_LENGTH or depth > MAX_DEPTH or parts > MAX_PARTS:
        raise QueryError(
            f"the filter is too large: at most {MAX_LENGTH} characters, {MAX_DEPTH} levels and "
            f"{MAX_PARTS} comparisons are taken; ask in several steps"
        )


def check_pattern(pattern: object) -> None:
    """Refuse a regular expression that some text could make slow, or that is none.

    A backtracking matcher takes exponential time on repeated groups, and a power of the length of
    the text for several repeats in a row.

    Raises
    ------
    QueryError
        The message says what is taken.
    """
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        raise QueryError(f"$regex must be a text of at most {MAX_PATTERN} characters")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as err:
        raise QueryError(f"$regex {pattern!r} is no regular expression: {err}") from err
    symbols = list(_symbols(pattern))
    repeats = [symbol for symbol in symbols if symbol in REPEATS]
    is_simple = len(repeats) <= MAX_REPEATS and symbols.count("|") <= MAX_ALTERNATIVES
    if not is_simple or _repeats_a_group(symbols) or _looks_around(symbols):
        raise QueryError(
            f"$regex {pattern!r} may take the database minutes: at most {MAX_REPEATS} of * + ? {{}}"
            f" and {MAX_ALTERNATIVES} of | are taken, none after a bracket, and no (? or \\1"
        )


def shortened(text: str) -> str:
    """The beginning of a text in quotes, for messages."""
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


class _Part(NamedTuple):
    """One key of a filter with its value, the field that it is about, and how deep it lies."""

    depth: int
    field: str
    key: str
    value: Any


def _parts(wanted: object) -> Iterator[_Part]:
    """Every part of a filter; the items of a list have the key of the list."""
    open_parts = [_Part(0, "", "", wanted)]
    while open_parts:
        part = open_parts.pop()
        depth, field, key, value = part
        if key:
            yield part
        if isinstance(value, dict):
            for name, inner in value.items():
                about = field if name.startswith("$") else name
                open_parts.append(_Part(depth + 1, about, name, inner))
        elif isinstance(value, list):
            nested = [item for item in value if isinstance(item, dict | list)]
            open_parts += [_Part(depth + 1, field, key, item) for item in nested]


def _check_value(field: str, value: object) -> None:
    items = value if isinstance(value, list) else [value]
    for item in items:
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, float) and not math.isfinite(item):
            raise QueryError(f"{field} is compared with {item}, which is no number")
        elif isinstance(item, int) and not -INT64 <= item < INT64:
            raise QueryError(f"{field} is compared with {shortened(str(item))}: give fewer digits")


def _check_text(text: str) -> None:
    """Refuse texts that a database cannot hold: half a character, or the end of a text."""
    try:
        text.encode()
    except UnicodeEncodeError as err:
        raise QueryError(f"{shortened(text)} is not valid Unicode") from err
    if "\0" in text:
        raise QueryError(f"{shortened(text)} holds a character with number 0")


def _symbols(pattern: str) -> Iterator[str]:
    """What has a meaning of its own in a pattern; `x` for anything else, sets of characters too."""
    without_escapes = re.sub(r"\\[1-9]", "\0", pattern)  # back references
    without_escapes = re.sub(r"\\.", "x", without_escapes, flags=re.DOTALL)
    without_sets = re.sub(r"\[\^?\]?[^\]]*\]", "x", without_escapes)
    yield from without_sets


def _repeats_a_group(symbols: list[str]) -> bool:
    return any(a == ")" and b in REPEATS for a, b in pairwise(symbols))


def _looks_around(symbols: list[str]) -> bool:
    text = "".join(symbols)
    return "(?" in text or "\0" in text


def _no_number(text: str) -> Any:
    raise QueryError(f"{text} is no number in JSON; e.g. {EXAMPLE}")


def _without_doubles(pairs: list[tuple[str, Any]]) -> Filter:
    found: Filter = {}
    for key, value in pairs:
        if key in found:
            raise QueryError(f"the filter names {shortened(key)} twice; join them by $and")
        found[key] = value
    return found
