"""Shared by several verbs: the store, JSON output, tables of funnels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

# Of the Click that Typer brings along, its own or an installed one.
from typer.main import get_current_context  # type: ignore[attr-defined]

from gen2dft.funnel import HITS_LEFT
from gen2dft.report.wording import as_utc, round_title, words
from gen2dft.store.states import kind_of

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc, RoundDoc
    from gen2dft.store.store import Store

STATE_STYLES = {
    "hit": "bold green",
    "labelled": "cyan",
    "given_up": "red",
    "running": "yellow",
    "queued": "yellow",
}


def open_store() -> Store:
    """The store that the settings name; SettingsError or StoreError if it cannot be reached.

    When the verb has ended, standard error says which documents of others it left out.
    """
    from gen2dft.settings import load_settings
    from gen2dft.store import connect

    store = connect.open_store(load_settings())
    context = get_current_context(silent=True)
    if context is not None:
        context.call_on_close(lambda: say_left_out(store))
    return store


def open_store_to_show() -> Store:
    """The same for a verb that shows what there is: it leaves out whatever cannot be read."""
    store = open_store()
    store.only_show()
    return store


def say_left_out(store: Store) -> None:
    """Name the documents that could not be read, in one line on standard error."""
    from rich.console import Console
    from rich.text import Text

    message = store.reading.message()
    if message:
        console = Console(stderr=True, highlight=False)
        console.print(Text(message, style="yellow"), soft_wrap=True)
        store.reading.left_out.clear()


def open_to_write() -> Store:
    """The same for commands that write; StoreError if the database's user may only read."""
    from gen2dft.settings import load_settings
    from gen2dft.store import connect

    return connect.open_to_write(load_settings())


def report_folder(campaign_id: str) -> Path:
    """Where the report of a campaign goes unless a folder is named."""
    from gen2dft.settings import load_settings

    return load_settings().data_dir / "reports" / campaign_id


def has_several_sources(document: CampaignDoc) -> bool:
    """Whether several generators serve a campaign, so that tables name the source."""
    from gen2dft.campaign import stored_campaign

    return stored_campaign(document).has_several_sources


def echo_json(data: Any) -> None:
    """Write data as JSON to standard output."""
    typer.echo(json.dumps(data, default=_plain, indent=2, ensure_ascii=False))


def _plain(value: Any) -> str:
    """Values that JSON has no form for, as text."""
    if isinstance(value, datetime):
        return as_utc(value).isoformat()
    return str(value)


def funnel_table(document: RoundDoc) -> Table:
    """The funnel of one round: in, out, and what stopped the others; in = out + sum of reasons."""
    table = plain_table(f"{round_title(document.index)}, {document.state}")
    table.add_column("stage", no_wrap=True)
    table.add_column("in", justify="right")
    table.add_column("out", justify="right")
    table.add_column("stopped, by reason")
    for stage in document.funnel:
        name, out = words(stage.stage), f"{stage.n_out:,}"
        if stage.package:
            name = f"{name} ({stage.package})"
        if stage.stage in HITS_LEFT and stage.n_out:
            out = f"[bold green]{out}[/]"
        texts = [reasons_text(stage.reasons)]
        if stage.weighed:
            texts.append(f"weighed, not lost: {reasons_text(stage.weighed)}")
        stopped = "; ".join(text for text in texts if text)
        table.add_row(name, f"{stage.n_in:,}", out, stopped)
    return table


def reasons_text(reasons: Mapping[str, int]) -> str:
    """Reasons with their numbers, the most frequent first."""
    most_first = sorted(reasons, key=lambda reason: (-reasons[reason], reason))
    return ", ".join(f"{words(reason)} {reasons[reason]:,}" for reason in most_first)


def plain_table(title: str | None = None) -> Table:
    """A table without boxes, which survives copying."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        header_style="dim",
    )


def styled_state(state: str) -> str:
    """A candidate's state in its colour."""
    style = STATE_STYLES.get(kind_of(state))
    return f"[{style}]{state}[/]" if style else state


def joined(parts: Iterable[str]) -> str:
    """Parts that are not empty, with dots between."""
    return " \u00b7 ".join(part for part in parts if part)
