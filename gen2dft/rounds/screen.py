"""Last screen: the ML potential relaxes the survivors, chunk by chunk, and places them on the
hull.
"""

from __future__ import annotations

from collections.abc import Sequence

from pymatgen.core import Structure

from gen2dft.funnel import StageCount
from gen2dft.rounds.context import RoundContext
from gen2dft.screening.gates import stage_count
from gen2dft.screening.novelty import StructureIndex
from gen2dft.screening.surrogate import OVERRULABLE, surrogate_screen
from gen2dft.store.documents import CandidateDoc, StoredVerdict, now
from gen2dft.store.states import State
from gen2dft.store.store import candidate_key
from gen2dft.streams import Stream


def chunks(context: RoundContext, candidate_ids: Sequence[str]) -> list[list[str]]:
    """Candidate ids in parts of the size that the campaign gives."""
    size = context.spec.screening.surrogate.chunk
    return [list(candidate_ids[i : i + size]) for i in range(0, len(candidate_ids), size)]


def screen_chunk(context: RoundContext, candidate_ids: Sequence[str]) -> None:
    """Relax one chunk; each candidate gets its surrogate result or is rejected with one reason.

    A killed chunk goes on where it was: what has a result is not computed again.
    """
    found = context.store.find_many(
        CandidateDoc, [candidate_key(context.campaign_id, key) for key in candidate_ids]
    )
    waiting = [
        doc for _, doc in sorted(found.items()) if doc.state == "sampled" and doc.surrogate is None
    ]
    known = StructureIndex.from_table(context.known.crystals) if waiting else None
    for doc in waiting:
        structure = Structure.from_dict(doc.structure or {})
        verdict = surrogate_screen(
            structure, context.spec.screening.surrogate, context.screen_hull, known
        )
        if verdict.reason is not None and not may_be_audited(context, verdict.reason):
            context.store.move_candidate(
                context.campaign_id,
                doc.candidate_id,
                State.rejected(verdict.reason),
                surrogate=verdict.as_dict(),
            )
        else:
            context.store.set_candidate(
                context.campaign_id, doc.candidate_id, surrogate=verdict.as_dict()
            )
        context.count()


def may_be_audited(context: RoundContext, reason: str) -> bool:
    """Whether a reject waits for the draw of the audit: the campaign has one, and the relaxation
    came to an end.
    """
    return bool(context.spec.learning.gate_audit) and reason in OVERRULABLE


def draw_audit(context: RoundContext, candidate_ids: Sequence[str]) -> None:
    """Let a random part of the gate's rejects through to validation, and reject the others with
    their reasons.

    Drawn among all that the gate rejected, moved already or not: a draw that was interrupted comes
    out the same.
    """
    found = context.store.candidate_fields(
        context.campaign_id,
        ("candidate_id", "surrogate.reason"),
        round_index=context.index,
        surrogate={"$ne": None},
    )
    screened = set(candidate_ids)
    reasons = {doc["candidate_id"]: StoredVerdict.of(doc["surrogate"]).reason for doc in found}
    rejects = [
        (key, reason)
        for key, reason in reasons.items()
        if key in screened and reason in OVERRULABLE
    ]
    size = min(len(rejects), round(context.spec.learning.gate_audit * context.spec.learning.batch))
    drawn = (
        set(context.rng(Stream.GATE_AUDIT).choice(len(rejects), size=size, replace=False).tolist())
        if size
        else set()
    )
    moves = {
        key: {"state": State.rejected(reason)}
        for row, (key, reason) in enumerate(rejects)
        if row not in drawn
    }
    context.store.move_candidates(context.campaign_id, moves)


def finish_screen(context: RoundContext, candidate_ids: Sequence[str]) -> StageCount:
    """Draw the audit and count the stage, once all chunks are through."""
    if context.spec.learning.gate_audit:
        draw_audit(context, candidate_ids)
    context.store.follow_unfinished(
        context.campaign_id, context.index
    )  # chunks may have been killed on the way
    states = context.store.tally.states(context.campaign_id, context.index)
    reasons = [State.parse(states[key]).rejection for key in sorted(candidate_ids)]
    progress = context.round.progress
    if progress.get("stage") == "screen":
        context.update(**{"seconds.screen": (now() - progress["since"]).total_seconds()})
    return stage_count("surrogate", reasons)
