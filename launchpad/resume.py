"""Resume a campaign that the circuit breaker has paused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2dft.rounds.round import Round

if TYPE_CHECKING:
    from fireworks import LaunchPad

    from gen2dft.store.store import Store


def resume(store: Store, lpad: LaunchPad, campaign_id: str) -> list[str]:
    """Queue again the candidates that the engine failed for, and let the campaign run on.

    No lines if it is not paused.

    The campaign runs again only after all else is done, so that a caller that was killed leaves it
    paused.
    """
    if store.campaign(campaign_id).state != "paused":
        return []
    context = Round(store, campaign_id, store.rounds(campaign_id)[-1].index)
    suspects = context.document.suspects
    again = [candidate for candidate in suspects if _reopen(context, lpad, candidate)]
    context.update(suspects=[], dispatched_to="", dispatch_complete=False)
    store.resume_campaign(campaign_id)
    return [f"resumed; {len(again)} candidates are queued again"]


def _reopen(context: Round, lpad: LaunchPad, candidate_id: str) -> bool:
    """Queue one candidate again.

    Its old fireworks are archived, so that nobody tries them again too.
    """
    place = {
        "spec.gen2dft.campaign_id": context.campaign_id,
        "spec.gen2dft.candidate_id": candidate_id,
    }
    for fw_id in lpad.fireworks.distinct("fw_id", {**place, "state": {"$ne": "ARCHIVED"}}):
        lpad.archive_wf(fw_id)  # with all fireworks of its workflow; again does nothing
    return context.store.reopen_candidate(context.campaign_id, candidate_id)
