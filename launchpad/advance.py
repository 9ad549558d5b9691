"""Advance a campaign: insert the fireworks it is ready for, close rounds, complete the work of dead
workers.

Safe to call at any time from anywhere: the database says what is done, and one caller at a time
holds the lease.
"""

from __future__ import annotations

import bisect
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gen2dft.errors import StoreError
from gen2dft.rounds.close import is_late, may_close, try_close
from gen2dft.rounds.round import Round

if TYPE_CHECKING:
    from fireworks import LaunchPad

    from gen2dft.store.documents import RoundDoc
    from gen2dft.store.store import Store

LEASE_SECONDS = 60
# Candidates of a campaign that wait in the queue at a time. The embedded database reads them all at
# each launch: 20,000 made it 10 s. Whoever finishes a candidate tops the queue up once it is half
# empty.
IN_QUEUE = 500
BULK = 500  # fireworks in memory at a time


def advance(store: Store, lpad: LaunchPad, campaign_id: str) -> list[str]:
    """Take every step that the campaign is ready for.

    Returns
    -------
    What was done, one line each; empty when the campaign is finished, paused, or waits for running
    work.
    """
    done: list[str] = []
    while _is_ready(store, campaign_id):
        with _lease(store, campaign_id):
            steps = _step(store, lpad, campaign_id)
        if not steps:
            break
        done += steps
    return done


def _is_ready(store: Store, campaign_id: str) -> bool:
    """A cheap look before the lease: most callers find nothing to do."""
    if store.campaign(campaign_id).state != "running":
        return False
    context = _latest_round(store, campaign_id)
    document = context.document
    if document.state != "validating":
        return True
    return _has_room(context, document) or _may_close(context, document)


def _latest_round(store: Store, campaign_id: str) -> Round:
    newest = store.rounds(campaign_id)[-1]
    return Round(store, campaign_id, newest.index)


def _step(store: Store, lpad: LaunchPad, campaign_id: str) -> list[str]:
    """One step of the newest round; no lines if there was nothing to do."""
    if store.campaign(campaign_id).state != "running":
        return []
    context = _latest_round(store, campaign_id)
    document = context.document
    if document.state == "proposing":
        return _submit_round(context, lpad)
    if _has_room(context, document):
        return _dispatch(context, lpad)
    if (document.state == "closed" or _may_close(context, document)) and try_close(context):
        return [f"closed round {context.index}"]
    # A closed round whose closer died before going on: try_close went on, so a newer round or the
    # end is there now.
    stuck = document.state == "closed" and _latest_round(store, campaign_id).index > context.index
    return [f"began round {context.index + 1}"] if stuck else []


def _submit_round(context: Round, lpad: LaunchPad) -> list[str]:
    """Insert the round's flow unless it is there."""
    from gen2dft.flows.rounds import RoundMaker
    from gen2dft.launchpad.convert import campaign_workflow

    query = {"spec.gen2dft.campaign_id": context.campaign_id, "spec.gen2dft.round": context.index}
    if lpad.fireworks.find_one(query, {"fw_id": 1}):
        return []
    flow = RoundMaker().make(context)
    lpad.add_wf(campaign_workflow(flow, context.campaign_id))
    return [f"submitted round {context.index}"]


def _may_close(context: Round, document: RoundDoc) -> bool:
    """Whether a round's quorum or deadline is reached.

    While candidates have no firework, only the deadline counts.
    """
    if document.dispatch_complete:
        return may_close(context, document)
    return is_late(context, document)


def _has_room(context: Round, document: RoundDoc) -> bool:
    """Whether candidates may go into the queue."""
    if document.state != "validating" or document.dispatch_complete:
        return False
    in_queue, _ = _queued(context, document)
    return len(in_queue) <= IN_QUEUE // 2


def _queued(context: Round, document: RoundDoc) -> tuple[list[str], list[str]]:
    """Candidates that nobody works on yet: those whose turn to get a firework has been, and the
    others, in order.
    """
    states = context.store.tally.states(context.campaign_id, context.index)
    queued = sorted(key for key, state in states.items() if state == "queued")
    place = bisect.bisect_right(queued, document.dispatched_to)
    return queued[:place], queued[place:]


def _dispatch(context: Round, lpad: LaunchPad) -> list[str]:
    """Fill the queue: insert one light firework for each of the next candidates that has none yet.

    A firework that has run counts no more: it found the campaign paused, and its candidate is still
    queued.
    """
    from gen2dft.launchpad.convert import candidate_workflow

    if context.spec.validates_elsewhere:
        return _leave_to_others(context)
    in_queue, waiting = _queued(context, context.document)
    room = max(0, min(BULK, IN_QUEUE - len(in_queue)))
    portion = waiting[:room]
    place = {
        "spec.gen2dft.candidate_id": {"$in": portion},
        "spec.gen2dft.campaign_id": context.campaign_id,
        "state": {"$nin": ["COMPLETED", "ARCHIVED"]},
    }
    known = set(lpad.fireworks.distinct("spec.gen2dft.candidate_id", place))
    missing = [key for key in portion if key not in known]
    if missing:
        lpad.bulk_add_wfs([candidate_workflow(context, key) for key in missing])
    is_complete = len(portion) == len(waiting)
    context.update(dispatched_to=max(portion, default=""), dispatch_complete=is_complete)
    return [f"dispatched {len(missing)} candidates of round {context.index}"]


def _leave_to_others(context: Round) -> list[str]:
    """Insert nothing: the results of this campaign are told."""
    context.update(dispatch_complete=True)
    number = context.document.dispatch_size
    return [f"{number} candidates of round {context.index} wait to be asked for: gen2dft ask"]


def waits_for_answers(store: Store, campaign_id: str) -> bool:
    """Whether a campaign can go on only once results are told."""
    context = _latest_round(store, campaign_id)
    document = context.document
    is_asking = document.state == "validating" and document.dispatch_complete
    return is_asking and context.spec.validates_elsewhere and not may_close(context, document)


def _owner() -> str:
    return f"{socket.gethostname()}/{os.getpid()}"


@contextmanager
def _lease(store: Store, campaign_id: str) -> Iterator[None]:
    """Hold the campaign's lease; one that a dead holder left runs out by itself."""
    deadline = time.monotonic() + 3 * LEASE_SECONDS
    while not store.take_lease(campaign_id, _owner(), LEASE_SECONDS):
        if time.monotonic() > deadline:
            holder = store.campaign(campaign_id).lease
            raise StoreError(
                f"campaign {campaign_id} is being advanced by {holder}; try `gen2dft advance` "
                "again later"
            )
        time.sleep(0.2)
    try:
        yield
    finally:
        store.release_lease(campaign_id, _owner())
