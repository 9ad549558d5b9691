"""The report of a campaign: one self-contained HTML page, its figures as PNG and its hits as CIF
beside it.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from gen2dft import __version__
from gen2dft.report import ledger_table
from gen2dft.report.bands import bands_columns, bands_row
from gen2dft.report.cif import cif_name, hit_cif, write_hit_cifs
from gen2dft.report.claims import claims
from gen2dft.report.data import ReportData, load_report_data
from gen2dft.report.figures import FIGURES, draw_all
from gen2dft.report.output import write_file
from gen2dft.report.picture import crystal_svg
from gen2dft.report.style import PNG_DPI
from gen2dft.report.templating import environment, read_text
from gen2dft.report.wording import (
    PREDICTED,
    Known,
    basis_text,
    honest_notes,
    pretty,
    ranked,
    round_title,
    surrogate_engines,
    target_text,
    value_text,
    words,
)
from gen2dft.store.documents import now

if TYPE_CHECKING:
    from gen2dft.store.documents import HitDoc, LabelDoc, RoundDoc
    from gen2dft.store.store import Store

PAGE = "report.html"
PAGE_DPI = 100  # CSS pixels per inch of a figure
# Figures of `generators.base.Reconstruction`; shares are shown as per cent.
RECONSTRUCTION = {
    "elements_right": "all elements right in {:.1f} %",
    "sites_right": "all sites' species right in {:.1f} %",
    "length_mape": "cell lengths off by {:.1f} %",
    "angle_mape": "angles off by {:.1f} %",
    "coordinate_mae": "fractional coordinates off by {:.3f}",
}
LEDGER = ("surrogate, all workers (s)", "core-hours of validation", "oracle calls", "hits")


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
    surrogates, known = surrogate_engines(data.labels), data.spec.known_properties
    write_hit_cifs(data.hits, surrogates, folder / "cif", known)
    figures = draw_all(data)
    for name, content in figures.items():
        write_file(folder / "figures" / f"{name}.png", content)
    return write_file(folder / PAGE, render(data, figures).encode("utf-8"))


def render(data: ReportData, figures: Mapping[str, bytes]) -> str:
    """The page as HTML; every text from the database is escaped."""
    from markupsafe import Markup

    surrogates, known = surrogate_engines(data.labels), data.spec.known_properties
    hits, hit_order = ranked(data.hits, data.spec.targets, known)
    names = [target.property for target in data.spec.targets]
    shown = [_figure(name, content) for name, content in figures.items()]
    anchors = [("targets", "Targets"), ("hits", "Hits"), *((f["name"], f["title"]) for f in shown)]
    trained = [r for r in data.rounds if r.training]
    return (
        environment("gen2dft.report")
        .get_template("page.html")
        .render(
            css=Markup(read_text("gen2dft.report", "page.css")),  # noqa: S704 - our own file
            campaign=data.campaign,
            spec=data.spec,
            spec_yaml=yaml.safe_dump(data.campaign.spec, sort_keys=False, allow_unicode=True),
            sections=[*anchors, ("provenance", "Provenance")],
            tiles=_tiles(data),
            notes=honest_notes(data.hits, surrogates, known),
            targets=[(known[t.property].title, target_text(t, known)) for t in data.spec.targets],
            hits=[_hit(hit, names, surrogates, known) for hit in hits],
            hit_columns=[known[name] for name in names],
            hit_order=hit_order,
            figures=shown,
            rounds=data.rounds,
            trainings=[_training_row(r, known) for r in trained],
            errors=[_error_row(r, data.spec.head_properties) for r in trained],
            error_columns=[pretty(known[name].axis) for name in data.spec.head_properties],
            ledger_columns=["round", *(f"{words(stage)} (s)" for stage in _stages(data)), *LEDGER],
            ledger=_ledger(data),
            cost_columns=ledger_table.COLUMNS,
            costs=ledger_table.rows(data.ledger),
            claims=claims(data),
            bands=[bands_row(found) for found in data.bands],
            bands_columns=bands_columns(data.spec.transport.definition),
            provenance=_provenance(data),
            snapshots=data.snapshots,
            version=__version__,
            written=f"{now():%Y-%m-%d %H:%M} UTC",
        )
    )


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _figure(name: str, content: bytes) -> dict[str, Any]:
    """A figure for the page.

    Its size in pixels stands at bytes 16 to 24 of a PNG (RFC 2083, 11.2.1).
    """
    width, height = struct.unpack(">II", content[16:24])
    scale = PAGE_DPI / PNG_DPI
    return {
        "name": name,
        "title": FIGURES[name].title,
        "caption": FIGURES[name].caption,
        "link": _data_uri(content, "image/png"),
        "width": round(width * scale),
        "height": round(height * scale),
    }


def _tiles(data: ReportData) -> list[tuple[str, str, str]]:
    """Title, number and style of the figures at the top."""
    sampled = sum(stage.n_in for r in data.rounds for stage in r.funnel if stage.stage == "sample")
    hours = sum(label.core_hours for label in data.labels)
    return [
        ("hits", f"{len(data.hits):,}", "hit"),
        ("crystals sampled", f"{sampled:,}", ""),
        ("candidates validated", f"{len({label.candidate_id for label in data.labels}):,}", ""),
        ("oracle calls", f"{sum(r.dispatch_size for r in data.rounds):,}", ""),
        ("core-hours of validation", f"{hours:.3g}", ""),
        ("rounds", f"{len(data.rounds)}", ""),
    ]


def _hit(hit: HitDoc, names: Iterable[str], surrogates: set[str], known: Known) -> dict[str, Any]:
    from markupsafe import Markup
    from pymatgen.core import Structure

    picture = crystal_svg(
        Structure.from_dict(hit.structure), f"c{re.sub('[^0-9a-zA-Z]', '', hit.candidate_id)}"
    )
    return {
        "id": hit.candidate_id,
        "formula": hit.formula,
        "spacegroup": hit.spacegroup,
        "same_as": hit.same_as,
        "round": round_title(hit.round_index),
        "picture": Markup(picture),  # noqa: S704 - numbers, element symbols and escaped text
        "cells": [_cell(hit, name, surrogates, known) for name in names],
        "file": cif_name(hit.formula, hit.candidate_id),
        "link": _data_uri(hit_cif(hit, surrogates, known).encode(), "chemical/x-cif"),
    }


def _cell(hit: HitDoc, name: str, surrogates: set[str], known: Known) -> tuple[str, str, str]:
    """Value, basis and the style of the basis."""
    basis = hit.basis[name]
    kind = "" if basis == PREDICTED else "surrogate" if basis in surrogates else "dft"
    return value_text(name, hit.values[name], known), basis_text(basis, surrogates), kind


def _training_row(document: RoundDoc, known: Known) -> list[tuple[str, bool]]:
    """Texts of one round, and whether each is a number."""
    training = document.training
    labels = (f"{known[n].title} {count:,}" for n, count in training.get("num_labels", {}).items())
    return [
        (round_title(document.index), False),
        (f"{training.get('num_train', 0):,}", True),
        (f"{training.get('num_heldout', 0):,}", True),
        ("the last snapshot" if training.get("warm") else "random weights", False),
        ("; ".join(labels), False),
        (_reconstruction(training.get("reconstruction", {})), False),
    ]


def _reconstruction(figures: Mapping[str, float | None]) -> str:
    """How well held-out crystals come back from their latent vectors, in words."""
    parts = []
    for name, text in RECONSTRUCTION.items():
        value = figures.get(name)
        if value is not None:
            parts.append(text.format(100 * value if name.endswith("_right") else value))
    return "; ".join(parts) or "none held out"


def _error_row(document: RoundDoc, names: Iterable[str]) -> list[str]:
    """Mean absolute error of each head on the round's held-out crystals."""
    cells = [round_title(document.index)]
    for name in names:
        pair = document.training.get("heldout", {}).get(name, {"truth": [], "predicted": []})
        errors = np.abs(
            np.asarray(pair["truth"], dtype=float) - np.asarray(pair["predicted"], dtype=float)
        )
        known = errors[np.isfinite(errors)]
        cells.append(f"{known.mean():.3g} (n = {len(known):,})" if len(known) else "no labels")
    return cells


def _stages(data: ReportData) -> list[str]:
    """Stages whose wall time is known, in the order in which rounds name them."""
    return list(dict.fromkeys(stage for r in data.rounds for stage in r.seconds))


def _ledger(data: ReportData) -> list[list[str]]:
    """What each round cost and gave."""
    return [
        [
            round_title(r.index),
            *(
                f"{r.seconds[stage]:,.1f}" if stage in r.seconds else "\u2013"
                for stage in _stages(data)
            ),
            f"{data.surrogate_seconds(r.index):,.1f}",
            f"{data.core_hours(r.index):.3g}",
            f"{r.dispatch_size:,}",
            f"{sum(hit.round_index == r.index for hit in data.hits):,}",
        ]
        for r in data.rounds
    ]


def _provenance(data: ReportData) -> list[tuple[str, str]]:
    campaign, source = data.campaign, data.spec.dataset.source
    return [
        ("campaign", campaign.id),
        ("begun", f"{campaign.created:%Y-%m-%d %H:%M} UTC with gen2dft {campaign.code_version}"),
        ("hash of the campaign's file", campaign.spec_hash),
        ("seed", str(data.spec.seed)),
        ("training data", f"{source}, hash {campaign.dataset_hash}"),
        ("hull", f"{data.hull.id}: {data.hull.num_entries:,} entries from {data.hull.source}"),
        (
            "screen",
            f"{data.spec.screening.surrogate.engine}, {data.spec.screening.surrogate.preset} (not "
            "DFT)",
        ),
        *(("labels", text) for text in _label_sources(data.labels)),
    ]


def _steps_of(label: LabelDoc) -> list[str]:
    """Which packages computed properties of a label."""
    steps: dict[str, dict[str, str]] = label.provenance.get("properties") or {}
    return [f"{name} by {made['package']} {made['version']}" for name, made in steps.items()]


def _label_sources(labels: Iterable[LabelDoc]) -> list[str]:
    """Each combination of engine, settings, corrections and versions among the labels, with its
    number of labels.
    """
    counts: dict[str, int] = {}
    for label in labels:
        versions = label.provenance.get("versions") or {}
        parts = [
            f"{label.engine} ({'DFT' if label.is_dft else 'not DFT'}), {label.preset}, settings "
            f"{label.settings_hash}",
            *([f"corrections {', '.join(label.corrections)}"] if label.corrections else []),
            *(["settings changed by custodian"] if label.settings_changed else []),
            *(f"{name} {version}" for name, version in sorted(versions.items())),
            *_steps_of(label),
        ]
        text = ", ".join(parts)
        counts[text] = counts.get(text, 0) + 1
    return [f"{count:,} by {text}" for text, count in sorted(counts.items())]
