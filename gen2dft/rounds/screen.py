"""Last screen: the ML potential relaxes the survivors in chunks and places them on the hull."""

from __future__ import annotations

from collections.abc import Sequence

from pymatgen.core import Structure

from gen2dft.funnel import StageCount
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.learner import read_learner
from gen2dft.rounds.round import Round
from gen2dft.screening.gates import stage_count
from gen2dft.screening.novelty import StructureIndex
from gen2dft.screening.surrogate import OVERRULABLE, surrogate_screen
from gen2dft.store.documents import CandidateDoc, StoredVerdict, now
from gen2dft.store.states import State
from gen2dft.store.store import candidate_key
from gen2dft.streams import Stream, Streams


def chunks(context: Round, candidate_ids: Sequence[str]) -> list[list[str]]:
    """Candidate ids in parts of the size that the campaign gives."""
    size = context.spec.screening.surrogate.chunk
    return [list(candidate_ids[i : i + size]) for i in range(0, len(candidate_ids), size)]


def screen_chunk(context: Round, candidate_ids: Sequence[str]) -> None:
    """Relax one chunk; each candidate gets its surrogate result or is rejected with one reason.

    A killed chunk resumes where it stopped: what has a result is not computed again.
    """
    waiting = unscreened(context, candidate_ids)
    if not waiting:
        return
    known = StructureIndex.from_table(read_learner(context).known.crystals)
    for document in waiting:
        screen_one(context, document, known)
        context.count()


def unscreened(context: Round, candidate_ids: Sequence[str]) -> list[CandidateDoc]:
    """Those of the candidates that have no result yet, in the order of their ids."""
    keys = [candidate_key(context.campaign_id, found) for found in candidate_ids]
    documents = context.store.find_many(CandidateDoc, keys)
    in_order = [document for _, document in sorted(documents.items())]
    return [doc for doc in in_order if doc.state == "sampled" and doc.surrogate is None]


def screen_one(context: Round, document: CandidateDoc, known: StructureIndex) -> None:
    """Relax one candidate and write the verdict down."""
    structure = Structure.from_dict(document.structure or {})
    limits = context.spec.screening.surrogate
    verdict = surrogate_screen(structure, limits, footing_of(context).screen_hull, known)
    store, key = context.store, document.candidate_id
    found = verdict.as_dict()
    if verdict.reason is None or may_be_audited(context, verdict.reason):
        store.set_candidate(context.campaign_id, key, surrogate=found)
        return
    state = State.rejected(verdict.reason)
    store.move_candidate(context.campaign_id, key, state, surrogate=found)


def may_be_audited(context: Round, reason: str) -> bool:
    """Whether a reject waits for the draw of the audit: the campaign has one, and the relaxation
    came to an end.
    """
    return bool(context.spec.learning.gate_audit) and reason in OVERRULABLE


def draw_audit(context: Round, candidate_ids: Sequence[str]) -> None:
    """Let a random part of the gate's rejects through to validation, and reject the others.

    The draw is among all that the gate rejected, moved already or not, so that an interrupted draw
    comes out the same.
    """
    rejects = overrulable_rejects(context, candidate_ids)
    learning = context.spec.learning
    size = min(len(rejects), round(learning.gate_audit * learning.batch))
    drawn: set[int] = set()
    if size:
        rng = Streams(context.spec.seed, context.index).rng(Stream.GATE_AUDIT)
        drawn = set(rng.choice(len(rejects), size=size, replace=False).tolist())
    moves = {}
    for row, (key, reason) in enumerate(rejects):
        if row not in drawn:
            moves[key] = {"state": State.rejected(reason)}
    context.store.move_candidates(context.campaign_id, moves)


def overrulable_rejects(context: Round, candidate_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Ids and reasons of what the gate refused and DFT may overrule, in the order of ids."""
    found = context.store.candidate_fields(
        context.campaign_id,
        ("candidate_id", "surrogate.reason"),
        round_index=context.index,
        surrogate={"$ne": None},
    )
    screened = set(candidate_ids)
    rejects = []
    for document in found:
        key = document["candidate_id"]
        reason = StoredVerdict.of(document["surrogate"]).reason
        if key in screened and reason is not None and reason in OVERRULABLE:
            rejects.append((key, reason))
    return rejects


def finish_screen(context: Round, candidate_ids: Sequence[str]) -> StageCount:
    """Draw the audit and count the stage, once all chunks are through."""
    if context.spec.learning.gate_audit:
        draw_audit(context, candidate_ids)
    # A chunk that was killed may have moved a candidate without telling the tally.
    context.store.follow_unfinished(context.campaign_id, context.index)
    states = context.store.tally.states(context.campaign_id, context.index)
    reasons = [State.parse(states[key]).rejection for key in sorted(candidate_ids)]
    progress = context.document.progress
    if progress.get("stage") == "screen":
        seconds = (now() - progress["since"]).total_seconds()
        context.update(**{"seconds.screen": seconds})
    return stage_count("surrogate", reasons)
