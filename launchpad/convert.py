"""Flows to FireWorks workflows, with the task that carries the campaign on at their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fireworks import Firework, Workflow
from gen2dft.launchpad.tasks import AdvanceCampaign, ExpandCandidate, outlast_outages
from jobflow.managers.fireworks import flow_to_workflow

from gen2dft.engines.kit import package_of

if TYPE_CHECKING:
    from jobflow import Flow

    from gen2dft.rounds.context import RoundContext


def campaign_workflow(flow: Flow, campaign_id: str) -> Workflow:
    """The workflow of a flow whose last job also advances the campaign.

    The job store is not written into the fireworks: each worker uses its own, so no URI is ever
    stored.
    """
    workflow = flow_to_workflow(flow, store=None)
    outlast_outages(workflow)
    (last,) = (fw for fw in workflow.fws if not workflow.links[fw.fw_id])
    last.tasks.append(AdvanceCampaign(campaign_id=campaign_id))
    return workflow


def candidate_workflow(context: RoundContext, candidate_id: str) -> Workflow:
    """The light workflow of one candidate: a single firework that expands on the worker that picks
    it up.
    """
    resources = context.spec.resources.validate_
    spec: dict[str, Any] = {
        "gen2dft": {
            "campaign_id": context.campaign_id,
            "round": context.index,
            "stage": "dispatch",
            "candidate_id": candidate_id,
        },
    }
    if resources.category is not None:
        spec["_category"] = resources.category
    task = ExpandCandidate(
        campaign_id=context.campaign_id, round_index=context.index, candidate_id=candidate_id
    )
    package = package_of(context.spec.validation.engine)
    if package is not None:  # for the message of a worker that lacks it
        task["package"] = " ".join(package)
    return Workflow(
        [Firework([task], spec=spec, name=f"candidate {candidate_id}")],
        name=f"candidate {candidate_id}",
    )
