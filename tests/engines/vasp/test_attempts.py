"""A relaxation that is stopped goes on from its CONTCAR.

Costs and corrections of all attempts are added up.
"""

from pathlib import Path

import pytest

from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.engines.vasp.attempts import GoOn, Spent, after_lost_runs, relax_attempt
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
    assert outcomes[-1].detail.startswith(
        "given up after 3 attempts (vasp_died, vasp_died, vasp_died): VASP ended"
    )
    assert outcomes[-1].core_hours > 0


def test_a_run_that_gained_nothing_is_not_repeated(vasp, oxide, folder, monkeypatch):
    vasp(OV=("dies", 99))
    (outcome,) = all_attempts(oxide, folder, monkeypatch)
    assert isinstance(outcome, CalculationFailure)
    assert outcome.reason == "vasp_died"


def test_a_relaxation_whose_worker_died_goes_on_from_what_it_left(oxide, tmp_path):
    folders = [str(tmp_path / name) for name in ("first", "second", "gone")]
    moved = oxide.copy()
    moved.scale_lattice(30.0)
    for folder, structure in zip(folders, (oxide, moved), strict=False):
        Path(folder).mkdir()
        structure.to(f"{folder}/CONTCAR", fmt="poscar")
    resumed = after_lost_runs(
        "ggau-v1", oxide, Spent(lost_runs=1, reasons=["worker_died"]), folders[:2]
    )
    assert resumed.structure.volume == pytest.approx(30.0)
    assert resumed.spent.reasons == ["worker_died", "worker_died"]
    assert after_lost_runs("ggau-v1", oxide, resumed.spent, folders[:2]) == GoOn(
        oxide, resumed.spent
    )
    nothing_left = after_lost_runs("ggau-v1", oxide, Spent(), folders[2:])
    assert (nothing_left.structure, nothing_left.spent.reasons) == (oxide, ["worker_died"])
    (tmp_path / "first" / "CONTCAR").write_text(
        ""
    )  # as VASP leaves it before the first step is done
    assert after_lost_runs("ggau-v1", oxide, Spent(), folders[:1]).structure == oxide


def test_a_relaxation_that_kills_its_workers_is_given_up(oxide, tmp_path):
    failure = after_lost_runs("ggau-v1", oxide, Spent(reasons=["walltime"]), [str(tmp_path)] * 2)
    assert failure.reason == "worker_died"
    assert "given up after 3 attempts (walltime, worker_died, worker_died)" in failure.detail


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
