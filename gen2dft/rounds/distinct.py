"""Which hits are new crystals: relaxations lead different candidates to one crystal, or to a known
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gen2dft.crystals import CrystalTable
from gen2dft.funnel import StageCount
from gen2dft.rounds.round import Round
from gen2dft.screening.gates import stage_count
from gen2dft.screening.novelty import StructureIndex

if TYPE_CHECKING:
    from gen2dft.store.documents import HitDoc

KNOWN, REPEATED = "relaxed_to_known", "same_as_another_hit"
KNOWN_MARK = "known:"  # before the id of a crystal of the training set


def mark_repeats(context: Round) -> None:
    """Write into each hit of the campaign what it is the same as: a crystal of its dataset, or a
    hit that precedes it.

    Hits are taken by round, then by id, so that the same hits get the same marks in whatever order
    they came; a late one may change those of others.
    """
    hits = context.store.hits(context.campaign_id)
    if not hits:
        return
    for hit, same_as in zip(hits, repeats(context, hits), strict=True):
        if hit.same_as != same_as:
            context.store.set_hit(hit.id, same_as=same_as)


def repeats(context: Round, hits: list[HitDoc]) -> list[str | None]:
    """Of each hit, in the order given: what it is the same as, None if nothing."""
    from pymatgen.core import Structure

    table = CrystalTable.from_structures(Structure.from_dict(hit.structure) for hit in hits)
    formulas = table.formulas()
    index, wanted = StructureIndex(), set(formulas)
    known = context.base.crystals
    for row, formula in enumerate(known.formulas()):
        if formula in wanted:
            index.add(known, row, formula, f"{KNOWN_MARK}{context.base.ids[row]}")
    found: dict[str, str | None] = {}
    for row in sorted(
        range(len(hits)), key=lambda row: (hits[row].round_index, hits[row].candidate_id)
    ):
        found[hits[row].id] = name = index.match_row(table, row, formulas[row])
        if name is None:
            index.add(table, row, formulas[row], hits[row].candidate_id)
    return [found[hit.id] for hit in hits]


def distinct_stage(context: Round, met: Sequence[str]) -> StageCount:
    """The last stage of a funnel: of the candidates that meet the targets, those that are crystals
    of their own.

    Parameters
    ----------
    met
        Ids of the candidates; one whose hit is not written yet is taken for a crystal of its own.
    """
    hits = context.store.hit_fields(context.campaign_id, ("candidate_id", "same_as"))
    marks = {hit["candidate_id"]: hit.get("same_as") for hit in hits}
    return stage_count("distinct", [reason_of(marks.get(candidate)) for candidate in met])


def reason_of(same_as: str | None) -> str | None:
    """Why a hit does not count as a new crystal; None if it does."""
    if same_as is None:
        return None
    return KNOWN if same_as.startswith(KNOWN_MARK) else REPEATED
