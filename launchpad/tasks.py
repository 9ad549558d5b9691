"""The two FireTasks of gen2dft: expand one candidate on its worker; carry the campaign on.

They connect by the worker's own settings: the LaunchPad that `rlaunch multi` would hand them is FireWorks' own, whose
ids are not right on every server (`gen2dft.launchpad.ids`).
"""

from __future__ import annotations

from typing import Any

from fireworks import FiretaskBase, FWAction, explicit_serialize
from gen2dft.launchpad.connect import connect_launchpad

from gen2dft.settings import load_settings
from gen2dft.store.connect import open_store


@explicit_serialize
class ExpandCandidate(FiretaskBase):
    """Replace the light firework of a candidate by its calculations."""

    required_params = ("campaign_id", "round_index", "candidate_id")

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:  # noqa: ARG002 - FireWorks' signature
        """Build the candidate's flow; after too many attempts give the candidate up instead."""
        from gen2dft.flows.candidates import CandidateMaker
        from gen2dft.launchpad.advance import advance
        from gen2dft.launchpad.convert import campaign_workflow

        from gen2dft.rounds.context import RoundContext
        from gen2dft.rounds.ingest import begin_attempt

        context = RoundContext(open_store(load_settings()), self["campaign_id"], self["round_index"])
        if not begin_attempt(context, self["candidate_id"]):
            advance(context.store, connect_launchpad(load_settings()), context.campaign_id)
            return FWAction()
        flow = CandidateMaker.of_campaign(context).make(context, self["candidate_id"])
        return FWAction(detours=[campaign_workflow(flow, context.campaign_id)])


@explicit_serialize
class AdvanceCampaign(FiretaskBase):
    """Whoever finishes last carries the campaign on: dispatch, close the round, begin the next."""

    required_params = ("campaign_id",)

    def run_task(self, fw_spec: dict[str, Any]) -> None:  # noqa: ARG002 - FireWorks' signature
        """Do whatever the campaign is ready for."""
        from gen2dft.launchpad.advance import advance

        settings = load_settings()
        advance(open_store(settings), connect_launchpad(settings), self["campaign_id"])
