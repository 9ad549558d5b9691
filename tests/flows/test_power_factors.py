"""static -> uniform bands -> transport, with jobs that stand in for an engine."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from example_bands import cosine_energies, full_mesh, tetragonal
from example_jobs import ExampleBandsMaker, ExampleMaker, OvertimeMaker, document
from gen2dft.flows import power_factors
from gen2dft.flows.power_factors import PowerFactorMaker, TransportMaker, compute_here
from jobflow import JobStore, Maker, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder

from gen2dft.campaign import TransportSpec
from gen2dft.engines.base import CalculationFailure
from gen2dft.errors import CampaignError
from gen2dft.transport.bands import UniformBands, uniform_bands
from gen2dft.transport.convergence import stated_error
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.settings import TransportSettings


def outcome(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    gap: float | None,
    finest: float = 0.0,
    **settings: object,
) -> object:
    monkeypatch.chdir(folder)
    transport = TransportMaker(
        ExampleBandsMaker(gap=gap, finest=finest), max_spacing=0.4, **settings
    )
    flow = PowerFactorMaker(ExampleMaker(), transport).make(tetragonal())
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, log=False, raise_immediately=True, create_folders=True)
    store.connect()
    return MontyDecoder().process_decoded(store.get_output(flow.output.uuid, load=True))


def test_meshes_are_refined_until_the_power_factor_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    doc = outcome(tmp_path, monkeypatch, 1.0, tolerance=1.0)
    assert isinstance(doc, TransportDoc)
    assert doc.band_gap == pytest.approx(1.0)
    assert [step.mesh[0] for step in doc.convergence.steps] == [10, 14]
    assert doc.convergence.relative_error == stated_error(doc.convergence.steps)
    assert [step.band_gap for step in doc.convergence.steps] == pytest.approx([1.0, 1.0])
    assert doc.convergence.converged
    assert doc.core_hours == pytest.approx(0.5)
    assert 0 < doc.transport_hours < doc.core_hours


def test_refining_ends_with_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    doc = outcome(tmp_path, monkeypatch, 1.0, tolerance=1e-12)
    assert [step.mesh[0] for step in doc.convergence.steps] == [10, 14, 20]
    assert not doc.convergence.converged


@pytest.mark.parametrize(("gap", "meshes"), [(0.2, [10, 14]), (0.3, [10, 14, 20])])
def test_a_narrow_gap_is_not_worth_a_third_mesh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gap: float, meshes: list[int]
):
    doc = outcome(tmp_path, monkeypatch, gap, tolerance=1e-12)
    assert [step.mesh[0] for step in doc.convergence.steps] == meshes


def test_one_mesh_is_the_presets_and_has_no_error_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    doc = outcome(tmp_path, monkeypatch, 1.0, meshes=1)
    assert doc.mesh == (10, 10, 10)
    assert doc.convergence.relative_error is None


@pytest.mark.parametrize(("gap", "reason"), [(-0.3, "metal"), (None, "scf_not_converged")])
def test_failures_are_outcomes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gap: float | None, reason: str
):
    failed = outcome(tmp_path, monkeypatch, gap)
    assert isinstance(failed, CalculationFailure)
    assert failed.reason == reason


def test_a_worker_without_the_program_of_transport_gives_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "BoltzTraP2", None)
    failed = outcome(tmp_path, monkeypatch, 1.0, program="boltztrap2")
    assert isinstance(failed, CalculationFailure)
    assert failed.reason == "program_missing"
    assert "make transport" in failed.detail
    assert failed.core_hours == pytest.approx(0.25)


def test_the_campaign_names_the_program():
    spec = TransportSpec(program="boltztrap2")
    maker = PowerFactorMaker.of_engine("gpaw", "gpaw-quick-v1", spec)
    assert maker.transport.program == "boltztrap2"
    assert PowerFactorMaker.of_engine("gpaw", "gpaw-quick-v1").transport.program == "gen2dft"


def test_a_finer_mesh_that_fails_leaves_the_coarser_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    doc = outcome(tmp_path, monkeypatch, 1.0, finest=0.9, tolerance=1e-12)
    assert [step.mesh[0] for step in doc.convergence.steps] == [10]
    assert doc.warnings[-1] == "no finer mesh: scf_not_converged: stand-in"
    assert doc.core_hours == pytest.approx(0.25)


def few_bands(_: object) -> UniformBands:
    """Two cosine bands and a third so near that they say nothing above 0.5 eV."""
    kpoints = full_mesh((12, 12, 12))
    energies = cosine_energies(tetragonal(), kpoints, (3.0, 3.0, 3.0), 1.0)[None]
    energies[:, 2] = energies[:, 1] + 0.5
    return uniform_bands(tetragonal(), kpoints, energies, 2.0, 2, "few bands")


def test_a_doping_that_the_bands_do_not_reach_has_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    narrow = replace(TransportSettings(), temperatures=(300.0,), grid_spacing=0.05, hall=False)
    monkeypatch.setattr(power_factors, "TransportSettings", partial(replace, narrow))
    monkeypatch.setattr(power_factors, "bands_of", few_bands)
    high = outcome(tmp_path, monkeypatch, 1.0, definition="n-300K-1e22", meshes=1)
    assert isinstance(high, CalculationFailure)
    assert high.reason == "too_few_bands"
    assert "1e+22 electrons per cm^3" in high.detail
    assert "ask for lower dopings" in high.detail
    assert high.core_hours == pytest.approx(0.25)
    low = outcome(tmp_path, monkeypatch, 1.0, definition="n-300K-1e19", meshes=1)
    assert isinstance(low, TransportDoc)
    assert max(low.dopings) < 1e22
    assert "1e+22 carriers per cm^3 were left out: too few bands were computed" in low.warnings


def test_a_structure_can_be_computed_without_a_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    transport = TransportMaker(ExampleBandsMaker(), max_spacing=0.4)
    maker = PowerFactorMaker(ExampleMaker(), transport, ExampleMaker())
    monkeypatch.setattr(PowerFactorMaker, "of_engine", lambda *_, **__: maker)
    doc = compute_here(
        tetragonal(), TransportSpec(), "example", "example-v1", tmp_path / "new", 600
    )
    assert isinstance(doc, TransportDoc)
    assert len(list((tmp_path / "new").rglob("uniform.gpw"))) == len(doc.convergence.steps)


def test_a_structure_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    transport = TransportMaker(ExampleBandsMaker(), max_spacing=0.4)
    maker = PowerFactorMaker(OvertimeMaker(), transport, ExampleMaker())
    monkeypatch.setattr(PowerFactorMaker, "of_engine", lambda *_, **__: maker)
    given_up = compute_here(
        tetragonal(), TransportSpec(), "example", "example-v1", tmp_path / "new", 600
    )
    assert (given_up.reason, given_up.detail) == (
        "too_expensive",
        "not finished after 600 CPU seconds",
    )


def test_what_takes_too_long_on_a_finer_mesh_keeps_the_finest_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    transport = TransportMaker(
        ExampleBandsMaker(finest=0.9, overtime=True), max_spacing=0.4, tolerance=1e-12
    )
    maker = PowerFactorMaker(ExampleMaker(), transport, ExampleMaker())
    monkeypatch.setattr(PowerFactorMaker, "of_engine", lambda *_, **__: maker)
    doc = compute_here(
        tetragonal(), TransportSpec(), "example", "example-v1", tmp_path / "new", 600
    )
    assert [step.mesh[0] for step in doc.convergence.steps] == [10]
    assert doc.warnings[-1] == "no finer mesh: too_expensive: not finished after 600 CPU seconds"


@pytest.mark.parametrize(("gap", "relax"), [(0.0, OvertimeMaker()), (0.4, ExampleMaker())])
def test_metals_need_not_be_relaxed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gap: float, relax: Maker
):
    transport = TransportMaker(ExampleBandsMaker(), max_spacing=0.4, meshes=1)
    maker = PowerFactorMaker(ExampleMaker(gap=gap), transport, relax)
    monkeypatch.setattr(PowerFactorMaker, "of_engine", lambda *_, **__: maker)
    found = compute_here(
        tetragonal(), TransportSpec(), "example", "example-v1", tmp_path, 600, refuse_metals=True
    )
    if gap:
        assert isinstance(found, TransportDoc)
    else:
        assert (found.reason, found.detail) == (
            "metal_as_given",
            "Po is a metal as it is, before its relaxation",
        )


def test_bands_that_are_not_there(tmp_path: Path):
    for task in ("uniform_bands", "static"):
        transport = TransportMaker(ExampleBandsMaker())
        failed = transport.make.original(transport, document(task, tmp_path))
        assert isinstance(failed, CalculationFailure)
        assert failed.reason == "no_bands"


def test_engines_without_bands_are_refused():
    with pytest.raises(CampaignError, match="engine 'mlip' computes no bands, so no power factors"):
        PowerFactorMaker.of_engine("mlip", "chgnet-v1")
    maker = PowerFactorMaker.of_engine(
        "gpaw", "gpaw-quick-v1", TransportSpec(definition="ftcp", tolerance=0.1)
    )
    assert maker.transport.uniform_bands.preset == "gpaw-quick-v1"
    assert (maker.transport.definition, maker.transport.tolerance) == ("ftcp", 0.1)
    assert maker.relax is None
