"""The jobs of engine `vasp` as jobflow runs them."""

import numpy as np
import pytest
from jobflow import Flow, JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder

from gen2dft.engines import load_engine
from gen2dft.engines.base import LOST_RUN_TAG, CalculationDoc, CalculationFailure
from gen2dft.engines.makers import makers_of
from gen2dft.symmetry import with_exact_symmetry


def outcomes(flow, jobs, folder):
    """What each job of the flow ended with."""
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    run_locally(
        flow, store=store, log=False, raise_immediately=True, create_folders=True, root_dir=folder
    )
    return [MontyDecoder().process_decoded(store.get_output(job.uuid, load=True)) for job in jobs]


def test_a_stopped_relaxation_is_replaced_and_the_static_calculation_follows(vasp, oxide):
    folder = vasp(OV=("killed", 1))
    makers = makers_of(load_engine("vasp"), "ggau-v1")
    relax = makers.relax.make(oxide)
    static = makers.static.make(prev=relax.output)
    relaxed, last = outcomes(Flow([relax, static]), [relax, static], folder)
    assert isinstance(relaxed, CalculationDoc)
    assert isinstance(last, CalculationDoc)
    assert (relaxed.task, last.task) == ("relax", "static")
    # The symmetry is exact now, and the energy a little lower.
    start = with_exact_symmetry(relaxed.structure)
    assert np.allclose(last.structure.frac_coords, start.frac_coords, atol=1e-7)
    assert last.energy_per_atom == pytest.approx(relaxed.energy_per_atom, abs=5e-5)
    assert "went on from its CONTCAR after: vasp_died" in relaxed.warnings
    assert len(list(folder.glob("job_*"))) == 3


def test_a_job_finds_in_its_tags_what_a_lost_run_left(vasp, oxide, tmp_path):
    folder = vasp()
    oxide.to(str(tmp_path / "CONTCAR"), fmt="poscar")
    relax = makers_of(load_engine("vasp"), "ggau-v1").relax.make(oxide)
    relax.update_metadata({"tags": ["mine", f"{LOST_RUN_TAG}{tmp_path}"]})
    (relaxed,) = outcomes(Flow([relax]), [relax], folder)
    assert "went on from its CONTCAR after: worker_died" in relaxed.warnings


def test_a_failure_is_an_outcome_that_stops_what_follows(vasp, oxide):
    folder = vasp(OV=("dies", 99))
    makers = makers_of(load_engine("vasp"), "ggau-v1")
    relax = makers.relax.make(oxide)
    static = makers.static.make(prev=relax.output)
    bands = makers.uniform_bands.make(prev=static.output)
    found = outcomes(Flow([relax, static, bands]), [relax, static, bands], folder)
    assert [type(outcome) for outcome in found] == [CalculationFailure] * 3
    assert {outcome.reason for outcome in found} == {"vasp_died"}


def test_bands_need_a_static_calculation(oxide, tmp_path):
    bands = makers_of(load_engine("vasp"), "ggau-v1").uniform_bands.make(oxide)
    (outcome,) = outcomes(Flow([bands]), [bands], tmp_path)
    assert outcome.reason == "no_charge_density"
    assert "they start from its CHGCAR" in outcome.detail


def test_makers_have_defaults_of_their_own():
    makers = makers_of(load_engine("vasp"), "vo-pbe-v1")
    names = [maker.name for maker in (makers.relax, makers.static, makers.uniform_bands)]
    assert names == ["vasp relax", "vasp static", "vasp uniform bands"]
    assert type(makers.relax)(preset="vo-pbe-v1") == makers.relax != type(makers.relax)()
