"""The report of a campaign: one self-contained HTML page, its figures as PNG and its hits as CIF
beside it.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gen2dft import __version__
from gen2dft.ground.meeting import energies_that_meet
from gen2dft.report import ledger_table
from gen2dft.report.bands import bands_columns, bands_row
from gen2dft.report.chances import heading
from gen2dft.report.cif import cif_name, hit_cif, write_hit_cifs
from gen2dft.report.claims import claims
from gen2dft.report.data import ReportData, load_report_data
from gen2dft.report.figures import FIGURES, draw_all
from gen2dft.report.hit_rows import HitRow, hit_row
from gen2dft.report.output import write_file
from gen2dft.report.page_tables import (
    error_row,
    ledger_columns,
    ledger_row,
    training_row,
)
from gen2dft.report.provenance import provenance
from gen2dft.report.style import PNG_DPI
from gen2dft.report.templating import environment, read_text
from gen2dft.report.wording import (
    Known,
    honest_notes,
    pretty,
    ranked,
    surrogate_engines,
    target_text,
)
from gen2dft.store.documents import now

if TYPE_CHECKING:
    from gen2dft.campaign import Target
    from gen2dft.store.documents import HitDoc
    from gen2dft.store.store import Store

PAGE = "report.html"
PAGE_DPI = 100  # CSS pixels per inch of a figure
PAGE_SCALE = PAGE_DPI / PNG_DPI

Shown = dict[str, Any]
Values = Iterator[tuple[str, object]]


def write_report(store: Store, campaign_id: str, folder: Path) -> Path:
    """Write the report of one campaign.

    Parameters
    ----------
    folder
        Gets `report.html`, `figures/*.png` and `cif/*.cif`; what stands there of an earlier report
        is replaced.

    Returns
    -------
    Path of the page. It is written last, so that a page always finds its figures.

    Raises
    ------
    StoreError
        No such campaign, or part of it is missing in the database.
    OutputError
        The folder cannot be written.
    """
    data = load_report_data(store, campaign_id)
    surrogates = surrogate_engines(data.labels, data.hits)
    write_hit_cifs(data.hits, surrogates, folder / "cif", data.spec.known_properties)
    figures = draw_all(data)
    for name, content in figures.items():
        write_file(folder / "figures" / f"{name}.png", content)
    page = render(data, figures)
    return write_file(folder / PAGE, page.encode("utf-8"))


def render(data: ReportData, figures: Mapping[str, bytes]) -> str:
    """The page as HTML; every text from the database is escaped."""
    shown = [_figure(name, content) for name, content in figures.items()]
    values = dict(_frame(_title_of(data), shown))
    values |= _overview(data)
    values |= _hits(data)
    values |= _tables(data)
    values |= _origin(data)
    template = environment("gen2dft.report").get_template("page.html")
    return template.render(values)


# Values of the template
# ------------------------------------------------------------------------------------------------


def _title_of(data: ReportData) -> str:
    """Title of the list of hits."""
    text = heading(data.hits)
    return text[0].upper() + text[1:]


def _frame(title: str, figures: Sequence[Shown]) -> Values:
    from markupsafe import Markup

    css = read_text("gen2dft.report", "page.css")
    yield "css", Markup(css)  # noqa: S704 - our own file
    yield "sections", list(_sections(title, figures))
    yield "hits_title", title
    yield "figures", figures
    yield "version", __version__
    yield "written", f"{now():%Y-%m-%d %H:%M} UTC"


def _sections(title: str, figures: Iterable[Shown]) -> Iterator[tuple[str, str]]:
    """Anchor and title of each section.

    Parameters
    ----------
    title
        Of the list of hits.
    """
    yield "targets", "Targets"
    yield "hits", title
    for figure in figures:
        yield figure["name"], figure["title"]
    yield "provenance", "Provenance"


def _overview(data: ReportData) -> Values:
    surrogates = surrogate_engines(data.labels, data.hits)
    known = data.spec.known_properties
    yield "campaign", data.campaign
    yield "spec", data.spec
    yield "rounds", data.rounds
    yield "sources", data.sources
    yield "tiles", list(_tiles(data))
    meeting = energies_that_meet(data.spec, data.hull.scale)
    yield "notes", [*meeting, *honest_notes(data.hits, surrogates, known)]
    yield "targets", [_wanted(target, known) for target in data.spec.targets]
    yield "claims", claims(data)


def _wanted(target: Target, known: Known) -> tuple[str, str]:
    """Title of a target's property, and what it asks for."""
    title = known[target.property].title
    return title, target_text(target, known)


def _hits(data: ReportData) -> Values:
    surrogates = surrogate_engines(data.labels, data.hits)
    targets = data.spec.targets
    names = [target.property for target in targets]
    known = data.spec.known_properties
    hits, order = ranked(data.hits, targets, known)
    yield "hits", [_hit(hit, names, surrogates, known) for hit in hits]
    yield "hit_order", order
    yield "drawn_by", {hit_id: ", ".join(names) for hit_id, names in data.drawn_by.items()}
    yield "hit_columns", [known[name] for name in names]
    yield "has_chances", any(hit.stability for hit in hits)


def _tables(data: ReportData) -> Values:
    trained = [document for document in data.rounds if document.training]
    heads = data.spec.head_properties
    known = data.spec.known_properties
    yield "trainings", [training_row(document, known) for document in trained]
    yield "errors", [error_row(document, heads) for document in trained]
    yield "error_columns", [pretty(known[name].axis) for name in heads]
    yield "bands", map(bands_row, data.bands)
    yield "bands_columns", bands_columns(data.spec.transport.definition)
    yield "ledger", [ledger_row(data, document) for document in data.rounds]
    yield "ledger_columns", ledger_columns(data)
    yield "costs", ledger_table.rows(data.ledger)
    yield "cost_columns", ledger_table.COLUMNS
    yield "step_costs", ledger_table.step_rows(data.ledger)
    yield "step_columns", ledger_table.step_columns(data.ledger)


def _origin(data: ReportData) -> Values:
    yield "provenance", list(provenance(data))
    yield "snapshots", data.snapshots
    yield "spec_yaml", yaml.safe_dump(data.campaign.spec, sort_keys=False, allow_unicode=True)


def _figure(name: str, content: bytes) -> Shown:
    """A figure for the page.

    Its size in pixels stands at bytes 16 to 24 of a PNG (RFC 2083, 11.2.1).
    """
    pixels = struct.unpack(">II", content[16:24])
    width, height = (round(PAGE_SCALE * number) for number in pixels)
    link = _data_uri(content, "image/png")
    kind = FIGURES[name]
    return {
        "name": name,
        "title": kind.title,
        "caption": kind.caption,
        "link": link,
        "width": width,
        "height": height,
    }


def _data_uri(content: bytes, kind: str) -> str:
    coded = base64.b64encode(content).decode()
    return f"data:{kind};base64,{coded}"


def _tiles(data: ReportData) -> Iterator[tuple[str, str, str]]:
    """Title, number and style of the figures at the top."""
    sampled = sum(stage.n_in for stage in data.stages("sample"))
    computed = {label.candidate_id for label in data.labels}
    calls = sum(document.dispatch_size for document in data.rounds)
    hours = sum(label.core_hours for label in data.labels)
    yield heading(data.hits), f"{len(data.hits):,}", "hit"
    yield "crystals sampled", f"{sampled:,}", ""
    yield "candidates computed", f"{len(computed):,}", ""
    yield "oracle calls", f"{calls:,}", ""
    yield "core-hours of validation", f"{hours:.3g}", ""
    yield "rounds", f"{len(data.rounds)}", ""


def _hit(
    hit: HitDoc, names: Iterable[str], surrogates: set[str], known: Known
) -> tuple[HitRow, str, str]:
    """A hit with name and content of its CIF file."""
    name = cif_name(hit.formula, hit.candidate_id)
    cif = hit_cif(hit, surrogates, known).encode()
    row = hit_row(hit, names, surrogates, known)
    return row, name, _data_uri(cif, "chemical/x-cif")
