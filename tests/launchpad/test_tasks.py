"""The database may go away at any moment: tasks wait for it, and detours of jobs do too."""

from __future__ import annotations

import pytest
from fireworks import FWAction, Workflow
from fireworks.utilities.fw_serializers import load_object
from gen2dft.launchpad import tasks
from gen2dft.launchpad.connect import connect_launchpad
from gen2dft.launchpad.convert import campaign_workflow, named_task, outlast_outages
from gen2dft.launchpad.tasks import AdvanceCampaign, CampaignJob, ExpandCandidate, through_outages
from jobflow import Flow, job
from jobflow.managers.fireworks import JobFiretask, flow_to_workflow
from pymongo.errors import AutoReconnect, OperationFailure

from gen2dft.errors import DatabaseAway, StoreError


@job
def add(a: int) -> int:
    return a + 1


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(tasks, "PAUSE_SECONDS", 0.0)


def test_a_step_is_taken_again_while_the_database_is_away():
    answers = iter([AutoReconnect("closed"), DatabaseAway("gone"), "done"])

    def step():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert through_outages(step) == "done"


def test_a_database_that_stays_away_ends_the_task(monkeypatch):
    monkeypatch.setattr(tasks, "OUTAGE_SECONDS", -1.0)

    def step():
        raise AutoReconnect("closed for good")

    with pytest.raises(AutoReconnect, match="closed for good"):
        through_outages(step)


def test_another_error_is_not_waited_for():
    with pytest.raises(ZeroDivisionError):
        through_outages(lambda: 1 // 0)


def workflow() -> Workflow:
    return flow_to_workflow(Flow([add(1)]), store=None)


def test_jobs_and_their_detours_outlast_an_absence(monkeypatch):
    first, later = workflow(), workflow()
    outlast_outages(first)
    (task,) = first.fws[0].tasks
    assert isinstance(task, CampaignJob)
    monkeypatch.setattr(JobFiretask, "run_task", lambda *_: FWAction(detours=[later]))
    task.run_task({})
    assert all(isinstance(task, CampaignJob) for fw in later.fws for task in fw.tasks)


def test_an_output_that_the_database_refuses_is_named_in_few_words(monkeypatch):
    def refuse(*_):
        raise OperationFailure("x" * 17_000_000)

    monkeypatch.setattr(JobFiretask, "run_task", refuse)
    first = workflow()
    outlast_outages(first)
    with pytest.raises(StoreError, match="the database refuses what job add gave: xxx") as caught:
        first.fws[0].tasks[0].run_task({})
    assert len(str(caught.value)) < 2000
    assert caught.value.__suppress_context__


def test_a_sign_of_life_that_does_not_get_through_ends_nothing(settings, monkeypatch):
    lpad = connect_launchpad(settings)

    def away(launch_id):
        raise AutoReconnect("closed")

    monkeypatch.setattr(lpad, "get_launch_by_id", away)
    lpad.ping_launch(1)


@pytest.mark.parametrize(
    ("stored", "task"),
    [
        (
            {"campaign_id": "c", "round_index": 0, "candidate_id": "x"},
            ExpandCandidate(campaign_id="c", round_index=0, candidate_id="x"),
        ),
        ({"campaign_id": "c"}, AdvanceCampaign(campaign_id="c")),
    ],
)
def test_fireworks_that_databases_hold_still_run(stored, task):
    kind = type(task)
    name = f"{{{{gen2dft.launchpad.tasks.{kind.__name__}}}}}"
    found = load_object({"_fw_name": name, **stored})
    assert type(found) is kind
    assert dict(found) == {"_fw_name": name, **dict(task)}
    assert task.to_dict() == {"_fw_name": name, **stored}


def test_jobs_that_databases_hold_still_run():
    first = workflow()
    outlast_outages(first)
    stored = first.fws[0].tasks[0].to_dict()
    assert stored["_fw_name"] == "{{gen2dft.launchpad.tasks.CampaignJob}}"
    found = load_object(stored)
    assert type(found) is CampaignJob
    assert found["job"].name == "add"


def test_a_named_task_is_of_the_class_itself():
    task = named_task("AdvanceCampaign", campaign_id="c")
    assert type(task) is AdvanceCampaign
    with pytest.raises(RuntimeError, match="Required parameter campaign_id not specified"):
        named_task("AdvanceCampaign")


def test_the_last_job_of_a_workflow_advances_the_campaign():
    (firework,) = campaign_workflow(Flow([add(1)]), "c").fws
    assert [type(task) for task in firework.tasks] == [CampaignJob, AdvanceCampaign]
    assert firework.tasks[1]["campaign_id"] == "c"
