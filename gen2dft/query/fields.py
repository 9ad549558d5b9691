"""The names by which hits are searched and ordered, and the fields of documents behind them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gen2dft.errors import QueryError, not_one_of
from gen2dft.store.crystal_fields import SymmetryFields
from gen2dft.store.documents import HitDoc, StabilityRecord
from gen2dft.store.filters import JOINING, Filter

SOURCE = "source"  # hits do not carry it, their candidates do
EVIDENCE = "evidence"  # hits of version 0.1.0 do not carry it
ROUND = "round"
FORMULAS = ("formula", "formula_pretty")
# What may be asked for besides properties: name to field of a hit and the kind of its values.
FIELDS: dict[str, tuple[str, type]] = {
    "formula": ("formula", str),
    "spacegroup": ("spacegroup", str),
    ROUND: ("round_index", int),
    "is_dft": ("is_dft", bool),
    EVIDENCE: ("evidence", str),
    "chance": ("stability.chance", float),
    SOURCE: ("source", str),
    "formula_pretty": ("formula_pretty", str),
    "elements": ("elements", str),
    "nelements": ("nelements", int),
    "chemsys": ("chemsys", str),
    "nsites": ("nsites", int),
    "symmetry.crystal_system": ("symmetry.crystal_system", str),
    "symmetry.symbol": ("symmetry.symbol", str),
    "symmetry.number": ("symmetry.number", int),
}
LISTS = ("elements",)  # a document holds several values of these
# Fields of a hit that hold one entry per property.
OF_PROPERTIES = ("values", "basis", "errors")
PARTS: dict[str, tuple[str, ...]] = {
    "stability": tuple(StabilityRecord.model_fields),
    "symmetry": tuple(SymmetryFields.model_fields),
}


def field_of(name: str) -> tuple[str, type]:
    """Field of a hit and kind of its values; a name that is none of `FIELDS` is a property."""
    return FIELDS.get(name, (f"values.{name}", float))


def check_fields(wanted: Filter, properties: Collection[str]) -> None:
    """Refuse a filter of MongoDB that asks for a field which no hit has.

    Parameters
    ----------
    properties
        Names of the properties that the hits carry.

    Raises
    ------
    QueryError
        The message names the field and the nearest one that exists.
    """
    known = sorted(_field_names(properties))
    for field in _asked(wanted):
        if _exists(field, properties):
            continue
        if field in properties:
            raise QueryError(
                f"field {field!r} is none of a hit: its value is in 'values.{field}'; or ask by "
                f"--where '{field} > ...'"
            )
        raise QueryError(f"{not_one_of('field of a hit', field, known)}")


def _asked(wanted: Mapping[str, Any]) -> Iterator[str]:
    """Fields that a filter asks for."""
    for key, value in wanted.items():
        if key in JOINING:
            for part in value:
                yield from _asked(part)
        elif not key.startswith("$"):
            yield key


def _exists(field: str, properties: Collection[str]) -> bool:
    """Whether hits may have a (dotted) field."""
    root, _, rest = field.partition(".")
    if root == "_id":
        return not rest
    if root == "id" or root not in HitDoc.model_fields:
        return False
    if root in OF_PROPERTIES:
        return not rest or rest in properties
    return not rest or root not in PARTS or rest in PARTS[root]


def _field_names(properties: Collection[str]) -> Iterator[str]:
    """Fields to choose from, for messages."""
    yield "_id"
    yield from (name for name in HitDoc.model_fields if name != "id")
    for name in properties:
        yield f"values.{name}"
    for root, parts in PARTS.items():
        for part in parts:
            yield f"{root}.{part}"
