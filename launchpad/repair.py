"""Repair a campaign after workers died: retry crashed steps, give candidates up, advance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gen2dft.launchpad.advance import advance
from gen2dft.launchpad.resume import resume

from gen2dft.rounds.ingest import give_up
from gen2dft.rounds.round import Round

if TYPE_CHECKING:
    from fireworks import LaunchPad

    from gen2dft.store.store import Store


def repair(store: Store, lpad: LaunchPad, campaign_id: str, *, retry: bool = False) -> list[str]:
    """Try crashed fireworks of a campaign again, or close their candidates.

    Then carry the campaign on.

    Parameters
    ----------
    retry
        Also try again the steps of a round (train, propose, screen, select) that crashed, and
        resume a campaign that is paused; without it they stay as they are, since they would fail
        again for the same reason.

    Returns
    -------
    What was done, one line each.
    """
    mended = store.tally.recount(campaign_id)
    done = [f"counted {mended} candidates anew"] if mended else []
    done += resume(store, lpad, campaign_id) if retry else []
    query = {"spec.gen2dft.campaign_id": campaign_id, "state": "FIZZLED"}
    fields = {"fw_id": 1, "name": 1, "spec.gen2dft": 1, "launches": 1, "archived_launches": 1}
    for firework in lpad.fireworks.find(query, fields):
        place: dict[str, Any] = firework["spec"]["gen2dft"]
        context = Round(store, campaign_id, place["round"])
        if "candidate_id" in place:
            done += _repair_candidate(context, lpad, firework, place["candidate_id"])
        elif retry:
            lpad.rerun_fw(firework["fw_id"])
            done.append(f"trying {firework['name']} of round {place['round']} again")
    return done + advance(store, lpad, campaign_id)


def _repair_candidate(
    context: Round, lpad: LaunchPad, firework: dict[str, Any], candidate_id: str
) -> list[str]:
    """Try the crashed firework of a candidate again, or give the candidate up.

    A candidate that was ingested nevertheless is left alone.
    """
    candidate = context.store.candidate(context.campaign_id, candidate_id)
    if not candidate.standing.is_open:
        return []
    attempts = len(firework.get("launches", [])) + len(firework.get("archived_launches", []))
    if attempts < context.spec.validation.attempts:
        lpad.rerun_fw(firework["fw_id"])
        return [f"trying candidate {candidate_id} again"]
    detail = f"firework {firework['fw_id']} ({firework['name']}) crashed"
    give_up(context, candidate_id, "calculation_crashed", detail)
    return [f"gave candidate {candidate_id} up: its calculation crashed"]


def is_idle(lpad: LaunchPad, campaign_id: str) -> bool:
    """Whether no firework of a campaign runs or could run: then whatever is still open needs
    repair.
    """
    query = {
        "spec.gen2dft.campaign_id": campaign_id,
        "state": {"$in": ["READY", "RESERVED", "RUNNING"]},
    }
    return lpad.fireworks.find_one(query, {"fw_id": 1}) is None


def crashed_steps(lpad: LaunchPad, campaign_id: str) -> list[tuple[str, str]]:
    """Steps of a round that crashed and hold the campaign up: the step's name and the last line of
    its error.
    """
    query = {
        "state": "FIZZLED",
        "spec.gen2dft.campaign_id": campaign_id,
        "spec.gen2dft.candidate_id": {"$exists": False},
    }
    found = []
    for firework in lpad.fireworks.find(query, {"fw_id": 1, "name": 1}):
        error = last_words(lpad, firework["fw_id"])
        found.append((firework["name"], error))
    return found


def last_words(lpad: LaunchPad, fw_id: int) -> str:
    """The last line of the error that a firework crashed with."""
    launch = lpad.get_fw_by_id(fw_id).launches[-1]
    stored = launch.action.stored_data if launch.action else {}
    exception = stored.get("_exception", {})
    trace = exception.get("_stacktrace", "no message was kept")
    lines = trace.strip().splitlines()
    return str(lines[-1])
