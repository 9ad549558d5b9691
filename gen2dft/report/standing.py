"""Where campaigns stand, in a few numbers and words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gen2dft.report.wording import as_utc, words
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
    """Where one campaign stands, in a few numbers; rounds count from 0 as in the database."""
    rounds = store.rounds(document.id)
    candidates = stems(store.state_counts(document.id))
    return {
        "id": document.id,
        "name": document.name,
        "state": document.state,
        "stop_reason": document.stop_reason,
        "created": document.created,
        "rounds": len(rounds),
        "rounds_at_most": document.spec["learning"]["rounds"],
        "progress": rounds[-1].progress if rounds else {},
        "hits": candidates.get("hit", 0),
        "candidates": candidates,
    }


def stage_progress(store: Store, document: RoundDoc) -> tuple[str, int, int]:
    """Stage of a round, units done and units in all.

    Validation is counted from the candidates themselves.
    """
    if document.state == "validating":
        size = document.dispatch_size
        return "validate", size - store.count_open(document.campaign_id, document.index), size
    stage = str(document.progress.get("stage") or "waiting")
    return stage, int(document.progress.get("done") or 0), int(document.progress.get("total") or 0)


def seconds_left(store: Store, document: RoundDoc, moment: datetime) -> float | None:
    """Seconds until the stage under way ends, at its mean pace so far; None while unknown."""
    _, done, total = stage_progress(store, document)
    begun = (
        document.dispatched if document.state == "validating" else document.progress.get("since")
    )
    if document.state == "closed" or not isinstance(begun, datetime) or not 0 < done < total:
        return None
    return (moment - as_utc(begun)).total_seconds() / done * (total - done)


def stage_text(store: Store, document: RoundDoc) -> str:
    """What a round is at: `train 12/60 loss 0.31`."""
    if document.state == "closed":
        return "next round"
    stage, done, total = stage_progress(store, document)
    message = str(document.progress.get("message") or "") if document.state == "proposing" else ""
    return " ".join(
        part for part in (words(stage), f"{done}/{total}" if total else "", message) if part
    )
