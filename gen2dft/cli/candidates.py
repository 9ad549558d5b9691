"""The verb that lists what became of each candidate: values of every crystal that was given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from gen2dft.cli.common import echo_json, open_store_to_show, plain_table, styled_state
from gen2dft.generators.structures import REPEATED
from gen2dft.report.candidate_table import (
    CandidateRow,
    candidate_rows,
    candidates_csv,
    is_of_own_structures,
    shown_properties,
)
from gen2dft.report.chances import chance_text
from gen2dft.report.wording import Known, counted, pretty, value_text
from gen2dft.store.states import State

if TYPE_CHECKING:
    from rich.table import Table

    from gen2dft.store.documents import CampaignDoc
    from gen2dft.store.store import Store

console = Console()


def candidates(
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", "-c", help="Name or id of a campaign; default: the newest."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
) -> None:
    """List what became of each crystal that was given, hit or not: file, values, state.

    Of a campaign with a generator: those that were chosen for validation.
    """
    from gen2dft.campaign import stored_campaign

    store = open_store_to_show()
    document = store.find_campaign(campaign)
    spec = stored_campaign(document)
    rows = candidate_rows(store, document.id, spec)
    known = spec.known_properties
    if as_json:
        echo_json([row.as_dict(known) for row in rows])
    elif as_csv:
        names = shown_properties(rows, spec)
        typer.echo(candidates_csv(rows, names, known), nl=False)
    else:
        print_candidates(store, document, console)


def print_candidates(store: Store, document: CampaignDoc, console: Console) -> None:
    """The table of a campaign's candidates."""
    from gen2dft.campaign import stored_campaign

    spec = stored_campaign(document)
    rows = candidate_rows(store, document.id, spec)
    if not rows:
        console.print(f"no candidate of {document.id} so far", highlight=False)
        return
    names = shown_properties(rows, spec)
    table = candidate_table(rows, names, spec.known_properties)
    table.title = f"{counted(len(rows), 'candidate')} of {document.id}"
    console.print(table)
    if is_of_own_structures(spec) and any(_may_be_overruled(row) for row in rows):
        text = "what gates or screen rejected is computed all the same with --all"
        console.print(text, style="dim", highlight=False)


def _may_be_overruled(row: CandidateRow) -> bool:
    reason = State.parse(row.state).rejection
    return reason is not None and reason != REPEATED


def candidate_table(rows: Sequence[CandidateRow], names: Sequence[str], known: Known) -> Table:
    """A line per candidate; files instead of ids, where there are any."""
    table = plain_table()
    of_files = any(row.file for row in rows)
    table.add_column("file" if of_files else "id", overflow="fold")
    for title in ("formula", "space group"):
        table.add_column(title, no_wrap=True)
    for name in names:
        prop = known[name]
        table.add_column(f"{prop.title}\n({pretty(prop.unit)})", justify="right")
    has_chances = any(row.stability for row in rows)
    if has_chances:
        table.add_column("chance\nof DFT", justify="right")
    table.add_column("state")
    for row in rows:
        *cells, state = _cells(row, names, known, with_file=of_files)
        chance = [chance_text(row.stability)] if has_chances else []
        table.add_row(*cells, *chance, state)
    return table


def _cells(
    row: CandidateRow, names: Sequence[str], known: Known, *, with_file: bool
) -> Iterator[str]:
    yield escape(row.file if with_file else row.candidate_id)
    yield escape(row.formula)
    yield escape(row.spacegroup)
    for name in names:
        found = row.values.get(name)
        text = value_text(name, None if found is None else found.value, known)
        yield text if found is None else f"{text} [dim]{escape(found.basis)}[/]"
    remark = f" [dim]{escape(row.remark)}[/]" if row.remark else ""
    yield f"{styled_state(row.state)}{remark}"
