"""The fireworks of a campaign that run at this moment, for those who watch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gen2dft.launchpad.lost import utc_moment

if TYPE_CHECKING:
    from fireworks import LaunchPad


@dataclass(frozen=True)
class Running:
    """A firework that a worker is at.

    Parameters
    ----------
    name
        Of the job, such as `gpaw relax`.
    candidate_id
        Whom it is about; None for a step of the whole round.
    since
        When it began, UTC.
    """

    name: str
    candidate_id: str | None
    since: datetime


def running(lpad: LaunchPad, campaign_id: str) -> list[Running]:
    """What runs of a campaign, the longest at work first."""
    query = {"spec.gen2dft.campaign_id": campaign_id, "state": "RUNNING"}
    fields = {"fw_id": 1, "name": 1, "spec.gen2dft": 1}
    fireworks = {found["fw_id"]: found for found in lpad.fireworks.find(query, fields)}
    launches = lpad.launches.find(
        {"fw_id": {"$in": list(fireworks)}, "state": "RUNNING"}, {"fw_id": 1, "state_history": 1}
    )
    found = []
    for launch in launches:
        firework = fireworks[launch["fw_id"]]
        place = firework["spec"]["gen2dft"]
        since = _begun(launch["state_history"])
        found.append(Running(firework["name"], place.get("candidate_id"), since))
    return sorted(found, key=lambda run: run.since)


def _begun(history: list[Mapping[str, Any]]) -> datetime:
    """When a launch began to run; it may have been reserved long before."""
    begun = [entry["created_on"] for entry in history if entry["state"] == "RUNNING"]
    return utc_moment(begun[0])
