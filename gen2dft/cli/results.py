"""Verbs that show what came out: hits, show, report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from gen2dft.cli.common import echo_json, open_store, plain_table, report_folder
from gen2dft.errors import Gen2DFTError
from gen2dft.report.bands import bands_text
from gen2dft.report.hit_table import hits_csv
from gen2dft.report.wording import (
    PREDICTED,
    Known,
    basis_text,
    counted,
    honest_notes,
    pretty,
    ranked,
    surrogate_engines,
    value_text,
)

if TYPE_CHECKING:
    from rich.table import Table

    from gen2dft.campaign import CampaignSpec
    from gen2dft.store.documents import CampaignDoc, HitDoc
    from gen2dft.store.store import Store

console = Console()

Campaign = Annotated[
    str | None,
    typer.Option("--campaign", "-c", help="Name or id of a campaign; default: the newest."),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def hits(
    campaign: Campaign = None,
    query: Annotated[
        str | None,
        typer.Option(
            "--query",
            "-q",
            help='Filter as a MongoDB query, e.g. \'{"values.band_gap": {"$lt": 1}}\'.',
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            "-w",
            help="Condition, e.g. '0.3 < band_gap < 1.5 and e_above_hull < 0.05'; docs/hits.md.",
        ),
    ] = None,
    distinct: Annotated[
        bool,
        typer.Option(
            "--distinct", help="Without those that relaxed to a known crystal or to another hit."
        ),
    ] = False,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    cif: Annotated[
        Path | None, typer.Option("--cif", metavar="DIR", help="Write a CIF file per hit to DIR.")
    ] = None,
) -> None:
    """List the hits of a campaign, with units, and where each value is from."""
    store = open_store()
    document = store.find_campaign(campaign)
    spec = _spec(document)
    targets, known = spec.targets, spec.known_properties
    fitting = [
        hit
        for hit in _find_hits(store, document.id, query, where)
        if not (distinct and hit.same_as)
    ]
    found, order = ranked(fitting, targets, known)
    surrogates = surrogate_engines(
        store.labels(document.id, _id={"$in": [hit.label_id for hit in found]})
    )
    names = [target.property for target in targets]
    if cif is not None:
        from gen2dft.report.cif import write_hit_cifs

        written = write_hit_cifs(found, surrogates, cif, known)
        Console(stderr=True).print(f"{counted(len(written), 'CIF file')} in {cif}", highlight=False)
    if as_json:
        echo_json([_hit_as_dict(hit, surrogates, known) for hit in found])
    elif as_csv:
        typer.echo(hits_csv(found, names, surrogates, known), nl=False)
    elif found:
        table = _hit_table(found, names, surrogates, known)
        table.title = f"{counted(len(found), 'hit')} of {document.id}"
        console.print(table)
        if repeated := sum(hit.same_as is not None for hit in found):
            console.print(
                f"{len(found) - repeated} distinct and new: --distinct",
                style="dim",
                highlight=False,
            )
        console.print(
            f"ordered by {order}; e_above_hull against hull {document.hull_id}",
            style="dim",
            highlight=False,
        )
        for note in honest_notes(found, surrogates, known):
            console.print(note, style="yellow", highlight=False)
        for computed in store.from_bands(document.id):
            console.print(
                f"from bands, {computed.candidate_id}: {bands_text(computed)}", highlight=False
            )
    else:
        _say_no_hits(store, document, query or where)


def _spec(document: CampaignDoc) -> CampaignSpec:
    from gen2dft.campaign import stored_campaign

    return stored_campaign(document)


def _find_hits(
    store: Store, campaign_id: str, query: str | None, where: str | None
) -> list[HitDoc]:
    """Hits of one campaign that fit a query given as JSON, and a condition."""
    from pymongo.errors import PyMongoError

    from gen2dft.query import find_hits

    try:
        parsed = json.loads(query or "{}")
    except json.JSONDecodeError as err:
        raise Gen2DFTError(
            f'-q {query!r} is not JSON: {err}; e.g. -q \'{{"formula": "SrTiO3"}}\''
        ) from err
    if not isinstance(parsed, dict) or "campaign_id" in parsed:
        raise Gen2DFTError(
            f"-q {query!r} must be a JSON object without campaign_id; choose the campaign by "
            "--campaign"
        )
    try:
        found = store.hits(campaign_id, **parsed)
    except PyMongoError as err:
        raise Gen2DFTError(f"the database does not understand -q {query!r}: {err}") from err
    if where is None:
        return found
    fitting = {hit.id for hit in find_hits(store, where, campaign_id)}
    return [hit for hit in found if hit.id in fitting]


def _say_no_hits(store: Store, document: CampaignDoc, query: str | None) -> None:
    if query and store.hits(document.id):
        console.print(f"no hit of {document.id} fits the query", highlight=False)
        return
    more = "" if document.state == "finished" else f" so far; it is {document.state}"
    console.print(f"no hit in {document.id}{more}", highlight=False)
    console.print(
        f"what became of its candidates: gen2dft status {document.id}", style="dim", highlight=False
    )


def _hit_table(
    found: Sequence[HitDoc], names: Sequence[str], surrogates: set[str], known: Known
) -> Table:
    table = plain_table()
    for header in ("id", "formula", "space group"):
        table.add_column(header, no_wrap=True)
    table.add_column("round", justify="right")
    for name in names:
        prop = known[name]
        table.add_column(f"{prop.title}\n({pretty(prop.unit)})", justify="right")
    repeated = any(hit.same_as for hit in found)
    if repeated:
        table.add_column("same as")
    for hit in found:
        cells = [
            f"{value_text(n, hit.values[n], known)} {_styled_basis(hit.basis[n], surrogates)}"
            for n in names
        ]
        place = (
            hit.candidate_id,
            escape(hit.formula),
            escape(hit.spacegroup),
            str(hit.round_index + 1),
        )
        table.add_row(*place, *cells, *([escape(hit.same_as or "")] if repeated else []))
    return table


def _styled_basis(basis: str, surrogates: set[str]) -> str:
    style = "dim" if basis == PREDICTED else "yellow" if basis in surrogates else "green"
    return f"[{style}]{escape(basis_text(basis, surrogates))}[/]"


def _hit_as_dict(hit: HitDoc, surrogates: set[str], known: Known) -> dict[str, Any]:
    """A hit for other programs; rounds count from 0 as in the database."""
    values = {
        name: {
            "value": value,
            "unit": known[name].unit,
            "basis": basis_text(hit.basis[name], surrogates),
        }
        for name, value in hit.values.items()
    }
    return {**hit.model_dump(mode="json", exclude={"values", "basis"}), "values": values}


def show(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="Beginning of a candidate's id, or a campaign.")
    ],
    as_json: Json = False,
    as_cif: Annotated[
        bool, typer.Option("--cif", help="Its structure as CIF, to standard output.")
    ] = False,
) -> None:
    """Show all that is known of one crystal; of a campaign, where it stands."""
    from gen2dft.cli.crystal import as_dict, find_crystal, print_crystal
    from gen2dft.cli.status import show_campaign
    from gen2dft.report.candidate import crystal_of, labels_of
    from gen2dft.report.cif import structure_cif

    store = open_store()
    candidate = find_crystal(store, identifier)
    if candidate is None:
        show_campaign(store, store.find_campaign(identifier), as_json)
        return
    if as_json:
        echo_json(as_dict(store, candidate))
    elif as_cif:
        structure, origin = crystal_of(candidate, labels_of(store, candidate))
        comments = (
            f"campaign {candidate.campaign_id}, candidate {candidate.candidate_id}, {origin}",
        )
        typer.echo(structure_cif(structure, comments), nl=False)
    else:
        print_crystal(store, candidate, console)


def report(
    campaign: Campaign = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder to write to; default: in the data folder."
        ),
    ] = None,
) -> None:
    """Write the report of a campaign: one HTML page, its figures and the CIF files of its hits."""
    from gen2dft.report.page import write_report

    store = open_store()
    document = store.find_campaign(campaign)
    folder = out or report_folder(document.id)
    with console.status("drawing the figures"):
        page = write_report(store, document.id, folder)
    console.print(f"report of {document.id}: {page.resolve()}", highlight=False, soft_wrap=True)
    console.print(
        f"figures in {folder / 'figures'}, crystals in {folder / 'cif'}",
        style="dim",
        soft_wrap=True,
    )
