"""Hits as comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gen2dft.properties import PROPERTIES
from gen2dft.report.wording import Known, basis_text, remark_text, remarks_on, round_title

if TYPE_CHECKING:
    from gen2dft.store.documents import HitDoc, StabilityRecord

STABILITY = (
    "e_above_hull by the potential (eV/atom)",
    "corrected error (eV/atom)",
    "chance that DFT confirms it",
    "confirmed at most at (eV/atom)",
    "composition unlike",
    "correction",
)


class Column(NamedTuple):
    """A column beside those of every table: id of each hit to text."""

    title: str
    texts: Mapping[str, str]


def origin_columns(
    sources: Mapping[str, Sequence[str]] | None, files: Mapping[str, str]
) -> list[Column]:
    """Columns on where crystals come from.

    Parameters
    ----------
    sources
        Id of each hit to the sources that drew its crystal; None in a campaign with one generator.
    files
        Id of each hit to the file that it was given in; empty where a generator made them.
    """
    columns = []
    if sources is not None:
        columns += [
            Column("source", {key: drawn_by[0] for key, drawn_by in sources.items()}),
            Column("also from", {key: ", ".join(by[1:]) for key, by in sources.items()}),
        ]
    if files:
        columns.append(Column("file", files))
    return columns


def hits_csv(
    found: Sequence[HitDoc],
    names: Sequence[str],
    surrogates: set[str],
    known: Known = PROPERTIES,
    more: Sequence[Column] = (),
) -> str:
    """One line per hit.

    A column of values with the unit in its header, and one that says where each is from. Remarks
    have a column if any hit has one; so has what DFT is expected to say of the stability.

    Parameters
    ----------
    names
        Properties to show, in this order.
    surrogates
        Engines that are not DFT.
    more
        Further columns, before the values.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    uncertain = {name for hit in found for name in hit.errors}
    columns = [column for name in names for column in _columns_of(name, known, uncertain)]
    doubts = ["doubts"] if any(hit.doubts for hit in found) else []
    titles = [column.title for column in more]
    place = ["id", "campaign", "round", "formula", "space group"]
    remarks = ["remark"] if any(remarks_on(hit) for hit in found) else []
    counted = ["compounds in system"] if any(hit.compounds is not None for hit in found) else []
    stability = STABILITY if any(hit.stability for hit in found) else ()
    ending = ["hull", *counted, "same as", *remarks, "evidence", *stability]
    writer.writerow([*place, *titles, *columns, *doubts, *ending])
    for hit in found:
        texts = [column.texts[hit.id] for column in more]
        values = [cell for name in names for cell in _cells_of(hit, name, surrogates, uncertain)]
        said = ["; ".join(hit.doubts)] if doubts else []
        remarked = [remark_text(remarks_on(hit))] if remarks else []
        compounds = [_number(hit.compounds)] if counted else []
        expected = stability_cells(hit.stability) if stability else ()
        ended = [hit.hull_id, *compounds, hit.same_as or "", *remarked, hit.evidence]
        verdicts = [*ended, *expected]
        writer.writerow([*_place_of(hit), *texts, *values, *said, *verdicts])
    return text.getvalue()


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _columns_of(name: str, known: Known, uncertain: Collection[str]) -> Iterator[str]:
    """Headers of a property: its values, where they are from, their errors if some are stated."""
    unit = known[name].unit
    yield f"{name} ({unit})"
    yield f"{name} from"
    if name in uncertain:
        yield f"{name} error ({unit})"


def stability_cells(record: StabilityRecord | None) -> Iterator[str]:
    """Cells of the columns `STABILITY`; empty for a distance by DFT."""
    if record is None:
        yield from ("" for _ in STABILITY)
        return
    yield from map(repr, (record.potential, record.error, record.chance, record.most))
    yield repr(record.unlike)
    yield record.model


def _place_of(hit: HitDoc) -> Iterator[str]:
    round_number = round_title(hit.round_index).split()[-1]
    yield from (hit.candidate_id, hit.campaign_id, round_number, hit.formula, hit.spacegroup)


def _cells_of(
    hit: HitDoc, name: str, surrogates: set[str], uncertain: Collection[str]
) -> Iterator[str]:
    # Every digit: whoever computes with the table loses nothing.
    value = hit.values[name]
    yield "" if value is None else repr(value)
    yield basis_text(hit.basis[name], surrogates)
    if name in uncertain:
        error = hit.errors.get(name)
        yield "" if error is None else repr(error)
