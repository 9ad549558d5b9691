"""Flows to FireWorks workflows, with the task that carries the campaign on at their end."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fireworks import FiretaskBase, Firework, Workflow
from gen2dft.flows.common import priority
from jobflow.managers.fireworks import JobFiretask, flow_to_workflow

from gen2dft.engines.kit import package_of

if TYPE_CHECKING:
    from jobflow import Flow

    from gen2dft.rounds.round import Round


TASKS = "gen2dft.launchpad.tasks"


def named_task(name: str, **parameters: Any) -> FiretaskBase:
    """A FireTask of `gen2dft.launchpad.tasks` by the name of its class.

    FireTasks insert workflows, and workflows hold FireTasks. FireWorks itself finds the class of a
    stored task by module and name; naming it here in the same way keeps the modules out of a
    circle.
    """
    task_class: type[FiretaskBase] = getattr(import_module(TASKS), name)
    return task_class(**parameters)


def outlast_outages(workflow: Workflow) -> None:
    """Make the jobs of a workflow of jobflow's `CampaignJob`s."""
    for firework in workflow.fws:
        firework.tasks = [_outlasting(task) for task in firework.tasks]


def _outlasting(task: FiretaskBase) -> FiretaskBase:
    # Not isinstance: a CampaignJob is a JobFiretask too.
    if type(task) is not JobFiretask:
        return task
    return named_task("CampaignJob", job=task["job"], store=task["store"])


def campaign_workflow(flow: Flow, campaign_id: str) -> Workflow:
    """The workflow of a flow whose last job also advances the campaign.

    The job store is not written into the fireworks: each worker uses its own, so no URI is ever
    stored.
    """
    workflow = flow_to_workflow(flow, store=None)
    outlast_outages(workflow)
    (last,) = (fw for fw in workflow.fws if not workflow.links[fw.fw_id])
    last.tasks.append(named_task("AdvanceCampaign", campaign_id=campaign_id))
    return workflow


def candidate_workflow(context: Round, candidate_id: str) -> Workflow:
    """The light workflow of one candidate: a single firework that expands on the worker that picks
    it up.
    """
    resources = context.spec.resources.validate_
    belongs = {
        "campaign_id": context.campaign_id,
        "round": context.index,
        "stage": "dispatch",
        "candidate_id": candidate_id,
    }
    spec: dict[str, Any] = {"gen2dft": belongs, "_priority": priority(belongs)}
    if resources.category is not None:
        spec["_category"] = resources.category
    task = named_task(
        "ExpandCandidate",
        campaign_id=context.campaign_id,
        round_index=context.index,
        candidate_id=candidate_id,
    )
    package = package_of(context.spec.validation.engine)
    if package is not None:  # for the message of a worker that lacks it
        task["package"] = " ".join(package)
    name = f"candidate {candidate_id}"
    return Workflow([Firework([task], spec=spec, name=name)], name=name)
