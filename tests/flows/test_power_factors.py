"""static -> uniform bands -> transport, with jobs that stand in for an engine."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

import pytest
from example_bands import cosine_bands, tetragonal
from gen2dft.flows.power_factors import PowerFactorMaker, TransportMaker, band_file
from gpaw_files import write_gpw
from jobflow import JobStore, Maker, job, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder
from pymatgen.core import Structure

from gen2dft.engines.base import CalculationDoc, CalculationFailure, Task
from gen2dft.errors import CalculationFailed, CampaignError
from gen2dft.transport.document import TransportDoc


def document(task: Task, folder: Path | str) -> CalculationDoc:
    return CalculationDoc(
        task=task,
        engine="example",
        preset="example-v1",
        settings_hash="0",
        is_dft=False,
        structure=tetragonal(),
        energy=-1.0,
        energy_per_atom=-1.0,
        converged=True,
        max_force=0.0,
        num_steps=0,
        wall_seconds=0.0,
        cores=1,
        core_hours=0.0,
        versions={},
        directory=f"{socket.gethostname()}:{folder}",
    )


@dataclass
class ExampleMaker(Maker):
    """A static calculation, or bands with the gap given; without one it fails."""

    name: str = "example"
    task: Task = "static"
    gap: float | None = 1.0

    @job
    def make(self, structure: Structure | None = None, prev: object = None) -> object:
        if self.gap is None:
            return CalculationFailure(reason="scf_not_converged", detail="stand-in")
        if self.task == "uniform_bands":
            write_gpw(Path("uniform.gpw"), cosine_bands((12, 12, 12), gap=self.gap, direct=self.gap > 0), 2.0)
        return document(self.task, Path.cwd())


def outcome(folder: Path, monkeypatch: pytest.MonkeyPatch, gap: float | None) -> object:
    monkeypatch.chdir(folder)
    flow = PowerFactorMaker(ExampleMaker(), ExampleMaker(task="uniform_bands", gap=gap), TransportMaker()).make(
        tetragonal()
    )
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, log=False, raise_immediately=True)
    store.connect()
    return MontyDecoder().process_decoded(store.get_output(flow.jobs[-1].uuid, load=True))


def test_the_flow_ends_in_a_transport_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    doc = outcome(tmp_path, monkeypatch, 1.0)
    assert isinstance(doc, TransportDoc)
    assert doc.band_gap == pytest.approx(1.0)


@pytest.mark.parametrize(("gap", "reason"), [(-0.3, "metal"), (None, "scf_not_converged")])
def test_failures_are_outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gap: float | None, reason: str):
    failed = outcome(tmp_path, monkeypatch, gap)
    assert isinstance(failed, CalculationFailure)
    assert failed.reason == reason


def test_bands_that_are_not_there(tmp_path: Path):
    with pytest.raises(CalculationFailed, match=r"no_bands: none of uniform.gpw, vasprun.xml, vasprun.xml.gz"):
        band_file(document("uniform_bands", tmp_path))
    (tmp_path / "vasprun.xml").touch()
    assert band_file(document("uniform_bands", tmp_path)) == tmp_path / "vasprun.xml"
    with pytest.raises(CalculationFailed, match=r"\(task static\)"):
        band_file(document("static", tmp_path))


def test_engines_without_bands_are_refused():
    with pytest.raises(CampaignError, match="engine 'mlip' computes no bands, so no power factors"):
        PowerFactorMaker.of_engine("mlip", "chgnet-v1")
    maker = PowerFactorMaker.of_engine("gpaw", "gpaw-quick-v1")
    assert maker.uniform_bands.preset == "gpaw-quick-v1"
    assert maker.transport == TransportMaker()
