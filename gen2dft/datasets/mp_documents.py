"""Documents of the Materials Project: incomplete and doubled ones are left out, counted and named.

Two documents of one material that say the same are one; where they differ, neither is taken.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gen2dft.datasets.matching import first_of
from gen2dft.datasets.remarks import DatasetWarning, left_out_texts

NO_ENERGY, NO_COMPOSITION = "energy_that_is_no_number", "no_composition"
NO_ID, DOUBLED = "no_material_id", "documents_that_contradict_each_other"

_ID = re.compile(r"([a-z]+)-([0-9]+|[a-z]+)")
_FIRST_LETTER = ord("a")
_LETTERS = 26


@dataclass(frozen=True)
class LeftOut:
    """What is not taken: reason to the names of materials or documents.

    Parameters
    ----------
    contradicted
        Keys of materials whose documents differ.
    """

    names: dict[str, list[str]] = field(default_factory=dict)
    contradicted: set[str] = field(default_factory=set)

    def add(self, reason: str, name: str) -> None:
        """Count one more."""
        self.names.setdefault(reason, []).append(name)

    def counts(self) -> dict[str, int]:
        """Reason to number."""
        return {reason: len(names) for reason, names in self.names.items()}

    def summary(self) -> dict[str, Any]:
        """Reason to number and first names, for the provenance."""
        return {reason: first_of(names) for reason, names in self.names.items()}


def say_left_out(summary: Mapping[str, Any], what: str) -> None:
    """Warn of all that is left out of something without a provenance."""
    for text in left_out_texts(summary):
        warnings.warn(f"Materials Project, {what}: {text}", DatasetWarning, stacklevel=3)


def material_key(name: str) -> str:
    """What both styles of one material's id have in common: `mp-149` of `mp-149` and `mp-ft`.

    New ids write the number with letters, a = 0 to z = 25; any other name is its own key.
    """
    found = _ID.fullmatch(name)
    if found is None:
        return name
    prefix, number = found.groups()
    if number.isdigit():
        return f"{prefix}-{int(number)}"
    value = 0
    for letter in number:
        value = _LETTERS * value + ord(letter) - _FIRST_LETTER
    return f"{prefix}-{value}"


def as_mapping(document: Any) -> Mapping[str, Any]:
    """The fields of a document, whether the client gives a model or a dictionary; none of what is
    neither.
    """
    if isinstance(document, Mapping):
        return document
    dumped: Any = getattr(document, "model_dump", dict)()
    return dumped if isinstance(dumped, Mapping) else {}


def by_material(
    documents: Iterable[Any], content: Callable[[Mapping[str, Any]], Any], left_out: LeftOut
) -> dict[str, Mapping[str, Any]]:
    """Documents by `material_key`.

    Parameters
    ----------
    content
        What of a document must agree where there are two of one material.
    left_out
        Takes what is not among the result.
    """
    found: dict[str, Mapping[str, Any]] = {}
    contradicted: set[str] = set()
    for number, document in enumerate(documents, start=1):
        row = as_mapping(document)
        name = row.get("material_id")
        if not name:
            left_out.add(NO_ID, f"document {number}")
            continue
        key = material_key(str(name))
        known = found.setdefault(key, row)
        if known is not row and content(known) != content(row):
            contradicted.add(key)
    for key in sorted(contradicted):
        left_out.add(DOUBLED, str(found.pop(key)["material_id"]))
    left_out.contradicted.update(contradicted)
    return found


def finite(value: Any) -> float | None:
    """A number of a document; None where it is absent, no number or not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def composition_of(row: Mapping[str, Any]) -> dict[str, float] | None:
    """Symbol to number of atoms; None where a document has no composition."""
    given = row.get("composition")
    if not hasattr(given, "items") or not given:
        return None
    amounts: dict[str, float] = {}
    for element, amount in given.items():
        count = finite(amount)
        if count is None or count <= 0:
            return None
        # An Element in a model, a symbol in a dictionary.
        amounts[str(getattr(element, "symbol", element))] = count
    return amounts


def formation_energy_of(row: Mapping[str, Any]) -> float | None:
    """Formation energy of a document, eV/atom; None where it has none."""
    return finite(row.get("formation_energy_per_atom"))
