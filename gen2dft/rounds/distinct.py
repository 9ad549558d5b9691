"""Which hits are new crystals: relaxations lead different candidates to one crystal, or to a known
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gen2dft.crystal_documents import structure_of
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
    structures = [structure_of(hit.structure) for hit in hits]
    table = CrystalTable.from_structures(structures)
    formulas = table.formulas()
    index = _known_crystals(context, set(formulas))
    places = [(hit.round_index, hit.candidate_id) for hit in hits]
    in_turn = sorted(range(len(hits)), key=places.__getitem__)
    found: list[str | None] = [None] * len(hits)
    for row in in_turn:
        formula = formulas[row]
        match = index.match_row(table, row, formula)
        found[row] = match
        if match is None:
            index.add(table, row, formula, hits[row].candidate_id)
    return found


def _known_crystals(context: Round, formulas: set[str]) -> StructureIndex:
    """Index of those crystals of the campaign's dataset that have one of the formulas."""
    base = context.base
    index = StructureIndex()
    for row, formula in enumerate(base.crystals.formulas()):
        if formula not in formulas:
            continue
        name = f"{KNOWN_MARK}{base.ids[row]}"
        index.add(base.crystals, row, formula, name)
    return index


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
    reasons = [reason_of(marks.get(candidate)) for candidate in met]
    if context.spec.screening.novelty == "none":  # a known crystal is as good as any
        reasons = [None if reason == KNOWN else reason for reason in reasons]
    return stage_count("distinct", reasons)


def reason_of(same_as: str | None) -> str | None:
    """Why a hit does not count as a new crystal; None if it does."""
    if same_as is None:
        return None
    if same_as.startswith(KNOWN_MARK):
        return KNOWN
    return REPEATED
