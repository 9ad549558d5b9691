"""Jobs of real engines, as they stand in the queue of version 0.1.0, still run.

They need neither GPAW nor VASP: each was given an outcome that it answers without computing.
"""

from __future__ import annotations

import pytest
import stored
from fireworks import Firework
from monty.json import MontyDecoder

from gen2dft.engines.base import CalculationDoc, CalculationFailure

JOBS = stored.read_json("engine-jobs")
PASSED_ON = [name for name in JOBS if name.split()[1] in ("Relax", "Static", "UniformBands")]


@pytest.fixture
def outcome_of(monkeypatch, tmp_path):
    """Runs a stored job as a worker does; its output, read as the next job reads it."""
    import jobflow
    from maggma.stores import MemoryStore

    store = jobflow.JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    monkeypatch.setattr(jobflow.SETTINGS, "JOB_STORE", store)
    monkeypatch.chdir(tmp_path)

    def run(name):
        firework = Firework.from_dict(JOBS[name])
        (task,) = firework.tasks
        task.run_task(firework.spec)
        output = store.get_output(task["job"].uuid, load=True)
        return MontyDecoder().process_decoded(output)

    return run


@pytest.mark.parametrize("name", PASSED_ON)
def test_a_job_hands_on_why_the_one_before_failed(name, outcome_of):
    failure = outcome_of(name)
    assert isinstance(failure, CalculationFailure)
    assert (failure.reason, failure.detail, failure.core_hours) == ("exploded", "too hot", 0.5)


def test_a_job_of_the_ml_potential_computes(outcome_of):
    pytest.importorskip("chgnet")
    salt = outcome_of("mlip computes")
    assert isinstance(salt, CalculationDoc)
    assert (salt.task, salt.engine, salt.preset) == ("relax", "mlip", "chgnet-screen-v1")
    assert salt.structure.composition.reduced_formula == "NaCl"
    assert salt.converged


def test_a_relaxation_knows_its_earlier_attempts(outcome_of):
    failure = outcome_of("vasp goes on")
    assert (failure.reason, failure.core_hours) == ("worker_died", 8.0)
    assert failure.detail.startswith("given up after 9 attempts (walltime, walltime, ")


def test_bands_are_told_what_the_calculation_before_was(outcome_of):
    failure = outcome_of("vasp bands")
    assert failure.reason == "no_charge_density"
    assert "uniform bands need `prev`, a static calculation" in failure.detail
