"""One Maker for every engine: documents pass from job to job, and a worker without the plugin says
so.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from jobflow import Flow, JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, MontyEncoder
from springs import CSCL, SPRINGS

from gen2dft import engines
from gen2dft.engines.base import CalculationDoc, CalculationFailure, Makers
from gen2dft.engines.kit import bands_of
from gen2dft.engines.makers import EngineMaker, makers_of


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The springs can be named, and jobs run in a folder of their own."""
    monkeypatch.setitem(engines.ENGINES, "springs", lambda: SPRINGS)
    monkeypatch.chdir(tmp_path)


def outcomes(*jobs: object) -> list[object]:
    store = JobStore(MemoryStore())
    run_locally(Flow(list(jobs)), store=store, log=False, raise_immediately=True)
    store.connect()
    return [
        MontyDecoder().process_decoded(store.get_output(job.uuid, load=True))  # type: ignore
        for job in jobs
    ]


@pytest.mark.usefixtures("registered")
def test_relax_static_and_bands_pass_their_documents_on():
    makers = makers_of(SPRINGS, "soft")
    relax = makers.relax.make(CSCL)
    static = makers.static.make(prev=relax.output)
    bands = makers.uniform_bands.make(prev=static.output, scale=0.5)
    found = outcomes(relax, static, bands)
    assert all(isinstance(doc, CalculationDoc) for doc in found)
    assert [doc.task for doc in found] == ["relax", "static", "uniform_bands"]
    assert found[1].structure == found[0].structure
    assert bands_of(found[2]).mesh.size == (12, 12, 12)
    assert [job.name for job in (relax, static, bands)] == [
        "springs relax",
        "springs static",
        "springs uniform bands",
    ]


@pytest.mark.usefixtures("registered")
def test_a_failure_is_an_outcome_with_its_reason():
    crushed = CSCL.copy()
    crushed.scale_lattice(2.0)
    makers = makers_of(SPRINGS, "soft")
    relax = makers.relax.make(crushed)
    static = makers.static.make(prev=relax.output)
    for outcome in outcomes(relax, static):
        assert isinstance(outcome, CalculationFailure)
        assert outcome.reason == "volume_out_of_range"


@pytest.mark.usefixtures("registered")
def test_an_engine_may_bring_its_own_jobs_and_need_have_no_bands():
    own = Makers(EngineMaker("a"), EngineMaker("b"))
    assert makers_of(replace(SPRINGS, makers=lambda preset: own), "soft") is own
    assert makers_of(replace(SPRINGS, bands=None), "soft").uniform_bands is None


def test_a_worker_without_the_plugin_gives_a_reason():
    job = EngineMaker("cosine relax", "cosine", "relax", "cosine-v1", "gen2dft-cosine 0.1.0")
    (outcome,) = outcomes(job.make(CSCL))
    assert isinstance(outcome, CalculationFailure)
    assert outcome.reason == "plugin_missing"
    assert "engine 'cosine' is from gen2dft-cosine 0.1.0, which is not installed" in outcome.detail


def test_a_worker_whose_plugin_is_broken_gives_a_reason(monkeypatch: pytest.MonkeyPatch):
    def load() -> None:
        raise ImportError("no module named numba")

    monkeypatch.setitem(engines.ENGINES, "cosine", load)
    job = EngineMaker("cosine relax", "cosine", "relax", "cosine-v1", "gen2dft-cosine 0.1.0")
    (outcome,) = outcomes(job.make(CSCL))
    assert outcome.reason == "plugin_missing"
    assert outcome.detail.endswith("cannot be loaded: no module named numba")


def test_a_stored_job_names_gen2dft_alone_so_that_every_worker_can_read_it():
    job = EngineMaker("cosine relax", "cosine", "relax", "cosine-v1").make(CSCL)
    stored = MontyEncoder().encode(job.as_dict())
    assert "gen2dft_cosine" not in stored
    maker = MontyDecoder().decode(stored).maker
    assert maker == EngineMaker("cosine relax", "cosine", "relax", "cosine-v1")
