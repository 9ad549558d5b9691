"""Hits as comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gen2dft.properties import PROPERTIES
from gen2dft.report.wording import Known, basis_text, remark_text, round_title

if TYPE_CHECKING:
    from gen2dft.store.documents import HitDoc


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

    A column of values with the unit in its header, and one that says where each is from.

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
    columns = [column for name in names for column in _columns_of(name, known)]
    titles = [column.title for column in more]
    place = ["id", "campaign", "round", "formula", "space group", "evidence"]
    writer.writerow([*place, *titles, *columns, "hull", "same as", "remark"])
    for hit in found:
        texts = [column.texts[hit.id] for column in more]
        row = _row(hit, names, surrogates, texts)
        writer.writerow(row)
    return text.getvalue()


def _columns_of(name: str, known: Known) -> tuple[str, str]:
    """Headers of a property: its values, and where they are from."""
    return f"{name} ({known[name].unit})", f"{name} from"


def _row(
    hit: HitDoc, names: Sequence[str], surrogates: set[str], more: Sequence[str]
) -> Iterator[str]:
    round_number = round_title(hit.round_index).split()[-1]
    yield from (hit.candidate_id, hit.campaign_id, round_number, hit.formula, hit.spacegroup)
    yield hit.evidence
    yield from more
    for name in names:
        value = hit.values[name]
        # Every digit: whoever computes with the table loses nothing.
        yield "" if value is None else repr(value)
        yield basis_text(hit.basis[name], surrogates)
    yield hit.hull_id
    yield hit.same_as or ""
    yield remark_text(hit.remarks)
