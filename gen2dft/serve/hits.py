"""The table of hits of one campaign: filtered, ordered, page by page."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.report.chances import heading
from gen2dft.report.hit_rows import hit_row
from gen2dft.report.wording import by_chance, honest_notes, not_dft, ranked
from gen2dft.serve import queries

if TYPE_CHECKING:
    from gen2dft.store.documents import HitDoc
    from gen2dft.store.store import Store

ROWS = 50
# And every property with a target.
ORDERS = ("best", "formula", "spacegroup", "evidence", "round", "chance")


def hits_page(store: Store, campaign_id: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Values of the page of hits.

    Parameters
    ----------
    given
        From the address: `formula` (part of it), `elements` (all of them in the crystal), `basis`
        (`any` or `dft`), `PROPERTY_min` and `PROPERTY_max` in the property's unit, `sort` (best,
        formula, spacegroup, evidence, round, chance or a property), `order` (up, down), `page`.

    Raises
    ------
    ServeError
        A field is not valid; the message names it.
    """
    document = store.campaign(campaign_id)
    spec = stored_campaign(document)
    names = [target.property for target in spec.targets]
    sort = queries.choice(given, "sort", (*ORDERS, *names))
    down = queries.choice(given, "order", ("up", "down")) == "down"
    known = spec.known_properties
    hits, best = ranked(store.hits(campaign_id), spec.targets, known)
    surrogates = _surrogates(store, campaign_id, hits)
    wanted = _Filter.of(given, names)
    found = _ordered([hit for hit in hits if wanted.fits(hit)], sort, down)
    pages = queries.num_pages(len(found), ROWS)
    page = min(queries.whole(given, "page", 1), pages)
    on_page = found[(page - 1) * ROWS : page * ROWS]
    return {
        "campaign": document,
        "given": given,
        "columns": [known[name] for name in names],
        "rows": [hit_row(hit, names, surrogates, known) for hit in on_page],
        "number": len(found),
        "of": len(hits),
        "best": best,
        "sort": sort,
        "down": down,
        "page": page,
        "pages": pages,
        "notes": honest_notes(hits, surrogates, known),
        "heading": heading(hits),
        "has_chances": any(hit.stability for hit in hits),
    }


def _surrogates(store: Store, campaign_id: str, hits: Sequence[HitDoc]) -> set[str]:
    """Engines behind the hits that are not DFT."""
    theirs = {hit.label_id for hit in hits}
    labels = store.label_fields(campaign_id, ("engine", "is_dft"))
    engines = [(label["engine"], label["is_dft"]) for label in labels if label["_id"] in theirs]
    named: set[str] = set()
    for hit in hits:
        named.update(hit.basis.values())
    return not_dft(engines, named)


@dataclass(frozen=True)
class _Filter:
    """The filters of a reader.

    Parameters
    ----------
    part
        Part of the formula, in lower case.
    elements
        All of them in the crystal.
    only_dft
        Whether only hits of which DFT computed the value of every target.
    bounds
        Property to the least and largest value.
    """

    part: str
    elements: frozenset[str]
    only_dft: bool
    bounds: dict[str, tuple[float | None, float | None]]

    @classmethod
    def of(cls, given: Mapping[str, str], names: Sequence[str]) -> _Filter:
        elements = queries.elements(given, "elements")
        only_dft = queries.choice(given, "basis", ("any", "dft")) == "dft"
        bounds = {}
        for name in names:
            low = queries.number(given, f"{name}_min")
            high = queries.number(given, f"{name}_max")
            bounds[name] = (low, high)
        part = given.get("formula", "").strip()
        return cls(part.lower(), elements, only_dft, bounds)

    def fits(self, hit: HitDoc) -> bool:
        """Whether a hit passes every filter; a value that is open passes no bound."""
        if self.part not in hit.formula.lower():
            return False
        if self.only_dft and not hit.is_dft:
            return False
        if self.elements and not self.elements <= _elements(hit.formula):
            return False
        values = hit.values
        return all(_within(values.get(name), *bounds) for name, bounds in self.bounds.items())


def _elements(formula: str) -> set[str]:
    """Symbols in a formula; empty if it is none."""
    from pymatgen.core import Composition

    try:
        return {str(element) for element in Composition(formula).elements}
    except ValueError:
        return set()


def _within(value: float | None, low: float | None, high: float | None) -> bool:
    if low is None and high is None:
        return True
    if value is None:
        return False
    is_enough = low is None or value >= low
    return is_enough and (high is None or value <= high)


def _ordered(hits: list[HitDoc], sort: str, down: bool) -> list[HitDoc]:
    """Hits in the requested order; those without the value come last in both directions."""
    if sort == "best":
        return hits[::-1] if down else hits
    if sort == "chance":
        return by_chance(hits, down=down)
    if sort in ORDERS:
        field = "round_index" if sort == "round" else sort
        return sorted(hits, key=operator.attrgetter(field, "id"), reverse=down)
    known = [hit for hit in hits if hit.values.get(sort) is not None]
    unknown = [hit for hit in hits if hit.values.get(sort) is None]
    known.sort(key=lambda hit: (hit.values[sort] or 0.0, hit.id), reverse=down)
    return known + unknown
