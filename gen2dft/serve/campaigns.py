"""Pages of campaigns: all of them, one of them, its candidates by state, its phase diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.errors import ServeError, not_one_of
from gen2dft.report.figures import FIGURES
from gen2dft.report.standing import seconds_left, stage_text, stems, summary
from gen2dft.report.wording import duration, target_text, when
from gen2dft.serve import queries
from gen2dft.store.documents import now
from gen2dft.store.states import KINDS, Kind, State

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc, RoundDoc
    from gen2dft.store.store import Store

EXAMPLES = 3  # candidates shown of each cause of failure
ROWS = 100  # candidates on one page


def campaign_rows(store: Store) -> list[dict[str, Any]]:
    """One row per campaign, newest first."""
    return [_row(store, document) for document in store.campaigns()]


def _row(store: Store, document: CampaignDoc) -> dict[str, Any]:
    facts, rounds = summary(store, document), store.rounds(document.id)
    left = _left(store, document, rounds)
    return {
        **facts,
        "validated": facts["candidates"].get("labelled", 0) + facts["hits"],
        "at_work_on": ""
        if document.state == "finished" or not rounds
        else stage_text(store, rounds[-1]),
        "left": duration(left) if left is not None else "",
        "core_hours": sum(store.core_hours(document.id).values()),
        "begun": when(document.created),
    }


def _left(store: Store, document: CampaignDoc, rounds: list[RoundDoc]) -> float | None:
    """Seconds until the stage under way ends."""
    return (
        None
        if document.state == "finished" or not rounds
        else seconds_left(store, rounds[-1], now())
    )


def campaign_page(store: Store, campaign_id: str) -> dict[str, Any]:
    """What the page of one campaign shows."""
    document = store.campaign(campaign_id)
    spec = stored_campaign(document)
    known = spec.known_properties
    row, rounds, hours = (
        _row(store, document),
        store.rounds(campaign_id),
        store.core_hours(campaign_id),
    )
    counts = store.state_counts(campaign_id)
    hits = [hit["round_index"] for hit in store.hit_fields(campaign_id, ("round_index",))]
    sampled = sum(stage.n_in for r in rounds for stage in r.funnel if stage.stage == "sample")
    return {
        "campaign": document,
        "spec": spec,
        "row": row,
        "tiles": [
            ("hits", f"{row['hits']:,}", "hit"),
            ("crystals sampled", f"{sampled:,}", ""),
            ("candidates validated", f"{row['validated']:,}", ""),
            ("core-hours of validation", f"{row['core_hours']:.3g}", ""),
            ("rounds", f"{len(rounds)} of {row['rounds_at_most']}", ""),
            *([("stage ends in about", row["left"], "")] if row["left"] else []),
        ],
        "targets": [(known[t.property].title, target_text(t, known)) for t in spec.targets],
        "rounds": rounds,
        "states": sorted(stems(counts).items(), key=lambda item: -item[1]),
        "failures": _failures(store, campaign_id, counts),
        "ledger": [
            (
                r.index,
                r.state,
                sum(r.seconds.values()),
                hours.get(r.index, 0.0),
                r.dispatch_size,
                hits.count(r.index),
            )
            for r in rounds
        ],
        "figures": [(name, kind.title, kind.caption) for name, kind in FIGURES.items()],
        "hull_id": document.hull_id,
    }


def _failures(store: Store, campaign_id: str, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Why candidates were given up: each cause with its number and some of them, the most frequent
    first.
    """
    found = [(number, State.parse(text)) for text, number in counts.items()]
    causes = [(number, state) for number, state in found if state.kind is Kind.GIVEN_UP]
    fields = ("candidate_id", "formula", "failure")
    return [
        {
            "state": str(state),
            "reason": state.reason,
            "number": number,
            "examples": store.candidate_fields(
                campaign_id, fields, limit=EXAMPLES, state=str(state)
            ),
        }
        for number, state in sorted(causes, key=_most_frequent, reverse=True)
    ]


def _most_frequent(cause: tuple[int, State]) -> tuple[int, str]:
    """Order of causes; equally frequent ones go by name."""
    number, state = cause
    return number, str(state)


def candidates_page(store: Store, campaign_id: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Candidates of a campaign in one state (or in all), page by page.

    Raises
    ------
    ServeError
        A state that no candidate of the campaign is in, or a page that is no number.
    """
    document, counts = store.campaign(campaign_id), store.state_counts(campaign_id)
    state, page = given.get("state", ""), queries.whole(given, "page", 1)
    if state and state not in counts and state not in KINDS:
        raise ServeError(not_one_of("state", state, {*counts, *stems(counts)}))
    fitting = {
        text: number
        for text, number in counts.items()
        if state in ("", text, State.parse(text).kind)
    }
    fields = (
        "candidate_id",
        "formula",
        "state",
        "round_index",
        "sampler",
        "surrogate.e_above_hull",
        "failure",
    )
    query = {"state": {"$in": sorted(fitting)}} if state else {}
    found = store.candidate_fields(campaign_id, fields, skip=(page - 1) * ROWS, limit=ROWS, **query)
    return {
        "campaign": document,
        "state": state,
        "states": sorted(counts.items(), key=lambda item: (-item[1], item[0])),
        "found": found,
        "number": sum(fitting.values()),
        "page": page,
        "pages": max(1, -(-sum(fitting.values()) // ROWS)),
    }
