"""The verb that brings documents of older versions up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gen2dft.cli.common import echo_json, open_store, open_to_write

if TYPE_CHECKING:
    from gen2dft.review.up_to_date import Brought
    from gen2dft.store.documents import Document
    from gen2dft.store.store import Store

console = Console()
SHOWN = 5  # documents that could not be read, by name


def migrate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Bring documents of older versions up to date: fields that queries use.

    Nothing is removed or recomputed. Killed? The same command goes on.
    """
    from gen2dft.review.up_to_date import ADDED, OF_CRYSTALS, count_outdated
    from gen2dft.store.schema import collection_name

    store = open_store() if dry_run else open_to_write()
    lines = {}
    for model in OF_CRYSTALS:
        name = collection_name(model)
        number = count_outdated(store, model)
        lines[name] = {"outdated": number}
        if not dry_run:
            lines[name] |= _brought(store, model)
    if as_json:
        echo_json(lines)
        return
    for name, line in lines.items():
        _say(name, line)
    console.print(f"fields: {ADDED}", style="dim", highlight=False)


def _brought(store: Store, model: type[Document]) -> dict[str, int]:
    from gen2dft.review.up_to_date import bring_up_to_date

    with console.status("bringing documents up to date"):
        brought = bring_up_to_date(store, model)
    _name_failed(brought)
    return {"written": brought.written, "failed": len(brought.failed)}


def _say(name: str, line: dict[str, int]) -> None:
    if not line["outdated"]:
        console.print(f"{name}: up to date", highlight=False)
    elif "written" in line:
        console.print(f"{name}: {line['written']:,} brought up to date", highlight=False)
    else:
        console.print(f"{name}: {line['outdated']:,} to bring up to date", highlight=False)


def _name_failed(brought: Brought) -> None:
    """Name the documents whose crystal cannot be read, on standard error."""
    beside = Console(stderr=True, highlight=False)
    for key, why in list(brought.failed.items())[:SHOWN]:
        text = f"{key} is left as it is: its structure cannot be read: {why}"
        beside.print(text, style="yellow", markup=False, soft_wrap=True)
    hidden = len(brought.failed) - SHOWN
    if hidden > 0:
        beside.print(f"and {hidden:,} more", style="yellow")
