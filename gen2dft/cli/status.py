"""The verb that says where campaigns stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.console import Console
from rich.markup import escape

from gen2dft.cli.common import (
    echo_json,
    funnel_table,
    has_several_sources,
    joined,
    open_store_to_show,
    plain_table,
    reasons_text,
    styled_state,
)
from gen2dft.errors import StoreError, not_one_of
from gen2dft.report.standing import learnt_text, stage_text, stems, summary
from gen2dft.report.wording import counted, evidence_counts, evidence_text, round_title, when

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc, RoundDoc
    from gen2dft.store.store import Store

console = Console()
LAST_FAILURES = 5
# Fields of a candidate in a list of them.
LISTED = (
    "candidate_id", "round_index", "formula", "state", "source", "sampler", "origin", "failure",
)  # fmt: skip


def status(
    campaign: Annotated[
        str | None, typer.Argument(help="Name or id; default: a table of all campaigns.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            "-s",
            help="Only campaigns, or of one campaign the candidates, in this state.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Show where campaigns stand.

    With a campaign: its rounds, its funnel, its candidates, its last failures.
    """
    store = open_store_to_show()
    if campaign is None:
        _list_campaigns(store, state, as_json)
    elif state is None:
        show_campaign(store, store.find_campaign(campaign), as_json)
    else:
        _list_candidates(store, store.find_campaign(campaign), state, as_json)


def _list_campaigns(store: Store, state: str | None, as_json: bool) -> None:
    from gen2dft.store.documents import CampaignState

    states = get_args(CampaignState)
    if state is not None and state not in states:
        choices = not_one_of("state of a campaign", state, states)
        raise StoreError(f"{choices} To list candidates: gen2dft status CAMPAIGN -s {state}")
    found = [document for document in store.campaigns() if state in (None, document.state)]
    if as_json:
        echo_json([summary(store, document) for document in found])
    elif found:
        console.print(_campaign_table(store, found))
        console.print("more of one: gen2dft status CAMPAIGN", style="dim", highlight=False)
    elif state is None:
        console.print(
            "no campaign yet; start one with [bold]gen2dft run --campaign thermoelectric[/]"
        )
    else:
        console.print(f"no campaign is {state}")


def _campaign_table(store: Store, found: Sequence[CampaignDoc]) -> Any:
    table = plain_table()
    table.add_column("campaign", no_wrap=True)
    for title in ("state", "round", "at work on", "computed", "hits", "begun"):
        table.add_column(title, justify="right" if title in ("computed", "hits") else "left")
    for document in found:
        row = _campaign_row(store, document)
        table.add_row(*row)
    return table


def _campaign_row(store: Store, document: CampaignDoc) -> Iterator[str]:
    facts = summary(store, document)
    rounds = store.rounds(document.id)
    counts, hits = facts["candidates"], facts["hits"]
    is_finished = document.state == "finished"
    yield document.id
    yield document.state if is_finished else f"[yellow]{document.state}[/]"
    yield f"{facts['rounds']} of {facts['rounds_at_most']}"
    yield "" if is_finished or not rounds else stage_text(store, rounds[-1])
    # A hit is labelled too, but stands in a state of its own.
    computed = counts.get("labelled", 0) + counts.get("hit", 0)
    yield f"{computed:,}"
    yield f"[bold green]{hits:,}[/]" if hits else "0"
    yield when(document.created)


def show_campaign(store: Store, document: CampaignDoc, as_json: bool) -> None:
    """Rounds, funnel, candidates per state and last failures of one campaign."""
    if as_json:
        echo_json(_campaign_as_dict(store, document))
        return
    ended = f": {document.stop_reason}" if document.stop_reason else ""
    console.print(f"[bold]{document.id}[/]  {document.state}{escape(ended)}", highlight=False)
    console.print(_origin(document), style="dim", highlight=False)
    for entry in store.rounds(document.id):
        _print_round(store, entry)
    if document.state == "running":
        _print_at_work(store, document.id)
    counts = store.state_counts(document.id)
    _print_states(counts)
    _print_sources(store, document)
    _print_failures(store, document.id)
    _print_next(document, store.hit_evidence(document.id))


def _campaign_as_dict(store: Store, document: CampaignDoc) -> dict[str, Any]:
    """One campaign for other programs; rounds count from 0 as in the database."""
    from gen2dft.report.by_source import by_source

    shown = {"candidate_id", "formula", "state", "failure", "history"}
    failures = store.last_given_up(document.id, LAST_FAILURES)
    rounds = store.rounds(document.id)
    sources = by_source(store, document)
    return {
        **summary(store, document),
        "states": store.state_counts(document.id),
        "sources": {source: vars(count) for source, count in sources.items()},
        "rounds": [entry.model_dump(mode="json", exclude={"training"}) for entry in rounds],
        "failures": [candidate.model_dump(include=shown) for candidate in failures],
    }


def _print_round(store: Store, entry: RoundDoc) -> None:
    if entry.state != "closed":
        stage = escape(stage_text(store, entry))
        console.print(f"\n{round_title(entry.index)}: {stage}", highlight=False)
    learnt = learnt_text(entry)
    if learnt:
        console.print(f"{round_title(entry.index)} {learnt}", style="dim", highlight=False)
    if entry.funnel:
        console.print()
        console.print(funnel_table(entry))


def _print_at_work(store: Store, campaign_id: str) -> None:
    """The calculations that run, by whichever workers."""
    from gen2dft.cli.at_work import at_work
    from gen2dft.launchpad.connect import connect_launchpad
    from gen2dft.settings import load_settings

    lines = at_work(store, connect_launchpad(load_settings()), campaign_id)
    if lines:
        console.print("\n[bold]at work[/]")
    for line in lines:
        console.print(escape(f"  {line}"), highlight=False)


def _origin(document: CampaignDoc) -> str:
    source = document.spec.get("dataset", {}).get("source")
    begun = f"begun {when(document.created)}"
    dataset = f"dataset {source} {document.dataset_hash}"
    return joined((begun, dataset, f"hull {document.hull_id}"))


def _print_states(counts: Mapping[str, int]) -> None:
    if not counts:
        return
    table = plain_table("candidates")
    for title in ("state", "number", "by reason"):
        table.add_column(title, justify="right" if title == "number" else "left")
    numbers = stems(counts)
    most_first = sorted(numbers, key=lambda kind: -numbers[kind])
    for kind in most_first:
        reasons = reasons_text(_reasons(counts, kind))
        table.add_row(styled_state(kind), f"{numbers[kind]:,}", reasons)
    console.print()
    console.print(table)


def _reasons(counts: Mapping[str, int], kind: str) -> dict[str, int]:
    """Number of candidates for each reason of one kind of states."""
    from gen2dft.store.states import State

    numbers = {}
    for text, number in counts.items():
        state = State.parse(text)
        if state.kind == kind and state.reason:
            numbers[state.reason] = number
    return numbers


def _print_sources(store: Store, document: CampaignDoc) -> None:
    """How far the candidates of each source have come, in a campaign with several."""
    from gen2dft.report.by_source import by_source

    if not has_several_sources(document):
        return
    table = plain_table("sources")
    table.add_column("source", no_wrap=True)
    for title in ("drawn", "passed the gates", "passed the surrogate", "computed", "hits"):
        table.add_column(title, justify="right")
    for source, count in by_source(store, document).items():
        numbers = [f"{number:,}" for number in vars(count).values()]
        table.add_row(escape(source), *numbers)
    console.print()
    console.print(table)


def _print_failures(store: Store, campaign_id: str) -> None:
    found = store.last_given_up(campaign_id, LAST_FAILURES)
    if found:
        console.print("\n[bold]last failures[/]")
        for doc in found:
            text = f"  {doc.candidate_id}  {doc.formula}  {doc.state}: {doc.failure}"
            console.print(escape(text), highlight=False)


def _print_next(document: CampaignDoc, hits: Sequence[str]) -> None:
    number = counted(len(hits), "hit")
    kinds = evidence_text(evidence_counts(hits))
    text = f"\n{number} ({kinds}): gen2dft hits -c {document.id}" if hits else "\nno hit so far"
    console.print(f"{text}; report: gen2dft report -c {document.id}", style="dim", highlight=False)


def _list_candidates(store: Store, document: CampaignDoc, state: str, as_json: bool) -> None:
    """Candidates of one campaign in a state, given with or without its reason."""
    from gen2dft.store.states import KINDS, kind_of

    if kind_of(state) not in KINDS:
        raise StoreError(not_one_of("state of a candidate", state, KINDS))
    with_or_without_reason = {"$regex": f"^{re.escape(state)}(:|$)"}
    found = store.candidate_fields(document.id, LISTED, state=with_or_without_reason)
    if as_json:
        echo_json([{key: candidate.get(key) for key in LISTED} for candidate in found])
        return
    table = plain_table(f"{counted(len(found), 'candidate')} of {document.id} in state {state}")
    for title in ("id", "round", "formula", "drawn by", "state", "failure"):
        table.add_column(title, no_wrap=title == "id")
    several = has_several_sources(document)
    for candidate in found:
        row = _candidate_row(candidate, with_source=several)
        table.add_row(*row)
    console.print(table)


def _candidate_row(candidate: Mapping[str, Any], *, with_source: bool) -> Iterator[str]:
    yield candidate["candidate_id"]
    yield str(candidate["round_index"] + 1)
    yield escape(candidate["formula"] or "")
    drawn_by = candidate.get("origin") or candidate["sampler"]
    yield escape(f"{candidate['source']}: {drawn_by}" if with_source else drawn_by)
    yield escape(candidate["state"])
    yield escape(candidate.get("failure") or "")
