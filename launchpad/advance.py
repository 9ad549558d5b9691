"""Carry a campaign on: insert the fireworks it is ready for, close rounds, repair what a dead worker left.

Safe to call at any time from anywhere: the database says what is done, and one caller at a time holds the lease.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from gen2dft.errors import StoreError
from gen2dft.rounds.close import try_close
from gen2dft.rounds.context import RoundContext
from gen2dft.store.documents import now

if TYPE_CHECKING:
    from fireworks import LaunchPad

    from gen2dft.store.store import Store

LEASE_SECONDS = 60
BULK = 500


def advance(store: Store, lpad: LaunchPad, campaign_id: str) -> list[str]:
    """Do all that the campaign is ready for.

    Returns
    -------
    What was done, one line each; empty when the campaign is finished, paused, or waits for running work.
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
    document = context.round
    if document.state != "validating" or not document.dispatch_complete:
        return True
    from gen2dft.rounds.close import may_close

    return may_close(context, document)


def _latest_round(store: Store, campaign_id: str) -> RoundContext:
    return RoundContext(store, campaign_id, store.rounds(campaign_id)[-1].index)


def _step(store: Store, lpad: LaunchPad, campaign_id: str) -> list[str]:
    """One step of the newest round; no lines if there was nothing to do."""
    if store.campaign(campaign_id).state != "running":
        return []
    context = _latest_round(store, campaign_id)
    document = context.round
    if document.state == "proposing":
        return _submit_round(context, lpad)
    if document.state == "validating" and not document.dispatch_complete:
        return _dispatch(context, lpad)
    if try_close(context):
        return [f"closed round {context.index}"]
    # A closed round whose closer died before going on: try_close went on, so a newer round or the end is there now.
    stuck = document.state == "closed" and _latest_round(store, campaign_id).index > context.index
    return [f"began round {context.index + 1}"] if stuck else []


def _submit_round(context: RoundContext, lpad: LaunchPad) -> list[str]:
    """Insert the round's flow unless it is there."""
    from gen2dft.flows.rounds import RoundMaker
    from gen2dft.launchpad.convert import campaign_workflow

    query = {"spec.gen2dft.campaign_id": context.campaign_id, "spec.gen2dft.round": context.index}
    if lpad.fireworks.find_one(query, {"fw_id": 1}):
        return []
    lpad.add_wf(campaign_workflow(RoundMaker().make(context), context.campaign_id))
    return [f"submitted round {context.index}"]


def _dispatch(context: RoundContext, lpad: LaunchPad) -> list[str]:
    """Insert one light firework for every queued candidate that has none yet, in bulk.

    A firework that has run counts no more: it found the campaign paused, and its candidate is still queued.
    """
    from gen2dft.launchpad.convert import candidate_workflow

    place = {"spec.gen2dft.campaign_id": context.campaign_id, "spec.gen2dft.round": context.index}
    place["state"] = {"$nin": ["COMPLETED", "ARCHIVED"]}
    known = set(lpad.fireworks.distinct("spec.gen2dft.candidate_id", place))
    fields = ("candidate_id",)  # without the structures' weight
    queued = context.store.candidate_fields(context.campaign_id, fields, round_index=context.index, state="queued")
    waiting = [doc["candidate_id"] for doc in queued if doc["candidate_id"] not in known]
    for start in range(0, len(waiting), BULK):
        lpad.bulk_add_wfs([candidate_workflow(context, key) for key in waiting[start : start + BULK]])
        _renew_lease(context.store, context.campaign_id)
    context.update(dispatch_complete=True)
    return [f"dispatched {len(waiting)} candidates of round {context.index}"]


def _owner() -> str:
    return f"{socket.gethostname()}/{os.getpid()}"


@contextmanager
def _lease(store: Store, campaign_id: str) -> Iterator[None]:
    """Hold the campaign's lease; one that a dead holder left runs out by itself."""
    deadline = time.monotonic() + 3 * LEASE_SECONDS
    while not _take_lease(store, campaign_id):
        if time.monotonic() > deadline:
            holder = store.campaign(campaign_id).lease
            raise StoreError(f"campaign {campaign_id} is being advanced by {holder}; try `gen2dft advance` again later")
        time.sleep(0.2)
    try:
        yield
    finally:
        store.database.campaigns.update_one({"_id": campaign_id, "lease.owner": _owner()}, {"$set": {"lease": {}}})


def _take_lease(store: Store, campaign_id: str) -> bool:
    free = {"$or": [{"lease": {}}, {"lease.until": {"$lt": now()}}]}
    lease = {"owner": _owner(), "until": now() + timedelta(seconds=LEASE_SECONDS)}
    result = store.database.campaigns.update_one({"_id": campaign_id, **free}, {"$set": {"lease": lease}})
    return bool(result.modified_count)


def _renew_lease(store: Store, campaign_id: str) -> None:
    until = now() + timedelta(seconds=LEASE_SECONDS)
    store.database.campaigns.update_one({"_id": campaign_id, "lease.owner": _owner()}, {"$set": {"lease.until": until}})
