"""The verb that shows the costs of a campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from gen2dft.cli.common import echo_json, open_store_to_show, plain_table
from gen2dft.report.ledger_table import COLUMNS, rows, step_columns, step_rows

if TYPE_CHECKING:
    from rich.table import Table

    from gen2dft.ledger import Account

console = Console()


def ledger(
    campaign: Annotated[
        str | None, typer.Argument(help="Name or id of a campaign; default: the newest.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Show core-hours by stage, round, source, sampler and per hit, and core-minutes by step.

    What failed calculations cost is among them.
    """
    from gen2dft.ledger import read_ledger

    store = open_store_to_show()
    document = store.find_campaign(campaign)
    found = read_ledger(store, document.id)
    if as_json:
        echo_json({
            "campaign": document.id,
            "rounds": _all_plain(found.rounds),
            "sources": _all_plain(found.sources),
            "samplers": _all_plain(found.samplers),
            "whole": _plain(found.whole),
            "outcomes": {name: vars(account) for name, account in found.outcomes.items()},
        })  # fmt: skip
        return
    console.print(_table(document.id, COLUMNS, rows(found)))
    if found.outcomes:
        console.print()
        title = "validation by outcome and step"
        console.print(_table(title, step_columns(found), step_rows(found)))
    said = "training counts the cores its firework asks for, the other stages what was measured"
    console.print(
        f"{said}; a worker that was killed leaves no record of its time",
        style="dim",
        highlight=False,
    )


def _table(title: str, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    """A table whose first column holds names and the others numbers."""
    table = plain_table(title)
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for line in lines:
        table.add_row(*line)
    return table


def _all_plain(accounts: Mapping[Any, Account]) -> dict[str, dict[str, Any]]:
    return {str(name): _plain(account) for name, account in accounts.items()}


def _plain(account: Account) -> dict[str, Any]:
    """An account for other programs; rounds count from 0 as in the database."""
    return {**vars(account), "total": account.total, "per_hit": account.per_hit}
