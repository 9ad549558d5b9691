from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import yaml
from gen2dft.launchpad.connect import configure_jobflow, connect_launchpad, job_store_spec

from gen2dft.errors import StoreError
from gen2dft.settings import Settings


def add(a: int, b: int) -> int:
    return a + b


def test_the_launchpad_is_initialised_once(settings: Settings):
    first = connect_launchpad(settings)
    assert first.get_new_fw_id() == 1
    assert connect_launchpad(settings).get_new_fw_id() == 2


def test_every_query_of_a_worker_has_an_index(settings: Settings):
    lpad = connect_launchpad(settings)
    indexed = {
        key for index in lpad.fireworks.index_information().values() for key, _ in index["key"]
    }
    assert {"state", "spec.gen2dft.campaign_id", "spec.gen2dft.candidate_id"} <= indexed
    assert "locked_1" in lpad.workflows.index_information()
    assert "uuid_1_index_1" in lpad.db["outputs"].index_information()


def test_an_unreachable_launchpad_names_the_host_only():
    settings = Settings(database="mongodb://ann:hush@127.0.0.1:9/?serverSelectionTimeoutMS=200")
    with pytest.raises(StoreError, match=r"cannot reach the database at 127\.0\.0\.1:9 ") as caught:
        connect_launchpad(settings)
    assert "hush" not in str(caught.value)


def test_jobflow_is_configured_by_a_private_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    path = configure_jobflow(settings)
    assert os.environ["JOBFLOW_CONFIG_FILE"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert yaml.safe_load(path.read_text())["JOB_STORE"] == job_store_spec(settings)


def test_a_configuration_of_the_user_wins(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    own = tmp_path / "jobflow.yaml"
    monkeypatch.setenv("JOBFLOW_CONFIG_FILE", str(own))
    assert configure_jobflow(settings) == own
    assert not own.exists()


def test_the_home_configuration_serves_a_database_that_is_not_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".jobflow.yaml").write_text("{}")
    assert (
        configure_jobflow(Settings(database="mongodb://h/", data_dir=tmp_path))
        == tmp_path / ".jobflow.yaml"
    )


def test_a_job_runs_and_its_workflow_holds_no_uri(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    configure_jobflow(settings)
    from fireworks.core.rocket_launcher import launch_rocket
    from jobflow import SETTINGS, job
    from jobflow.managers.fireworks import flow_to_workflow

    monkeypatch.chdir(tmp_path)
    lpad = connect_launchpad(settings)
    task = job(add, data="array")(1, 2)
    lpad.add_wf(flow_to_workflow(task, store=None))
    launch_rocket(lpad, strm_lvl="ERROR")
    assert SETTINGS.JOB_STORE.get_output(task.uuid) == 3
    stored = [
        str(document)
        for name in ("fireworks", "launches", "workflows")
        for document in lpad.db[name].find()
    ]
    assert not any("mongodb://" in text for text in stored)


def test_a_large_output_goes_to_gridfs(settings: Settings):
    configure_jobflow(settings)
    from jobflow import SETTINGS

    store = SETTINGS.JOB_STORE
    store.connect()
    document = {"uuid": "u", "index": 1, "output": {"array": list(range(1000))}}
    store.update([document], key=["uuid", "index"], save={"data": "array"})
    assert store.get_output("u", load=True) == document["output"]
    assert store.docs_store.query_one({"uuid": "u"})["output"]["array"]["store"] == "data"
