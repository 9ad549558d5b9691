"""Hits as comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gen2dft.properties import PROPERTIES
from gen2dft.report.wording import Known, basis_text, remark_text, round_title

if TYPE_CHECKING:
    from gen2dft.store.documents import HitDoc


def hits_csv(
    found: Sequence[HitDoc],
    names: Sequence[str],
    surrogates: set[str],
    known: Known = PROPERTIES,
    sources: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """One line per hit.

    A column of values with the unit in its header, and one that says where each is from. Remarks
    have a column if any hit has one.

    Parameters
    ----------
    names
        Properties to show, in this order.
    surrogates
        Engines that are not DFT.
    sources
        Id of each hit to the sources that drew its crystal, for two more columns; None in a
        campaign with one generator.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [column for name in names for column in _columns_of(name, known)]
    of_sources = [] if sources is None else ["source", "also from"]
    place = ["id", "campaign", "round", "formula", "space group"]
    with_remarks = any(hit.remarks for hit in found)
    of_remarks = ["remark"] if with_remarks else []
    writer.writerow([*place, *of_sources, *columns, "hull", "same as", *of_remarks])
    for hit in found:
        drawn_by = [] if sources is None else _drawn_by(sources[hit.id])
        row = list(_row(hit, names, surrogates, drawn_by))
        if with_remarks:
            row.append(remark_text(hit.remarks))
        writer.writerow(row)
    return text.getvalue()


def _columns_of(name: str, known: Known) -> tuple[str, str]:
    """Headers of a property: its values, and where they are from."""
    return f"{name} ({known[name].unit})", f"{name} from"


def _drawn_by(sources: Sequence[str]) -> list[str]:
    own, *others = sources
    return [own, ", ".join(others)]


def _row(
    hit: HitDoc, names: Sequence[str], surrogates: set[str], drawn_by: Sequence[str]
) -> Iterator[str]:
    round_number = round_title(hit.round_index).split()[-1]
    yield from (hit.candidate_id, hit.campaign_id, round_number, hit.formula, hit.spacegroup)
    yield from drawn_by
    for name in names:
        value = hit.values[name]
        # Every digit: whoever computes with the table loses nothing.
        yield "" if value is None else repr(value)
        yield basis_text(hit.basis[name], surrogates)
    yield hit.hull_id
    yield hit.same_as or ""
