"""The order of hits by a field that the reader names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gen2dft.errors import QueryError, not_one_of
from gen2dft.query.fields import FIELDS, LISTS, SOURCE, field_of

if TYPE_CHECKING:
    from gen2dft.store.documents import HitDoc

BEST, CHANCE = "best", "chance"
UP, DOWN = "asc", "desc"
DIRECTIONS = (UP, DOWN)


@dataclass(frozen=True)
class Order:
    """What hits are ordered by.

    Parameters
    ----------
    name
        `best` (by the targets), or a field or property.
    down
        Whether the largest come first.
    """

    name: str = BEST
    down: bool = False

    @property
    def text(self) -> str:
        """For people: what is in order, and from which end."""
        what = "the chance that DFT confirms them" if self.name == CHANCE else self.name
        return f"{what}, {'largest' if self.down else 'smallest'} first"


def parse_order(text: str, properties: Collection[str]) -> Order:
    """An order from `FIELD` or `FIELD:desc`; `chance` has the largest first unless told otherwise.

    Parameters
    ----------
    properties
        Names of the properties that the hits carry.

    Raises
    ------
    QueryError
        For a field that hits do not have or that has no order, and another direction.
    """
    name, colon, direction = text.partition(":")
    if colon and direction not in DIRECTIONS:
        raise QueryError(f"--sort {text}: {not_one_of('direction', direction, DIRECTIONS)}")
    if name in LISTS:
        raise QueryError(f"--sort {text}: {name} is a list, without an order; use chemsys")
    known = {BEST, *properties, *FIELDS} - set(LISTS)
    if name not in known:
        raise QueryError(f"--sort: {not_one_of('property or field of a hit', name, known)}")
    down = direction == DOWN or (name == CHANCE and not colon)
    return Order(name, down)


def in_order(
    hits: Sequence[HitDoc], order: Order, sources: Mapping[str, Sequence[str]]
) -> list[HitDoc]:
    """Hits in an order; those without the value come last, equal ones keep their places.

    Parameters
    ----------
    hits
        The best first.
    sources
        Id of each hit to the sources that drew its crystal.
    """
    if order.name == BEST:
        return list(hits)[::-1] if order.down else list(hits)
    values = {hit.id: value_of(hit, order.name, sources) for hit in hits}
    known = [hit for hit in hits if values[hit.id] is not None]
    unknown = [hit for hit in hits if values[hit.id] is None]
    return sorted(known, key=lambda hit: values[hit.id], reverse=order.down) + unknown


def value_of(hit: HitDoc, name: str, sources: Mapping[str, Sequence[str]]) -> Any:
    """What a hit says under a name of a condition; None if it is not known."""
    if name == SOURCE:
        return ", ".join(sources.get(hit.id, ())) or None
    if name not in FIELDS:
        return hit.values.get(name)
    field, _ = field_of(name)
    value: Any = hit
    for part in field.split("."):
        value = getattr(value, part, None)
    return value
