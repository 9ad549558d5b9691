"""The FireTasks of gen2dft: run a job, expand a candidate on its worker, advance the campaign.

If the database is unreachable, each waits and then starts again: its writes may be repeated, and
finished calculations are kept (`gen2dft.engines.kept`). They connect by the worker's
own settings: the LaunchPad that `rlaunch multi` would hand them is FireWorks' own, whose ids are
not right on every server (`gen2dft.launchpad.ids`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from fireworks import FiretaskBase, FWAction, explicit_serialize
from gen2dft.launchpad.connect import connect_launchpad
from gen2dft.launchpad.convert import campaign_workflow, outlast_outages
from jobflow.managers.fireworks import JobFiretask

from gen2dft.errors import DatabaseAway, StoreError
from gen2dft.settings import load_settings
from gen2dft.store.connect import open_store

OUTAGE_SECONDS = 600.0
PAUSE_SECONDS = 1.0
R = TypeVar("R")


@explicit_serialize
class CampaignJob(JobFiretask):
    """A job of jobflow's; one that loses the database is not taken for one that crashed."""

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:
        """Run the job; StoreError if its output does not fit into a document."""
        from pymongo.errors import DocumentTooLarge, OperationFailure

        try:
            action = through_outages(lambda: JobFiretask.run_task(self, fw_spec))
        except (DocumentTooLarge, OperationFailure) as error:
            # Its text may hold the whole document, which FireWorks would write into the launch: too
            # much again.
            raise StoreError(
                f"the database refuses what job {self['job'].name} gave: {str(error)[:1000]}"
            ) from None
        for workflow in [*action.detours, *action.additions]:
            outlast_outages(workflow)
        return action


@explicit_serialize
class ExpandCandidate(FiretaskBase):
    """Replace the light firework of a candidate by its calculations."""

    required_params = ("campaign_id", "round_index", "candidate_id")
    optional_params = ("package",)

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:  # noqa: ARG002 - FireWorks' signature
        """Build the candidate's flow, or carry the campaign on if there is nothing to compute."""
        return through_outages(self._expand)

    def _expand(self) -> FWAction:
        from gen2dft.flows.candidates import expand
        from gen2dft.launchpad.advance import advance

        from gen2dft.rounds.round import Round

        settings = load_settings()
        context = Round(open_store(settings), self["campaign_id"], self["round_index"])
        flow = expand(context, self["candidate_id"], self.get("package"))
        if flow is None:
            advance(context.store, connect_launchpad(settings), context.campaign_id)
            return FWAction()
        return FWAction(detours=[campaign_workflow(flow, context.campaign_id)])


@explicit_serialize
class AdvanceCampaign(FiretaskBase):
    """Whoever finishes last carries the campaign on: dispatch, close the round, begin the next."""

    required_params = ("campaign_id",)

    def run_task(self, fw_spec: dict[str, Any]) -> None:  # noqa: ARG002 - FireWorks' signature
        """Do whatever the campaign is ready for."""
        through_outages(self._advance)

    def _advance(self) -> None:
        from gen2dft.launchpad.advance import advance
        from gen2dft.launchpad.lost import recover_now_and_then

        settings = load_settings()
        store, lpad = open_store(settings), connect_launchpad(settings)
        recover_now_and_then(store, lpad, self["campaign_id"])
        advance(store, lpad, self["campaign_id"])


def through_outages(step: Callable[[], R]) -> R:
    """Take a step that may be repeated, and repeat it while the database is away."""
    from pymongo.errors import ConnectionFailure

    deadline = time.monotonic() + OUTAGE_SECONDS
    while True:
        try:
            return step()
        except (ConnectionFailure, DatabaseAway):
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)
