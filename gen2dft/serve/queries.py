"""Filters, order and page from an address.

A field that is not valid raises ServeError, which names it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from gen2dft.errors import ServeError, not_one_of


def number(given: Mapping[str, str], name: str) -> float | None:
    """A number; None if the field is empty or missing."""
    text = given.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ServeError(f"{name} = {text!r} is not a number; write it like 0.05")
    return value


def whole(given: Mapping[str, str], name: str, default: int) -> int:
    """A whole number of at least 1."""
    value = number(given, name)
    if value is None:
        return default
    if value < 1 or value > 10**9 or value != int(value):
        raise ServeError(f"{name} = {given[name]!r} must be a whole number from 1")
    return int(value)


def num_pages(number: int, rows: int) -> int:
    """Pages that so many rows fill, at least 1."""
    full = math.ceil(number / rows)
    return max(1, full)


def choice(given: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """One of the choices; the first if the field is empty or missing."""
    value = given.get(name, "") or choices[0]
    if value not in choices:
        raise ServeError(not_one_of(name, value, choices))
    return value


def elements(given: Mapping[str, str], name: str) -> frozenset[str]:
    """Symbols of elements, separated by commas, blanks or hyphens."""
    from pymatgen.core import Element

    words = re.split(r"[\s,;-]+", given.get(name, ""))
    found = frozenset(filter(None, words))
    for symbol in sorted(found):
        if not Element.is_valid_symbol(symbol):
            raise ServeError(f"{name}: {symbol!r} is no element; write symbols like Te, Sr")
    return found
