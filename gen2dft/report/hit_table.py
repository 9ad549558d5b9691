"""Hits as comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gen2dft.properties import PROPERTIES
from gen2dft.report.wording import Known, basis_text, round_title

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

    A column of values with the unit in its header, and one that says where each is from.

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
    uncertain = {name for hit in found for name in hit.errors}
    columns = [column for name in names for column in _columns_of(name, known, uncertain)]
    doubts = ["doubts"] if any(hit.doubts for hit in found) else []
    of_sources = [] if sources is None else ["source", "also from"]
    place = ["id", "campaign", "round", "formula", "space group"]
    writer.writerow([*place, *of_sources, *columns, *doubts, "hull", "same as"])
    for hit in found:
        drawn_by = [] if sources is None else _drawn_by(sources[hit.id])
        place_cells = [*_place_of(hit), *drawn_by]
        values = [cell for name in names for cell in _cells_of(hit, name, surrogates, uncertain)]
        said = ["; ".join(hit.doubts)] if doubts else []
        writer.writerow([*place_cells, *values, *said, hit.hull_id, hit.same_as or ""])
    return text.getvalue()


def _columns_of(name: str, known: Known, uncertain: Collection[str]) -> Iterator[str]:
    """Headers of a property: its values, where they are from, their errors if some are stated."""
    unit = known[name].unit
    yield f"{name} ({unit})"
    yield f"{name} from"
    if name in uncertain:
        yield f"{name} error ({unit})"


def _drawn_by(sources: Sequence[str]) -> list[str]:
    own, *others = sources
    return [own, ", ".join(others)]


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
