"""The verb that says where campaigns stand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.console import Console
from rich.markup import escape

from gen2dft.cli.common import (
    echo_json,
    funnel_table,
    joined,
    open_store,
    plain_table,
    reasons_text,
    styled_state,
)
from gen2dft.errors import StoreError, not_one_of
from gen2dft.report.standing import stage_text, stems, summary
from gen2dft.report.wording import counted, round_title, when

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc
    from gen2dft.store.store import Store

console = Console()
LAST_FAILURES = 5


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
    store = open_store()
    if campaign is None:
        _list_campaigns(store, state, as_json)
    elif state is None:
        show_campaign(store, store.find_campaign(campaign), as_json)
    else:
        _list_candidates(store, store.find_campaign(campaign), state, as_json)


def _list_campaigns(store: Store, state: str | None, as_json: bool) -> None:
    from gen2dft.store.documents import CampaignState

    if state is not None and state not in get_args(CampaignState):
        choices = not_one_of("state of a campaign", state, get_args(CampaignState))
        raise StoreError(f"{choices} To list candidates: gen2dft status CAMPAIGN -s {state}")
    found = [c for c in store.campaigns() if state in (None, c.state)]
    if as_json:
        echo_json([summary(store, c) for c in found])
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
    for title in ("state", "round", "at work on", "validated", "hits", "begun"):
        table.add_column(title, justify="right" if title in ("validated", "hits") else "left")
    for document in found:
        facts = summary(store, document)
        rounds = store.rounds(document.id)
        counts = facts["candidates"]
        table.add_row(
            document.id,
            document.state if document.state == "finished" else f"[yellow]{document.state}[/]",
            f"{facts['rounds']} of {facts['rounds_at_most']}",
            "" if document.state == "finished" or not rounds else stage_text(store, rounds[-1]),
            f"{counts.get('labelled', 0) + counts.get('hit', 0):,}",
            f"[bold green]{facts['hits']:,}[/]" if facts["hits"] else "0",
            when(document.created),
        )
    return table


def show_campaign(store: Store, document: CampaignDoc, as_json: bool) -> None:
    """Rounds, funnel, candidates per state and last failures of one campaign."""
    rounds = store.rounds(document.id)
    if as_json:
        echo_json({
            **summary(store, document),
            "states": store.state_counts(document.id),
            "rounds": [r.model_dump(mode="json", exclude={"training"}) for r in rounds],
            "failures": [
                found.model_dump(include={"candidate_id", "formula", "state", "failure", "history"})
                for found in store.last_given_up(document.id, LAST_FAILURES)
            ],
        })  # fmt: skip
        return
    ended = f": {document.stop_reason}" if document.stop_reason else ""
    console.print(f"[bold]{document.id}[/]  {document.state}{escape(ended)}", highlight=False)
    console.print(_origin(document), style="dim", highlight=False)
    for entry in rounds:
        if entry.state != "closed":
            console.print(
                f"\n{round_title(entry.index)}: {escape(stage_text(store, entry))}", highlight=False
            )
        if entry.funnel:
            console.print()
            console.print(funnel_table(entry))
    counts = store.state_counts(document.id)
    _print_states(counts)
    _print_failures(store, document.id)
    _print_next(document, counts.get("hit", 0))


def _origin(document: CampaignDoc) -> str:
    source = document.spec.get("dataset", {}).get("source")
    return joined(
        (
            f"begun {when(document.created)}",
            f"dataset {source} {document.dataset_hash}",
            f"hull {document.hull_id}",
        )
    )


def _print_states(counts: Mapping[str, int]) -> None:
    if not counts:
        return
    table = plain_table("candidates")
    for title in ("state", "number", "by reason"):
        table.add_column(title, justify="right" if title == "number" else "left")
    for stem, number in sorted(stems(counts).items(), key=lambda item: -item[1]):
        reasons = _reasons(counts, stem)
        table.add_row(styled_state(stem), f"{number:,}", reasons_text(reasons))
    console.print()
    console.print(table)


def _reasons(counts: Mapping[str, int], kind: str) -> dict[str, int]:
    """Number of candidates for each reason of one kind of states."""
    from gen2dft.store.states import State

    states = {State.parse(text): number for text, number in counts.items()}
    return {s.reason: n for s, n in states.items() if s.kind == kind and s.reason}


def _print_failures(store: Store, campaign_id: str) -> None:
    found = store.last_given_up(campaign_id, LAST_FAILURES)
    if found:
        console.print("\n[bold]last failures[/]")
        for doc in found:
            text = f"  {doc.candidate_id}  {doc.formula}  {doc.state}: {doc.failure}"
            console.print(escape(text), highlight=False)


def _print_next(document: CampaignDoc, hits: int) -> None:
    text = f"\n{counted(hits, 'hit')}: gen2dft hits -c {document.id}" if hits else "\nno hit so far"
    console.print(f"{text}; report: gen2dft report -c {document.id}", style="dim", highlight=False)


def _list_candidates(store: Store, document: CampaignDoc, state: str, as_json: bool) -> None:
    """Candidates of one campaign in a state, given with or without its reason."""
    from gen2dft.store.states import KINDS, kind_of

    if kind_of(state) not in KINDS:
        raise StoreError(not_one_of("state of a candidate", state, KINDS))
    fields = ("candidate_id", "round_index", "formula", "state", "sampler", "failure")
    found = store.candidate_fields(
        document.id, fields, state={"$regex": f"^{re.escape(state)}(:|$)"}
    )
    if as_json:
        echo_json([{key: doc.get(key) for key in fields} for doc in found])
        return
    table = plain_table(f"{counted(len(found), 'candidate')} of {document.id} in state {state}")
    for title in ("id", "round", "formula", "drawn by", "state", "failure"):
        table.add_column(title, no_wrap=title == "id")
    for doc in found:
        texts = (doc["formula"] or "", doc["sampler"], doc["state"], doc.get("failure") or "")
        table.add_row(
            doc["candidate_id"], str(doc["round_index"] + 1), *(escape(text) for text in texts)
        )
    console.print(table)
