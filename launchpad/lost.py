"""Lost runs: fireworks whose worker died are run again, and its half-finished writes are completed.

A worker of `gen2dft run` names itself `host/pid/stamp`, so its death is noticed at once on its own
machine. Any other worker (rlaunch on a cluster) counts as lost after a long silence.
"""

from __future__ import annotations

import os
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gen2dft.engines.base import LOST_RUN_TAG
from gen2dft.store.processes import process_stamp

if TYPE_CHECKING:
    from fireworks import LaunchPad

    from gen2dft.store.store import Store

LOCK_SECONDS = 10.0  # a living worker holds the lock of a workflow for a fraction of a second
INSERT_SECONDS = 2.0
RESERVED_SECONDS = 30.0  # as long as checking a firework out takes at the very most
CLAIM_SECONDS = 60.0
RECOVERY_SECONDS = 60.0


def worker_name() -> str:
    """Name of this process as a FireWorks worker."""
    return f"{socket.gethostname()}/{os.getpid()}/{process_stamp(os.getpid())}"


def recover_lost_runs(lpad: LaunchPad, *, expiration_secs: float | None = None) -> list[int]:
    """Make fireworks ready again whose worker is gone.

    Parameters
    ----------
    expiration_secs
        Seconds without a heartbeat after which a worker that is not of this machine counts as
        gone; must exceed the workers' PING_TIME_SECS. Default: FireWorks' RUN_EXPIRATION_SECS.

    Returns
    -------
    Ids of the fireworks that will run again.
    """
    _free_stuck_workflows(lpad)
    lost = lost_runs(lpad, expiration_secs=expiration_secs)
    again = [launch["fw_id"] for launch in lost if _rerun(lpad, launch)]
    _complete_unfinished(lpad)
    return again + _release_reserved(lpad)


def recover_now_and_then(store: Store, lpad: LaunchPad, campaign_id: str) -> list[int]:
    """Recover lost runs if nobody has done so for a minute: workers of a campaign look after each
    other.

    FireWorks' settings say how often workers send a heartbeat, and after how long a silence a run
    counts as lost.
    """
    moment = datetime.now(UTC)
    before = moment - timedelta(seconds=RECOVERY_SECONDS)
    due = {"$or": [{"recovered": None}, {"recovered": {"$lt": before}}]}
    # One update that looks and claims: of several workers one recovers.
    claim = {"$set": {"recovered": moment}}
    claimed = store.database.campaigns.update_one({"_id": campaign_id, **due}, claim)
    if not claimed.modified_count:
        return []
    return recover_lost_runs(lpad)


def lost_runs(lpad: LaunchPad, *, expiration_secs: float | None = None) -> list[dict[str, Any]]:
    """Running launches whose worker is gone; changes nothing.

    `expiration_secs` as for `recover_lost_runs`.
    """
    if expiration_secs is None:
        from fireworks.fw_config import RUN_EXPIRATION_SECS

        expiration_secs = float(RUN_EXPIRATION_SECS)
    fields = {"launch_id": 1, "fw_id": 1, "fworker.name": 1, "state_history": 1}
    running = lpad.launches.find({"state": "RUNNING"}, fields)
    return [launch for launch in running if is_lost(launch, expiration_secs)]


def is_lost(launch: dict[str, Any], expiration_secs: float) -> bool:
    """Whether the worker of a running launch is gone."""
    place, _, stamp = launch["fworker"]["name"].rpartition("/")
    host, _, process = place.partition("/")
    if host == socket.gethostname() and process.isdigit():
        # Another stamp: the number is now that of another process.
        return process_stamp(int(process)) != stamp
    history = [entry for entry in launch["state_history"] if entry["state"] == "RUNNING"]
    last_sign = max(utc_moment(entry["updated_on"]) for entry in history)
    silence = datetime.now(UTC) - last_sign
    return silence > timedelta(seconds=expiration_secs)


def utc_moment(value: str | datetime) -> datetime:
    """FireWorks writes times as texts and as dates, all in UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _rerun(lpad: LaunchPad, launch: dict[str, Any]) -> bool:
    """Make the firework of a lost launch ready.

    False if somebody else is at it, or it is not to run again.

    Unlike `lpad detect_lostruns` the firework is never FIZZLED on the way, which would let children
    that allow fizzled parents run.
    """
    now = datetime.now(UTC)
    abandoned = {"$lt": now - timedelta(seconds=CLAIM_SECONDS)}
    free = {"$or": [{"recovering": {"$exists": False}}, {"recovering": abandoned}]}
    place = {"launch_id": launch["launch_id"], "state": "RUNNING"}
    claimed = lpad.launches.update_one({**place, **free}, {"$set": {"recovering": now}})
    if not claimed.modified_count:
        return False
    holder = {
        "fw_id": launch["fw_id"],
        "launches": launch["launch_id"],
        "state": {"$in": ["RUNNING", "RESERVED"]},
    }
    closed = lpad.get_launch_by_id(launch["launch_id"])
    rerun = bool(lpad.fireworks.find_one(holder, {"fw_id": 1}))
    if rerun:
        _remember(lpad, launch["fw_id"], closed.launch_dir)
        rerun = bool(lpad.rerun_fw(launch["fw_id"]))
    closed.state = "FIZZLED"
    lpad.launches.find_one_and_replace(place, closed.to_db_dict())
    return rerun


def _remember(lpad: LaunchPad, fw_id: int, folder: str) -> None:
    """Tell a calculation, by a tag of its job, where its lost run left its files: it may go on from
    there.
    """
    calculation = {"fw_id": fw_id, "spec.gen2dft.stage": "validate"}
    lpad.fireworks.update_one(calculation, {"$push": {"spec.tags": f"{LOST_RUN_TAG}{folder}"}})


def _release_reserved(lpad: LaunchPad) -> list[int]:
    """Make fireworks ready that a worker had reserved when it died, before it wrote a launch."""
    before = datetime.now(UTC) - timedelta(seconds=RESERVED_SECONDS)
    reserved = {"state": "RESERVED", "launches": []}
    released = []
    for firework in lpad.fireworks.find(reserved, {"fw_id": 1, "updated_on": 1}):
        if utc_moment(firework["updated_on"]) >= before:
            continue
        still_reserved = {"_id": firework["_id"], **reserved}
        changed = lpad.fireworks.update_one(still_reserved, {"$set": {"state": "READY"}})
        if changed.modified_count:
            released.append(firework["fw_id"])
    return released


def _complete_unfinished(lpad: LaunchPad) -> None:
    """Update workflows whose worker died between writing the launch and the workflow."""
    for firework in lpad.fireworks.find({"state": "RUNNING"}, {"fw_id": 1, "launches": 1}):
        of_it = {"launch_id": {"$in": firework["launches"]}}
        states = lpad.launches.distinct("state", of_it)
        if states and "RUNNING" not in states:
            # A living worker may be at this very step; the workflow's lock lets one of the two do
            # it.
            lpad._refresh_wf(firework["fw_id"])  # noqa: SLF001 - what `lpad admin refresh` calls


def _free_stuck_workflows(lpad: LaunchPad) -> None:
    """Unlock workflows whose lock was held by a worker that died, and complete its writes."""
    stuck = {workflow["_id"]: workflow for workflow in lpad.workflows.find({"locked": True})}
    deadline = time.monotonic() + LOCK_SECONDS
    while stuck and time.monotonic() < deadline:
        time.sleep(0.2)
        stuck = _still_locked(lpad, stuck)
    for key, workflow in stuck.items():
        locked = {"_id": key, "locked": True}
        freed = lpad.workflows.update_one(locked, {"$unset": {"locked": ""}})
        if freed.modified_count:
            _repeat_last_write(lpad, workflow)


def _still_locked(lpad: LaunchPad, before: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Those of the locked workflows that nobody has unlocked or written to since."""
    same: dict[Any, dict[str, Any]] = {}
    for workflow in lpad.workflows.find({"locked": True, "_id": {"$in": list(before)}}):
        key = workflow["_id"]
        if workflow["updated_on"] == before[key]["updated_on"]:
            same[key] = workflow
    return same


def _repeat_last_write(lpad: LaunchPad, workflow: dict[str, Any]) -> None:
    """Repeat writes that did not reach the workflow: FireWorks writes its fireworks first."""
    of_it = {"fw_id": {"$in": workflow["nodes"]}}
    for firework in lpad.fireworks.find(of_it, {"fw_id": 1, "state": 1}):
        written = workflow["fw_states"].get(str(firework["fw_id"]))
        if firework["state"] == "COMPLETED" and written != "COMPLETED":
            # As if just about to complete: then its detours are inserted.
            lpad.fireworks.update_one({"_id": firework["_id"]}, {"$set": {"state": "RUNNING"}})
            lpad._refresh_wf(firework["fw_id"])  # noqa: SLF001
    _delete_unlisted(lpad, {"fw_id": {"$gt": max(workflow["nodes"])}})


def _delete_unlisted(lpad: LaunchPad, query: dict[str, Any]) -> None:
    """Delete fireworks that no workflow lists: nothing could ever complete them."""
    unlisted = {firework["fw_id"] for firework in lpad.fireworks.find(query, {"fw_id": 1})}
    for _ in range(2):  # fireworks that a living worker is inserting now are listed a moment later
        listing = {"nodes": {"$in": list(unlisted)}}
        unlisted -= set(lpad.workflows.distinct("nodes", listing))
        if not unlisted:
            return
        time.sleep(INSERT_SECONDS)
    lpad.fireworks.delete_many({"fw_id": {"$in": list(unlisted)}})
