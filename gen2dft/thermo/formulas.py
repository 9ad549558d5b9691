"""Formulas as the hull keeps them: elements in alphabetical order, smallest whole numbers of
atoms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from gen2dft.errors import DatasetError

Formula = tuple[tuple[str, int], ...]
System = tuple[str, ...]
"""Elements of a chemical system, in alphabetical order."""

WHOLE = 1e-6  # a number of atoms may be off a whole one by this much


def reduced(composition: Mapping[Any, float]) -> Formula:
    """Symbols in alphabetical order with the smallest whole numbers of atoms.

    DatasetError if there are none.
    """
    counts = {}
    is_whole = bool(composition)
    for element, amount in composition.items():
        count = round(amount)
        is_whole = is_whole and count >= 1 and abs(amount - count) <= WHOLE
        counts[_symbol(element)] = count
    if not is_whole:
        raise DatasetError(
            f"composition {dict(composition)} must name elements with whole numbers of atoms"
        )
    divisor = math.gcd(*counts.values())
    return tuple((symbol, counts[symbol] // divisor) for symbol in sorted(counts))


def _symbol(element: Any) -> str:
    """Symbol of a pymatgen element, or the symbol itself."""
    return str(getattr(element, "symbol", element))


def system_of(formula: Formula) -> System:
    """The chemical system of a formula."""
    return tuple(symbol for symbol, _ in formula)


def formula_text(formula: Formula) -> str:
    """`Li2 O1`: every element with its number of atoms."""
    words = [f"{symbol}{count}" for symbol, count in formula]
    return " ".join(words)


def parse_formula(text: str) -> dict[str, int]:
    """Inverse of `formula_text`; ten times as quick as pymatgen's, for hulls of many phases."""
    counts = {}
    for word in text.split():
        part = re.fullmatch(r"([A-Z][a-z]?)(\d+)", word)
        if part is None:
            raise ValueError(f"{text!r} is no formula like 'Li2 O1'")
        counts[part[1]] = int(part[2])
    return counts
