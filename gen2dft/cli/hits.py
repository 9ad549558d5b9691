"""Which hits a verb shows: the order that was asked for, those of a formula, those that are
outdated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from gen2dft.cli.common import echo_json, plain_table
from gen2dft.errors import QueryError
from gen2dft.query.hits import carried
from gen2dft.query.order import Order, parse_order

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc, HitDoc
    from gen2dft.store.store import Store

console = Console()


def order_of(document: CampaignDoc, text: str) -> Order:
    """The order that --sort asks for; QueryError for a field that hits do not have."""
    return parse_order(text, carried(document.spec))


def say_outdated(store: Store, campaign_id: str) -> None:
    """Say on standard error that hits of older versions lack fields which a query may ask for."""
    from gen2dft.review.up_to_date import ADDED, count_outdated
    from gen2dft.store.documents import HitDoc

    number = count_outdated(store, HitDoc, campaign_id)
    if not number:
        return
    text = (
        f"{number:,} of the hits are of an older version and lack {ADDED}: no condition on these "
        "finds them. Add the fields once: gen2dft migrate"
    )
    Console(stderr=True).print(text, style="yellow", highlight=False, soft_wrap=True)


def hits_of_formula(store: Store, text: str) -> list[HitDoc]:
    """Hits of all campaigns of a formula, the newest campaign first; empty if it is none.

    The name of a campaign is no formula.
    """
    from gen2dft.composition import formula_of

    formula = formula_of(text)
    if formula is None:
        return []
    campaigns = store.campaigns()
    if any(text in (document.id, document.name) for document in campaigns):
        return []
    found = store.hits(formula={"$in": sorted({formula, text})})
    age = {document.id: place for place, document in enumerate(campaigns)}
    return sorted(found, key=lambda hit: (age.get(hit.campaign_id, len(age)), hit.id))


def show_several(hits: Sequence[HitDoc], *, alone: bool, as_json: bool) -> None:
    """List hits of one formula, with the command that shows each.

    Raises
    ------
    QueryError
        Where the reader wants something of one crystal alone.
    """
    if alone:
        ids = ", ".join(hit.candidate_id for hit in hits)
        raise QueryError(f"{len(hits)} hits are {hits[0].formula}: name one by its id: {ids}")
    if as_json:
        echo_json([_named(hit) for hit in hits])
        return
    table = plain_table(f"{len(hits)} hits are {hits[0].formula}")
    for title in ("id", "campaign", "space group", "round", "evidence"):
        table.add_column(title, overflow="fold")
    for hit in hits:
        row = (hit.candidate_id, hit.campaign_id, hit.spacegroup, str(hit.round), hit.evidence)
        table.add_row(*map(escape, row))
    console.print(table)
    console.print(f"one of them: gen2dft show {hits[0].candidate_id}", style="dim", highlight=False)


def _named(hit: HitDoc) -> dict[str, Any]:
    """What tells hits of one formula apart."""
    fields = {"id", "candidate_id", "campaign_id", "formula", "spacegroup", "round", "evidence"}
    return hit.model_dump(mode="json", include=fields)
