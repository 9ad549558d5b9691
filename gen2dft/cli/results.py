"""Verbs that show results: hits, show, report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape

from gen2dft.cli.common import echo_json, open_store_to_show, plain_table, report_folder
from gen2dft.cli.hits import hits_of_formula, order_of, say_outdated, show_several
from gen2dft.cli.options import MANY, out_folder
from gen2dft.doubts import doubts_text
from gen2dft.query.order import BEST, CHANCE, Order, in_order
from gen2dft.report.bands import bands_text
from gen2dft.report.chances import chance_text, counted_hits, potential_text
from gen2dft.report.hit_table import hits_csv, origin_columns
from gen2dft.report.wording import (
    Known,
    basis_text,
    counted,
    honest_notes,
    pretty,
    ranked,
    remark_text,
    remarks_on,
    surrogate_engines,
    with_error,
)
from gen2dft.store.documents import PREDICTED, CandidateDoc

if TYPE_CHECKING:
    from rich.table import Table

    from gen2dft.store.documents import CampaignDoc, HitDoc
    from gen2dft.store.store import Store

console = Console()

Campaign = Annotated[
    str | None,
    typer.Option("--campaign", "-c", help="Name or id of a campaign; default: the newest."),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


class EvidenceKind(StrEnum):
    """What the values of a hit's targets are worth."""

    DFT = "dft"
    MIXED = "mixed"
    SURROGATE = "surrogate"


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
            help="Condition, e.g. '\"Te\" in elements and 0.3 < band_gap < 1.5'; docs/hits.md.",
        ),
    ] = None,
    distinct: Annotated[
        bool,
        typer.Option(
            "--distinct", help="Without those that relaxed to a known crystal or to another hit."
        ),
    ] = False,
    evidence: Annotated[
        EvidenceKind | None,
        typer.Option(
            "--evidence",
            help="Only hits of this evidence: dft (DFT computed the value of every target), mixed "
            "(of some), surrogate (of none).",
        ),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="FIELD[:desc]",
            help="best (by the targets), chance (largest first), or a field or property of "
            "--where, smallest first; FIELD:desc: largest first.",
        ),
    ] = BEST,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, max=MANY, help="Show the first N alone.")
    ] = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    cif: Annotated[
        Path | None,
        typer.Option(
            "--cif", metavar="DIR", help="Write a CIF file per hit to DIR.", parser=out_folder
        ),
    ] = None,
) -> None:
    """List the hits of a campaign, with units, and where each value is from."""
    store = open_store_to_show()
    document = store.find_campaign(campaign)
    order = order_of(document, sort)
    found = _find_hits(store, document.id, query, where)
    if query or where or order.name not in (BEST, CHANCE):
        say_outdated(store, document.id)
    if distinct:
        found = [hit for hit in found if not hit.same_as]
    if evidence is not None:
        found = [hit for hit in found if hit.evidence == evidence.value]
    shown = _shown(store, document, found)
    if order != Order():
        ordered = in_order(shown.hits, order, shown.sources)
        shown = shown._replace(hits=ordered, order=order.text)
    shown = shown._replace(hits=shown.hits[:limit], found=len(found))
    if cif is not None:
        _write_cifs(shown, cif)
    if as_json:
        echo_json([_hit_as_dict(hit, shown) for hit in shown.hits])
    elif as_csv:
        sources = shown.sources if shown.has_several_sources else None
        origins = origin_columns(sources, shown.files)
        text = hits_csv(shown.hits, shown.names, shown.surrogates, shown.known, origins)
        typer.echo(text, nl=False)
    elif shown.hits:
        _print_hits(store, document, shown)
    else:
        _say_no_hits(store, document, query or where or evidence)


class _Shown(NamedTuple):
    """Hits of one campaign, with everything that explains their values.

    Parameters
    ----------
    hits
        In the order of `order`.
    names
        Properties to show: the campaign's targets.
    known
        Properties of the campaign.
    surrogates
        Engines that are not DFT.
    sources
        Id of each hit to the sources that drew its crystal.
    files
        Id of each hit to the file that it was given in; empty where a generator made them.
    found
        How many there are, those among them that --limit leaves out.
    """

    hits: Sequence[HitDoc]
    order: str
    names: Sequence[str]
    known: Known
    surrogates: set[str]
    sources: Mapping[str, Sequence[str]]
    files: Mapping[str, str]
    has_several_sources: bool
    found: int = 0

    @property
    def has_chances(self) -> bool:
        """Whether a potential's distances are among the hits', with what DFT is expected to say."""
        return any(hit.stability is not None for hit in self.hits)


def _shown(store: Store, document: CampaignDoc, found: Sequence[HitDoc]) -> _Shown:
    from gen2dft.campaign import stored_campaign
    from gen2dft.query import files_of_hits, sources_of_hits

    spec = stored_campaign(document)
    known = spec.known_properties
    ordered, order = ranked(found, spec.targets, known)
    label_ids = [hit.label_id for hit in ordered]
    labels = store.labels(document.id, _id={"$in": label_ids})
    return _Shown(
        hits=ordered,
        order=order,
        names=[target.property for target in spec.targets],
        known=known,
        surrogates=surrogate_engines(labels, ordered),
        sources=sources_of_hits(store, document),
        files=files_of_hits(store, document),
        has_several_sources=spec.has_several_sources,
    )


def _write_cifs(shown: _Shown, folder: Path) -> None:
    """Write the files, and say so where it does not disturb the output."""
    from gen2dft.report.cif import write_hit_cifs

    written = write_hit_cifs(shown.hits, shown.surrogates, folder, shown.known)
    count = counted(len(written), "CIF file")
    Console(stderr=True).print(f"{count} in {folder}", highlight=False)


def _print_hits(store: Store, document: CampaignDoc, shown: _Shown) -> None:
    found = shown.hits
    table = _hit_table(shown)
    hidden = shown.found - len(found)
    rest = f", and {hidden:,} more (--limit)" if hidden else ""
    table.title = f"{counted_hits(found)} of {document.id}{rest}"
    console.print(table)
    repeated = sum(hit.same_as is not None for hit in found)
    if repeated:
        _print_dim(f"{len(found) - repeated} distinct and new: --distinct")
    _print_dim(f"ordered by {shown.order}; e_above_hull against hull {document.hull_id}")
    for note in honest_notes(found, shown.surrogates, shown.known):
        console.print(note, style="yellow", highlight=False)
    for hit in found:
        if hit.doubts:
            doubts = f"doubtful, {hit.candidate_id}: {doubts_text(hit.doubts)}"
            console.print(doubts, style="yellow", highlight=False)
    for computed in store.from_bands(document.id):
        text = f"from bands, {computed.candidate_id}: {bands_text(computed)}"
        console.print(text, highlight=False)


def _print_dim(text: str) -> None:
    console.print(text, style="dim", highlight=False)


def _find_hits(
    store: Store, campaign_id: str, query: str | None, where: str | None
) -> list[HitDoc]:
    """Hits of one campaign that fit a query given as JSON, and a condition."""
    from gen2dft.query import find_hits, query_hits

    found = store.hits(campaign_id) if query is None else query_hits(store, query, campaign_id)
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
    _print_dim(f"what became of its candidates: gen2dft status {document.id}")


def _hit_table(shown: _Shown) -> Table:
    table = plain_table()
    for header in ("id", "formula", "space group", "evidence"):
        table.add_column(header, no_wrap=True)
    table.add_column("round", justify="right")
    if shown.has_several_sources:
        table.add_column("source")
    if shown.files:
        table.add_column("file", overflow="fold")
    for name in shown.names:
        prop = shown.known[name]
        title = f"{prop.title}\n({pretty(prop.unit)})"
        # In a narrow terminal a number goes on in the next line; it is never cut.
        table.add_column(title, justify="right", overflow="fold")
    if shown.has_chances:
        # The distance as the potential gives it, beside the corrected one.
        table.add_column("uncor-\nrected", justify="right", no_wrap=True, min_width=6)
        table.add_column("chance\nof DFT", justify="right", no_wrap=True, min_width=6)
    some_repeat = any(hit.same_as for hit in shown.hits)
    if some_repeat:
        table.add_column("same as")
    if any(hit.compounds is not None for hit in shown.hits):
        table.add_column("compounds\nin system", justify="right")
    some_remarked = any(remarks_on(hit) for hit in shown.hits)
    if some_remarked:
        table.add_column("remark")
    for hit in shown.hits:
        row = list(_hit_row(hit, shown, with_same=some_repeat))
        if some_remarked:
            row.append(remark_text(remarks_on(hit)))
        table.add_row(*row)
    return table


def _hit_row(hit: HitDoc, shown: _Shown, *, with_same: bool) -> Iterator[str]:
    yield hit.candidate_id
    yield escape(hit.formula)
    yield escape(hit.spacegroup)
    yield hit.evidence
    yield str(hit.round_index + 1)
    if shown.has_several_sources:
        yield escape(", ".join(shown.sources[hit.id]))
    if shown.files:
        yield escape(shown.files.get(hit.id, ""))
    for name in shown.names:
        error = hit.errors.get(name)
        value = with_error(name, hit.values[name], error, shown.known)
        yield f"{value} {_styled_basis(hit.basis[name], shown.surrogates)}"
    if shown.has_chances:
        yield potential_text(hit.stability)
        yield chance_text(hit.stability)
    if with_same:
        yield escape(hit.same_as or "")
    if any(other.compounds is not None for other in shown.hits):
        yield "" if hit.compounds is None else str(hit.compounds)


def _styled_basis(basis: str, surrogates: set[str]) -> str:
    """DFT in green, a surrogate in yellow, a prediction in grey."""
    if basis == PREDICTED:
        style = "dim"
    elif basis in surrogates:
        style = "yellow"
    else:
        style = "green"
    return f"[{style}]{escape(basis_text(basis, surrogates))}[/]"


def _hit_as_dict(hit: HitDoc, shown: _Shown) -> dict[str, Any]:
    """A hit for other programs; `round` counts from 1, `round_index` from 0."""
    values = {}
    for name, value in hit.values.items():
        basis = basis_text(hit.basis[name], shown.surrogates)
        values[name] = {"value": value, "unit": shown.known[name].unit, "basis": basis}
    source, *also_from = shown.sources[hit.id]
    plain = hit.model_dump(mode="json", exclude={"values", "basis"})
    origin: dict[str, Any] = {"source": source, "also_from": also_from}
    if shown.files:
        origin["file"] = shown.files.get(hit.id)
    return {**plain, **origin, "values": values}


def show(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Beginning of a candidate's id, a formula of hits, or a campaign."
        ),
    ],
    as_json: Json = False,
    as_cif: Annotated[
        bool, typer.Option("--cif", help="Its structure as CIF, to standard output.")
    ] = False,
    transport: Annotated[
        list[str] | None,
        typer.Option(help="Read its stored transport by a definition, e.g. n-600K-1e19."),
    ] = None,
) -> None:
    """Show all that is known of one crystal; of a campaign, where it stands."""
    from gen2dft.cli.crystal import as_dict, find_crystal, print_crystal, transport_texts
    from gen2dft.cli.status import show_campaign
    from gen2dft.report.candidate import crystal_of, labels_of
    from gen2dft.report.cif import structure_cif

    store = open_store_to_show()
    of_formula = hits_of_formula(store, identifier)
    if len(of_formula) > 1:
        show_several(of_formula, alone=as_cif or bool(transport), as_json=as_json)
        return
    if of_formula:
        candidate = store.find(CandidateDoc, of_formula[0].id)
    else:
        candidate = find_crystal(store, identifier)
    if candidate is None:
        show_campaign(store, store.find_campaign(identifier), as_json)
        return
    if as_json:
        echo_json(as_dict(store, candidate))
    elif as_cif:
        structure, origin = crystal_of(candidate, labels_of(store, candidate))
        ids = f"campaign {candidate.campaign_id}, candidate {candidate.candidate_id}"
        typer.echo(structure_cif(structure, (f"{ids}, {origin}",)), nl=False)
    elif transport:
        for text in transport_texts(store, candidate, transport):
            console.print(text, highlight=False)
    else:
        print_crystal(store, candidate, console)


def report(
    campaign: Campaign = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder to write to; default: in the data folder.",
            parser=out_folder,
        ),
    ] = None,
) -> None:
    """Write the report of a campaign: one HTML page, its figures and the CIF files of its hits."""
    from gen2dft.report.page import write_report

    store = open_store_to_show()
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
