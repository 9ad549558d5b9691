"""A relaxation that is stopped goes on from its CONTCAR; costs and corrections of all attempts are added up."""

import pytest

from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.engines.vasp.attempts import GoOn, Spent, relax_attempt
from gen2dft.engines.vasp.presets import get_preset


def all_attempts(structure, folder, monkeypatch):
    """Outcomes of the attempts, each in a folder of its own."""
    outcomes, spent = [], Spent()
    while not outcomes or isinstance(outcomes[-1], GoOn):
        place = folder / str(len(outcomes))
        place.mkdir()
        monkeypatch.chdir(place)
        outcomes.append(relax_attempt("ggau-v1", structure, spent))
        if isinstance(outcomes[-1], GoOn):
            structure, spent = outcomes[-1].structure, outcomes[-1].spent
    return outcomes


def test_a_killed_run_goes_on_from_its_contcar(vasp, oxide, folder, monkeypatch):
    vasp(OV=("killed", 1))
    first, last = all_attempts(oxide, folder, monkeypatch)
    assert first.spent.reasons == ["vasp_died"]
    assert first.structure.lattice != oxide.lattice
    assert isinstance(last, CalculationDoc)
    assert last.converged
    assert last.wall_seconds > first.spent.wall_seconds > 0
    assert last.core_hours == pytest.approx(last.wall_seconds / 3600)
    assert "went on from its CONTCAR after: vasp_died" in last.warnings


def test_after_the_last_attempt_it_is_given_up(vasp, oxide, folder, monkeypatch):
    vasp(OV=("killed", 99))
    outcomes = all_attempts(oxide, folder, monkeypatch)
    assert len(outcomes) == get_preset("ggau-v1").attempts == 3
    assert isinstance(outcomes[-1], CalculationFailure)
    assert outcomes[-1].reason == "vasp_died"
    assert outcomes[-1].detail.startswith("given up after 3 attempts (vasp_died, vasp_died, vasp_died): VASP ended")
    assert outcomes[-1].core_hours > 0


def test_a_run_that_gained_nothing_is_not_repeated(vasp, oxide, folder, monkeypatch):
    vasp(OV=("dies", 99))
    (outcome,) = all_attempts(oxide, folder, monkeypatch)
    assert isinstance(outcome, CalculationFailure)
    assert outcome.reason == "vasp_died"


def test_time_is_up(vasp, oxide, folder, monkeypatch):
    import time

    vasp(OV=("waits", 1))
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 10))
    first, last = all_attempts(oxide, folder, monkeypatch)
    assert first.spent.reasons == ["walltime"]
    assert isinstance(last, CalculationDoc)


def test_corrections_of_all_attempts_are_kept(vasp, oxide, folder, monkeypatch):
    """Custodian mends twice and gives up at the third; the next attempt needs no mending."""
    from atomate2 import SETTINGS

    monkeypatch.setattr(SETTINGS, "VASP_CUSTODIAN_MAX_ERRORS", 2)
    vasp(OV=("ionic", 2))
    first, last = all_attempts(oxide, folder, monkeypatch)
    assert first.spent.reasons == ["ionic_unconverged"]
    assert len(last.custodian) == len(first.spent.custodian) == 2
    assert not last.settings_changed
