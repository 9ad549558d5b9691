"""Verbs that hand a campaign on: export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gen2dft.cli.common import echo_json, open_store, open_to_write
from gen2dft.cli.options import in_file, out_file
from gen2dft.report.wording import counted

console = Console()


def export(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="The archive to write, e.g. mine.zip.",
            parser=out_file,
        ),
    ],
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", "-c", help="Name or id of a campaign; default: the newest."),
    ] = None,
    snapshots: Annotated[
        bool, typer.Option("--snapshots", help="With the trained generators.")
    ] = False,
    training_data: Annotated[
        bool,
        typer.Option(
            "--training-data", help="With the training set; you must be allowed to pass it on."
        ),
    ] = False,
    licence: Annotated[
        str, typer.Option("--licence", help="SPDX identifier of the data's licence.")
    ] = "CC-BY-4.0",
    author: Annotated[
        list[str] | None,
        typer.Option("--author", help="'Family, Given' for the citation; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Write a campaign as one archive: hits as CIF and CSV, documents, hulls, licence and
    citation.
    """
    from gen2dft.exchange.credits import Credits
    from gen2dft.exchange.export import Choice, export_campaign

    credits_ = Credits(licence, tuple(author or ()))
    store = open_store()
    document = store.find_campaign(campaign)
    choice = Choice(snapshots, training_data)
    digest, counts = export_campaign(store, document.id, out, credits_, choice)
    num_bytes, left_out = out.stat().st_size, choice.left_out()
    if as_json:
        echo_json({
            "campaign": document.id,
            "file": out,
            "bytes": num_bytes,
            "digest": digest,
            "documents": counts,
            "left_out": left_out,
            "licence": licence,
        })  # fmt: skip
        return
    content = f"{counted(counts['hits'], 'hit')}, {num_bytes / 1e6:,.1f} MB"
    console.print(f"{document.id} in {out}: {content}", highlight=False)
    text = f"licence {licence} (--licence), digest {digest}"
    console.print(text, highlight=False, soft_wrap=True)
    if left_out:
        console.print(f"left out: {', '.join(left_out)}", style="dim", highlight=False)
    if document.state != "finished":
        text = "the campaign is still running: the archive shows it as it stands now"
        console.print(text, style="yellow")


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="An archive that `gen2dft export` wrote.", parser=in_file
        ),
    ],
    digest: Annotated[
        str | None,
        typer.Option(
            "--digest", help="The digest that export printed; another archive is refused."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, write nothing.")
    ] = False,
    max_size: Annotated[
        str,
        typer.Option(
            "--max-size",
            metavar="SIZE",
            help="Refuse an archive that takes more than this, packed or unpacked; e.g. 5GB.",
        ),
    ] = "1GB",
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Restore a campaign from an archive; what is there already is left alone."""
    from gen2dft.exchange.container import size_in_bytes
    from gen2dft.exchange.restore import import_archive

    most = size_in_bytes(max_size)
    store = open_store() if dry_run else open_to_write()
    done = import_archive(store, file, digest, dry_run, most)
    if as_json:
        echo_json({**vars(done), "dry_run": dry_run})
        return
    new, known = sum(done.new.values()), sum(done.known.values())
    would = "would be" if dry_run else "were"
    hits, documents = counted(done.new["hits"], "new hit"), counted(new, "document")
    console.print(f"{done.campaign_id}: {hits}", highlight=False)
    console.print(f"{documents} {would} added, {known:,} were there already", highlight=False)
    if digest is None:
        text = f"digest {done.digest}; compare it with the one that export printed"
        console.print(text, style="dim", soft_wrap=True)
    if done.left_out:
        text = f"not in the archive: {', '.join(done.left_out)}"
        console.print(text, style="dim", highlight=False)
