"""The job store is tried from two processes, since workers are not the process that submits."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from gen2dft.launchpad.job_store import refuse_private_store, try_job_store
from jobflow import SETTINGS, JobStore

from gen2dft.errors import SettingsError
from gen2dft.settings import Settings

IN_MEMORY = {
    "docs_store": {"type": "MemoryStore"},
    "additional_stores": {"data": {"type": "MemoryStore"}},
}


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of jobflow that keeps results in memory, in force here and elsewhere."""
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({"JOB_STORE": IN_MEMORY}))
    monkeypatch.setenv("JOBFLOW_CONFIG_FILE", str(path))
    monkeypatch.setattr(SETTINGS, "JOB_STORE", JobStore.from_dict_spec(IN_MEMORY))
    return path


def test_a_store_in_memory_is_refused(settings: Settings, own_file: Path) -> None:
    message = rf"job store of {own_file}: what one process writes to it \(MemoryStore\) a second"
    with pytest.raises(SettingsError, match=rf"{message} one does not find.*JOBFLOW_CONFIG_FILE"):
        refuse_private_store(settings)


def test_a_shared_store_passes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gen2dft.launchpad.connect import job_store_spec

    spec = job_store_spec(settings)
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({"JOB_STORE": spec}))
    monkeypatch.setenv("JOBFLOW_CONFIG_FILE", str(path))
    monkeypatch.setattr(SETTINGS, "JOB_STORE", JobStore.from_dict_spec(spec))
    refuse_private_store(settings)


def test_what_a_store_raises_is_its_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        additional_stores = {"data": None}

        def connect(self) -> None:
            raise RuntimeError("no such bucket\nand more")

    monkeypatch.setattr("gen2dft.launchpad.job_store._store", Broken)
    assert try_job_store() == "RuntimeError: no such bucket"
