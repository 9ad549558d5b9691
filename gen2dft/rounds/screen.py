"""Last screen: the ML potential relaxes the survivors in chunks and places them on the hull."""

from __future__ import annotations

from collections.abc import Sequence

from gen2dft.crystal_documents import structure_of
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
    found = []
    for start in range(0, len(candidate_ids), size):
        chunk = candidate_ids[start : start + size]
        found.append(list(chunk))
    return found


def screen_chunk(context: Round, candidate_ids: Sequence[str]) -> None:
    """Relax one chunk; each candidate gets its surrogate result or is rejected with one reason.

    A killed chunk resumes where it stopped: what has a result is not computed again.
    """
    waiting = unscreened(context, candidate_ids)
    if not waiting:
        return
    learner = read_learner(context)
    known = None
    if context.spec.screening.novelty != "none":
        known = StructureIndex.from_table(learner.known.crystals)
    for document in waiting:
        screen_one(context, document, known)
        context.count()


def unscreened(context: Round, candidate_ids: Sequence[str]) -> list[CandidateDoc]:
    """Those of the candidates that have no result yet, in the order of their ids."""
    keys = [candidate_key(context.campaign_id, found) for found in candidate_ids]
    documents = context.store.find_many(CandidateDoc, keys)
    in_order = [document for _, document in sorted(documents.items())]
    return [doc for doc in in_order if doc.state == "sampled" and doc.surrogate is None]


def screen_one(context: Round, document: CandidateDoc, known: StructureIndex | None) -> None:
    """Relax one candidate and write the verdict down.

    Parameters
    ----------
    known
        Crystals that it must not relax into; None: it may.
    """
    structure = structure_of(document.structure or {})
    limits = context.spec.screening.surrogate
    footing = footing_of(context)
    corrector = footing.screen_corrector
    verdict = surrogate_screen(structure, limits, footing.screen_hull, known, corrector)
    store, key = context.store, document.candidate_id
    found = verdict.as_dict()
    if verdict.reason is None or may_be_audited(context, verdict.reason):
        store.set_candidate(context.campaign_id, key, surrogate=found)
        return
    state = State.rejected(verdict.reason)
    store.move_candidate(context.campaign_id, key, state, surrogate=found)


def may_be_audited(context: Round, reason: str) -> bool:
    """Whether a reject is not moved yet: the screen only marks, or the campaign has an audit and
    the relaxation came to an end.
    """
    if context.spec.screening.surrogate.only_marks:
        return True
    has_audit = context.spec.learning.gate_audit > 0
    return has_audit and reason in OVERRULABLE


def draw_audit(context: Round, candidate_ids: Sequence[str]) -> None:
    """Let a random part of the gate's rejects through to validation, and reject the others.

    The draw is among all that the gate rejected, moved already or not, so that an interrupted draw
    comes out the same.
    """
    rejects = overrulable_rejects(context, candidate_ids)
    drawn = _audit_rows(context, len(rejects))
    moves = {}
    for row, (key, reason) in enumerate(rejects):
        if row in drawn:
            continue
        state = State.rejected(reason)
        moves[key] = {"state": state}
    context.store.move_candidates(context.campaign_id, moves)


def _audit_rows(context: Round, num_rejects: int) -> set[int]:
    """Rows of the rejects that the audit lets through."""
    learning = context.spec.learning
    wanted = round(learning.gate_audit * learning.batch)
    size = min(num_rejects, wanted)
    if not size:
        return set()
    streams = Streams(context.spec.seed, context.index)
    rng = streams.rng(Stream.GATE_AUDIT)
    rows = rng.choice(num_rejects, size=size, replace=False)
    return set(rows.tolist())


def overrulable_rejects(context: Round, candidate_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Ids and reasons of what the gate refused and DFT may overrule, in the order of ids."""
    fields = ("candidate_id", "surrogate.reason")
    found = context.store.candidate_fields(
        context.campaign_id, fields, round_index=context.index, surrogate={"$ne": None}
    )
    screened = set(candidate_ids)
    rejects = []
    for document in found:
        key = document["candidate_id"]
        verdict = StoredVerdict.of(document["surrogate"])
        reason = verdict.reason
        if key in screened and reason is not None and reason in OVERRULABLE:
            rejects.append((key, reason))
    return rejects


def finish_screen(context: Round, candidate_ids: Sequence[str]) -> StageCount:
    """Draw the audit and count the stage, once all chunks are through."""
    if context.spec.learning.gate_audit and not context.spec.screening.surrogate.only_marks:
        draw_audit(context, candidate_ids)
    store, campaign_id = context.store, context.campaign_id
    # A chunk that was killed may have moved a candidate without telling the tally.
    store.follow_unfinished(campaign_id, context.index)
    states = store.tally.states(campaign_id, context.index)
    reasons = []
    for key in sorted(candidate_ids):
        state = State.parse(states[key])
        reasons.append(state.rejection)
    progress = context.document.progress
    if progress.get("stage") == "screen":
        elapsed = now() - progress["since"]
        context.update(**{"seconds.screen": elapsed.total_seconds()})
    return stage_count("surrogate", reasons)
