"""Values of the pages of campaigns: the list, one campaign, its candidates by state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.errors import ServeError, not_one_of
from gen2dft.report.figures import FIGURES
from gen2dft.report.standing import seconds_left, stage_text, stems, summary
from gen2dft.report.wording import duration, most_frequent_first, target_text, when
from gen2dft.serve import queries
from gen2dft.store.documents import now
from gen2dft.store.states import KINDS, Kind, State

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc, RoundDoc
    from gen2dft.store.store import Store

EXAMPLES = 3  # candidates shown of each cause of failure
ROWS = 100  # candidates on one page
FIELDS = (
    "candidate_id", "formula", "state", "round_index", "sampler", "origin",
    "surrogate.e_above_hull", "surrogate.stability", "failure",
)  # fmt: skip


def campaign_rows(store: Store) -> list[dict[str, Any]]:
    """One row per campaign, newest first."""
    return [_row(store, document) for document in store.campaigns()]


def _row(store: Store, document: CampaignDoc) -> dict[str, Any]:
    row = summary(store, document)
    hours = store.core_hours(document.id)
    row["computed"] = row["candidates"].get("labelled", 0) + row["hits"]
    row["core_hours"] = sum(hours.values())
    row["begun"] = when(document.created)
    return row | _at_work(store, document)


def _at_work(store: Store, document: CampaignDoc) -> dict[str, str]:
    """Current stage of a campaign and the time left; empty texts if it is at rest."""
    rounds = store.rounds(document.id)
    if document.state == "finished" or not rounds:
        return {"at_work_on": "", "left": ""}
    current = rounds[-1]
    stage = stage_text(store, current)
    left = seconds_left(store, current, now())
    return {"at_work_on": stage, "left": "" if left is None else duration(left)}


def campaign_page(store: Store, campaign_id: str) -> dict[str, Any]:
    """Values of the page of one campaign."""
    document = store.campaign(campaign_id)
    spec = stored_campaign(document)
    known = spec.known_properties
    rounds = store.rounds(campaign_id)
    counts = store.state_counts(campaign_id)
    row = _row(store, document)
    page = {"campaign": document, "spec": spec, "row": row, "rounds": rounds}
    page["tiles"] = list(_tiles(row, rounds))
    page["targets"] = [(known[t.property].title, target_text(t, known)) for t in spec.targets]
    page["states"] = most_frequent_first(stems(counts))
    page["failures"] = _failures(store, campaign_id, counts)
    page["ledger"] = list(_ledger(store, campaign_id, rounds))
    page["figures"] = [(name, kind.title, kind.caption) for name, kind in FIGURES.items()]
    page["hull_id"] = document.hull_id
    return page


def _tiles(row: Mapping[str, Any], rounds: Sequence[RoundDoc]) -> Iterator[tuple[str, str, str]]:
    """Title, number and style of the figures at the top."""
    stages = (stage for document in rounds for stage in document.funnel)
    sampled = sum(stage.n_in for stage in stages if stage.stage == "sample")
    yield "hits", f"{row['hits']:,}", "hit"
    yield "crystals sampled", f"{sampled:,}", ""
    yield "candidates computed", f"{row['computed']:,}", ""
    yield "core-hours of validation", f"{row['core_hours']:.3g}", ""
    yield "rounds", f"{len(rounds)} of {row['rounds_at_most']}", ""
    if row["left"]:
        yield "stage ends in about", row["left"], ""


def _ledger(
    store: Store, campaign_id: str, rounds: Sequence[RoundDoc]
) -> Iterator[tuple[int, str, float, float, int, int]]:
    """Round, its state, wall time (s), core-hours of validation, oracle calls and hits."""
    hours = store.core_hours(campaign_id)
    hits = Counter(hit["round_index"] for hit in store.hit_fields(campaign_id, ("round_index",)))
    for document in rounds:
        index = document.index
        seconds = sum(document.seconds.values())
        core_hours = hours.get(index, 0.0)
        yield index, document.state, seconds, core_hours, document.dispatch_size, hits[index]


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
        The state is unknown, or the page is not a number.
    """
    document = store.campaign(campaign_id)
    counts = store.state_counts(campaign_id)
    state = given.get("state", "")
    page = queries.whole(given, "page", 1)
    if state and state not in counts and state not in KINDS:
        raise ServeError(not_one_of("state", state, {*counts, *stems(counts)}))
    fitting = {
        text: number
        for text, number in counts.items()
        if state in ("", text, State.parse(text).kind)
    }
    query = {"state": {"$in": sorted(fitting)}} if state else {}
    skipped = (page - 1) * ROWS
    found = store.candidate_fields(campaign_id, FIELDS, skip=skipped, limit=ROWS, **query)
    by_name = dict(sorted(counts.items()))
    number = sum(fitting.values())
    return {
        "campaign": document,
        "state": state,
        "states": most_frequent_first(by_name),
        "found": found,
        "number": number,
        "page": page,
        "pages": queries.num_pages(number, ROWS),
    }
