"""The table of hits of one campaign: filtered, ordered, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.report.picture import crystal_svg
from gen2dft.report.wording import Known, basis_text, honest_notes, ranked, value_text
from gen2dft.serve import queries
from gen2dft.store.documents import HitDoc

if TYPE_CHECKING:
    from gen2dft.store.store import Store

ROWS = 50


def hits_page(store: Store, campaign_id: str, given: Mapping[str, str]) -> dict[str, Any]:
    """What the page of hits shows.

    Parameters
    ----------
    given
        From the address: `formula` (part of it), `elements` (all of them in the crystal), `basis`
        (`any` or `dft`), `PROPERTY_min` and `PROPERTY_max` in the property's unit, `sort` (best,
        formula, spacegroup, round or a property), `order` (up, down), `page`.

    Raises
    ------
    ServeError
        A field that is not understood; the message names it.
    """
    document = store.campaign(campaign_id)
    spec = stored_campaign(document)
    names = [target.property for target in spec.targets]
    sort = queries.choice(given, "sort", ("best", "formula", "spacegroup", "round", *names))
    down = queries.choice(given, "order", ("up", "down")) == "down"
    known = spec.known_properties
    hits, best = ranked(store.hits(campaign_id), spec.targets, known)
    theirs = {hit.label_id for hit in hits}
    labels = store.label_fields(campaign_id, ("engine", "is_dft"))
    surrogates = {
        label["engine"] for label in labels if label["_id"] in theirs and not label["is_dft"]
    }
    found = _ordered(_fitting(hits, names, given), sort, down)
    pages = max(1, -(-len(found) // ROWS))
    page = min(queries.whole(given, "page", 1), pages)
    shown = found[(page - 1) * ROWS : page * ROWS]
    return {
        "campaign": document,
        "given": given,
        "columns": [known[name] for name in names],
        "rows": [_row(hit, names, surrogates, known) for hit in shown],
        "number": len(found),
        "of": len(hits),
        "best": best,
        "sort": sort,
        "down": down,
        "page": page,
        "pages": pages,
        "notes": honest_notes(hits, surrogates, known),
    }


def _fitting(
    hits: Sequence[HitDoc], names: Sequence[str], given: Mapping[str, str]
) -> list[HitDoc]:
    """Hits that pass every filter; a value that is open passes no bound."""
    wanted, part = queries.elements(given, "elements"), given.get("formula", "").strip().lower()
    only_dft = queries.choice(given, "basis", ("any", "dft")) == "dft"
    bounds = [
        (n, queries.number(given, f"{n}_min"), queries.number(given, f"{n}_max")) for n in names
    ]
    return [
        hit
        for hit in hits
        if part in hit.formula.lower()
        and (not wanted or wanted <= _elements(hit.formula))
        and (hit.is_dft or not only_dft)
        and all(_within(hit.values.get(name), low, high) for name, low, high in bounds)
    ]


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
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _ordered(hits: list[HitDoc], sort: str, down: bool) -> list[HitDoc]:
    """In the order asked for; hits without the value come last either way."""
    if sort == "best":
        return hits[::-1] if down else hits
    if sort in ("formula", "spacegroup", "round"):
        field = "round_index" if sort == "round" else sort
        return sorted(hits, key=lambda hit: (getattr(hit, field), hit.id), reverse=down)
    known = [hit for hit in hits if hit.values.get(sort) is not None]
    known.sort(key=lambda hit: (hit.values[sort] or 0.0, hit.id), reverse=down)
    return known + [hit for hit in hits if hit.values.get(sort) is None]


def _row(hit: HitDoc, names: Sequence[str], surrogates: set[str], known: Known) -> dict[str, Any]:
    from markupsafe import Markup
    from pymatgen.core import Structure

    picture = crystal_svg(Structure.from_dict(hit.structure), f"c{hit.candidate_id}")
    return {
        "hit": hit,
        "picture": Markup(picture),  # noqa: S704 - numbers, element symbols and escaped text
        "cells": [
            (
                value_text(n, hit.values[n], known),
                basis_text(hit.basis[n], surrogates),
                _kind(hit.basis[n], surrogates),
            )
            for n in names
        ],
    }


def _kind(basis: str, surrogates: set[str]) -> str:
    """Style of a basis."""
    return "" if basis in ("predicted", "open") else "surrogate" if basis in surrogates else "dft"
