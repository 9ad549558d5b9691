"""State and progress of campaigns, in a few numbers and words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gen2dft.report.wording import as_utc, evidence_counts, words
from gen2dft.store.states import State

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc, RoundDoc
    from gen2dft.store.store import Store


def stems(counts: Mapping[str, int]) -> dict[str, int]:
    """Candidates per state without the reasons."""
    total: dict[str, int] = {}
    for text, count in counts.items():
        kind = State.parse(text).kind.value
        total[kind] = total.get(kind, 0) + count
    return total


def summary(store: Store, document: CampaignDoc) -> dict[str, Any]:
    """State of one campaign in a few numbers; rounds count from 0 as in the database."""
    rounds = store.rounds(document.id)
    counts = store.state_counts(document.id)
    candidates = stems(counts)
    progress = rounds[-1].progress if rounds else {}
    return {
        "id": document.id,
        "name": document.name,
        "state": document.state,
        "stop_reason": document.stop_reason,
        "created": document.created,
        "rounds": len(rounds),
        "rounds_at_most": document.spec["learning"]["rounds"],
        "progress": progress,
        "hits": candidates.get("hit", 0),
        "hits_by_evidence": evidence_counts(store.hit_evidence(document.id)),
        "candidates": candidates,
    }


def stage_progress(store: Store, document: RoundDoc) -> tuple[str, int, int]:
    """Stage of a round, units done and units in all.

    Validation is counted from the candidates themselves.
    """
    if document.state == "validating":
        size = document.dispatch_size
        still_open = store.count_open(document.campaign_id, document.index)
        return "validate", size - still_open, size
    progress = document.progress
    stage = str(progress.get("stage") or "waiting")
    done = int(progress.get("done") or 0)
    total = int(progress.get("total") or 0)
    return stage, done, total


def seconds_left(store: Store, document: RoundDoc, moment: datetime) -> float | None:
    """Seconds until the current stage ends, at its mean pace so far; None while unknown."""
    is_validating = document.state == "validating"
    begun = document.dispatched if is_validating else document.progress.get("since")
    if document.state == "closed" or not isinstance(begun, datetime):
        return None
    _, done, total = stage_progress(store, document)
    # Without a unit done there is no pace yet; with all done the next stage is about to begin.
    if not 0 < done < total:
        return None
    spent = moment - as_utc(begun)
    return spent.total_seconds() / done * (total - done)


def stage_text(store: Store, document: RoundDoc) -> str:
    """Current stage of a round: `train 12/60 loss 0.31`."""
    if document.state == "closed":
        return "next round"
    return " ".join(_parts_of_stage(store, document))


def _parts_of_stage(store: Store, document: RoundDoc) -> Iterator[str]:
    stage, done, total = stage_progress(store, document)
    yield words(stage)
    if total:
        yield f"{done}/{total}"
    # Messages come from proposing; in a later state the last one is out of date.
    message = document.progress.get("message")
    if message and document.state == "proposing":
        yield str(message)


def learnt_text(document: RoundDoc) -> str:
    """What a round's first source learnt from: crystals, and labels by property; empty before it
    is trained.
    """
    counts = document.training.get("num_labels", {})
    if not counts:
        return ""
    crystals = document.training.get("num_train", 0) + document.training.get("num_heldout", 0)
    labels = ", ".join(f"{words(name)} {count:,}" for name, count in counts.items())
    return f"learnt from {crystals:,} crystals; labels: {labels}"
