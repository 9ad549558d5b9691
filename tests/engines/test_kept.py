"""What a job has computed is not computed again: not by the same run, and not by one after a lost
run.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from jobflow import CURRENT_JOB

from gen2dft.engines.base import LOST_RUN_TAG, CalculationDoc, CalculationFailure
from gen2dft.engines.kept import FILE, computed_once, read_outcome, write_outcome
from gen2dft.engines.kit import run_task, starting_structure
from tests import toys

CRYSTAL = toys.rock_salt("Na", "Cl", 5.6)


@pytest.fixture
def job(monkeypatch, tmp_path):
    """A job that runs as a firework."""
    present = SimpleNamespace(uuid="a-uuid", index=1, metadata={"fw_id": 7, "tags": []})
    monkeypatch.setattr(CURRENT_JOB, "job", present)
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    monkeypatch.chdir(tmp_path / "first")
    return present


@pytest.fixture
def compute():
    """A calculation that counts how often it was made."""

    @computed_once
    def relax():
        relax.times += 1  # of the decorated function, which has this name
        return run_task("relax", toys.TOY_ENGINE, "toy-v1", CRYSTAL, None)

    relax.times = 0
    return relax


def test_the_same_run_takes_what_it_has(job, compute):
    first, second = compute(), compute()
    assert isinstance(first, CalculationDoc)
    assert (second, compute.times) == (first, 1)


def test_a_run_after_a_lost_one_takes_what_that_left(job, compute, tmp_path, monkeypatch):
    first = compute()
    monkeypatch.chdir(tmp_path / "second")
    job.metadata["tags"] = [f"{LOST_RUN_TAG}{tmp_path / 'first'}"]
    assert compute() == first
    assert compute.times == 1


def test_another_job_in_the_same_folder_computes(job, compute):
    compute()
    job.index = 2
    compute()
    assert compute.times == 2


def test_outside_of_a_firework_nothing_is_written(compute, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    compute()
    compute()
    assert compute.times == 2
    assert not (tmp_path / FILE).exists()


def test_a_failure_is_kept_as_well(tmp_path):
    failure = CalculationFailure(reason="exploded", detail="it did", core_hours=1.5)
    write_outcome(tmp_path / FILE, "a 1", failure)
    assert read_outcome(tmp_path / FILE, "a 1") == failure
    assert read_outcome(tmp_path / FILE, "b 1") is None
    assert read_outcome(tmp_path / "none", "a 1") is None
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_job_whose_workers_die_again_and_again_fails(job):
    assert starting_structure(CRYSTAL, None) is CRYSTAL
    job.metadata["tags"] = [f"{LOST_RUN_TAG}/scratch/{i}" for i in range(3)]
    failure = starting_structure(CRYSTAL, None)
    assert isinstance(failure, CalculationFailure)
    assert failure.reason == "worker_died"
    assert "died 3 times" in failure.detail
    assert "/scratch/2" in failure.detail
    assert starting_structure(CRYSTAL, None, resumes=True) is CRYSTAL
