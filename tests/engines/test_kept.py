"""What a job has computed is not computed again: not by the same run, and not by one after a lost
run.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from jobflow import CURRENT_JOB

from gen2dft.engines import kept
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


FOREIGN = {
    "empty": b"",
    "half-written": b'{"job": "a 1", "kind": "CalculationFailure", "outcome": {"reason": "expl',
    "no JSON": b"\x00\xff\xfe",
    "a list": b"[1, 2]",
    "nested without end": b"[" * 100_000,
    "another kind": b'{"job": "a 1", "kind": "Structure", "outcome": {}}',
    "no kind": b'{"job": "a 1", "outcome": {}}',
    "no job": b'{"kind": "CalculationFailure", "outcome": {}}',
    "no outcome": b'{"job": "a 1", "kind": "CalculationFailure", "outcome": 5}',
    "missing field": b'{"job": "a 1", "kind": "CalculationFailure", "outcome": {}}',
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_holds_no_outcome_costs_nothing_but_itself(tmp_path, caplog, name):
    (tmp_path / FILE).write_bytes(FOREIGN[name])
    assert read_outcome(tmp_path / FILE, "a 1") is None
    assert f"{FILE} holds no outcome" in caplog.text
    assert len(caplog.text.splitlines()) == 1


def test_the_outcome_of_another_job_is_nobodys_fault(tmp_path, caplog):
    content = b'{"job": "b 1", "kind": "Structure", "outcome": {}}'
    (tmp_path / FILE).write_bytes(content)
    assert read_outcome(tmp_path / FILE, "a 1") is None
    assert not caplog.text


def test_a_job_beside_a_damaged_file_computes_and_replaces_it(job, compute, tmp_path):
    (tmp_path / "first" / FILE).write_bytes(FOREIGN["half-written"])
    first = compute()
    assert (compute(), compute.times) == (first, 1)


def test_what_is_no_file_or_too_large(tmp_path, monkeypatch, caplog):
    os.mkfifo(tmp_path / "pipe")
    assert read_outcome(tmp_path / "pipe", "a 1") is None
    monkeypatch.setattr(kept, "MAX_BYTES", 10)
    (tmp_path / FILE).write_bytes(b" " * 11)
    assert read_outcome(tmp_path / FILE, "a 1") is None
    assert "more than 10 bytes" in caplog.text


def test_a_job_whose_workers_die_again_and_again_fails(job):
    assert starting_structure(CRYSTAL, None) is CRYSTAL
    job.metadata["tags"] = [f"{LOST_RUN_TAG}/scratch/{i}" for i in range(3)]
    failure = starting_structure(CRYSTAL, None)
    assert isinstance(failure, CalculationFailure)
    assert failure.reason == "worker_died"
    assert "died 3 times" in failure.detail
    assert "/scratch/2" in failure.detail
    assert starting_structure(CRYSTAL, None, resumes=True) is CRYSTAL
