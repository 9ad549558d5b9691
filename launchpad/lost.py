"""Lost runs: fireworks whose worker died are run again, and what it left half-written is put right.

A worker of `gen2dft run` names itself `host/pid/stamp`, so its death is noticed at once on its own
machine. Of any other worker (rlaunch on a cluster) only the age of its last sign of life tells.
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
        Seconds without a sign of life after which a worker that is not of this machine counts as
        gone; must exceed the workers' PING_TIME_SECS. Default: FireWorks' RUN_EXPIRATION_SECS.

    Returns
    -------
    Ids of the fireworks that will run again.
    """
    _free_stuck_workflows(lpad)
    again = [
        launch["fw_id"]
        for launch in lost_runs(lpad, expiration_secs=expiration_secs)
        if _rerun(lpad, launch)
    ]
    _complete_unfinished(lpad)
    return again + _release_reserved(lpad)


def recover_now_and_then(store: Store, lpad: LaunchPad, campaign_id: str) -> list[int]:
    """Recover lost runs if nobody has done so for a minute: who works on a campaign looks after the
    others.

    After how long without a sign of life a run is lost say FireWorks' settings, which say as well
    how often workers give one.
    """
    moment = datetime.now(UTC)
    due = {
        "$or": [
            {"recovered": None},
            {"recovered": {"$lt": moment - timedelta(seconds=RECOVERY_SECONDS)}},
        ]
    }
    claimed = store.database.campaigns.update_one(
        {"_id": campaign_id, **due}, {"$set": {"recovered": moment}}
    )
    return recover_lost_runs(lpad) if claimed.modified_count else []


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
    host, _, process = launch["fworker"]["name"].rpartition("/")[0].partition("/")
    if host == socket.gethostname() and process.isdigit():
        return process_stamp(int(process)) != launch["fworker"]["name"].rpartition("/")[2]
    last_sign = max(
        _moment(entry["updated_on"])
        for entry in launch["state_history"]
        if entry["state"] == "RUNNING"
    )
    return last_sign < datetime.now(UTC) - timedelta(seconds=expiration_secs)


def _moment(value: str | datetime) -> datetime:
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
    if not lpad.launches.update_one(
        {**place, **free}, {"$set": {"recovering": now}}
    ).modified_count:
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
    released = []
    for firework in lpad.fireworks.find(
        {"state": "RESERVED", "launches": []}, {"fw_id": 1, "updated_on": 1}
    ):
        if _moment(firework["updated_on"]) < before:
            changed = lpad.fireworks.update_one(
                {"_id": firework["_id"], "state": "RESERVED", "launches": []},
                {"$set": {"state": "READY"}},
            )
            released += [firework["fw_id"]] * changed.modified_count
    return released


def _complete_unfinished(lpad: LaunchPad) -> None:
    """Carry out what launches decided whose worker died between writing the launch and the
    workflow.
    """
    for firework in lpad.fireworks.find({"state": "RUNNING"}, {"fw_id": 1, "launches": 1}):
        states = lpad.launches.distinct("state", {"launch_id": {"$in": firework["launches"]}})
        if states and "RUNNING" not in states:
            # A living worker may be at this very step; the workflow's lock lets one of the two do
            # it.
            lpad._refresh_wf(firework["fw_id"])  # noqa: SLF001 - what `lpad admin refresh` calls


def _free_stuck_workflows(lpad: LaunchPad) -> None:
    """Unlock workflows whose lock was held by a worker that died, and finish what it had begun to
    write.
    """
    stuck = {doc["_id"]: doc for doc in lpad.workflows.find({"locked": True})}
    deadline = time.monotonic() + LOCK_SECONDS
    while stuck and time.monotonic() < deadline:
        time.sleep(0.2)
        now_locked = {
            doc["_id"]: doc
            for doc in lpad.workflows.find({"locked": True, "_id": {"$in": list(stuck)}})
        }
        stuck = {
            key: doc
            for key, doc in now_locked.items()
            if doc["updated_on"] == stuck[key]["updated_on"]
        }
    for key, workflow in stuck.items():
        if lpad.workflows.update_one(
            {"_id": key, "locked": True}, {"$unset": {"locked": ""}}
        ).modified_count:
            _repeat_last_write(lpad, workflow)


def _repeat_last_write(lpad: LaunchPad, workflow: dict[str, Any]) -> None:
    """FireWorks writes the fireworks of a workflow first and the workflow last: do again what did
    not get that far.
    """
    for firework in lpad.fireworks.find(
        {"fw_id": {"$in": workflow["nodes"]}}, {"fw_id": 1, "state": 1}
    ):
        if firework["state"] == "COMPLETED" != workflow["fw_states"].get(str(firework["fw_id"])):
            # As if just about to complete: then its detours are inserted.
            lpad.fireworks.update_one({"_id": firework["_id"]}, {"$set": {"state": "RUNNING"}})
            lpad._refresh_wf(firework["fw_id"])  # noqa: SLF001
    _delete_unlisted(lpad, {"fw_id": {"$gt": max(workflow["nodes"])}})


def _delete_unlisted(lpad: LaunchPad, query: dict[str, Any]) -> None:
    """Delete fireworks that no workflow lists: nothing could ever complete them."""
    unlisted = {firework["fw_id"] for firework in lpad.fireworks.find(query, {"fw_id": 1})}
    for _ in range(2):  # what a living worker is inserting now is listed a moment later
        unlisted -= set(lpad.workflows.distinct("nodes", {"nodes": {"$in": list(unlisted)}}))
        if not unlisted:
            return
        time.sleep(INSERT_SECONDS)
    lpad.fireworks.delete_many({"fw_id": {"$in": list(unlisted)}})
