"""Hits as comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
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
) -> str:
    """One line per hit.

    A column of values with the unit in its header, and one that says where each is from.

    Parameters
    ----------
    names
        Properties to show, in this order.
    surrogates
        Engines that are not DFT.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [text for name in names for text in (f"{name} ({known[name].unit})", f"{name} from")]
    writer.writerow(
        ["id", "campaign", "round", "formula", "space group", *columns, "hull", "same as"]
    )
    for hit in found:
        cells = [
            text
            for n in names
            for text in (
                "" if hit.values[n] is None else repr(hit.values[n]),
                basis_text(hit.basis[n], surrogates),
            )
        ]
        place = [hit.candidate_id, hit.campaign_id, round_title(hit.round_index).split()[-1]]
        writer.writerow(
            [*place, hit.formula, hit.spacegroup, *cells, hit.hull_id, hit.same_as or ""]
        )
    return text.getvalue()
