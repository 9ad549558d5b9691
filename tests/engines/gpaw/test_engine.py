"""GPAW for real, on the smallest crystals, where it is installed."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobflow import Flow, JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder
from pymatgen.core import Lattice, Structure

from gen2dft.calculation import Calculation
from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc, CalculationFailure, Task
from gen2dft.engines.gpaw import engine
from gen2dft.engines.gpaw.gaps import gap_on_mesh, is_metal_however_rough
from gen2dft.engines.gpaw.presets import PRESETS
from gen2dft.engines.kit import _look_at, bands_of, run_task
from gen2dft.engines.makers import makers_of
from gen2dft.errors import CalculationFailed, CampaignError, DatasetError, SettingsError
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.settings import TransportSettings

needs_gpaw = pytest.mark.skipif(
    importlib.util.find_spec("gpaw") is None, reason="GPAW is not installed (make gpaw)"
)
# Small enough for a test: nothing of it is converged.
ROUGH = replace(
    PRESETS["gpaw-quick-v1"],
    cutoff=200.0,
    bands_cutoff=200.0,
    spacing=0.9,
    bands_spacing=0.55,
    fmax=0.3,
)


def silicon(a: float = 5.43) -> Structure:
    half = a / 2
    cell = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
    return Structure(cell, ["Si", "Si"], [[0, 0, 0], [0.25, 0.25, 0.25]])


def aluminium() -> Structure:
    half = 4.05 / 2
    cell = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
    return Structure(cell, ["Al"], [[0, 0, 0]])


@needs_gpaw
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_silicon_from_relaxation_to_transport(tmp_path: Path):
    relaxed = engine.relax(silicon(5.2), ROUGH)
    assert relaxed.converged
    assert 5.2 < relaxed.structure.volume ** (1 / 3) * 4 ** (1 / 3) < 5.8
    bands = engine.uniform_bands(relaxed.structure, ROUGH, tmp_path)
    assert bands.band_gap is not None
    assert 0.2 < bands.band_gap < 1.2
    read = engine.read_bands(tmp_path)
    assert read.electrons == pytest.approx(8, abs=1e-3)
    assert read.mesh.size == (4, 4, 4)
    settings = TransportSettings(
        temperatures=(300.0,), dopings=(1e19,), grid_spacing=0.06, max_spacing=0.6, hall=False
    )
    doc = compute_transport(read, settings)
    assert doc.p.seebeck_mean[0][0] > 0 > doc.n.seebeck_mean[0][0]


@needs_gpaw
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_metal_is_found_on_the_coarse_mesh(tmp_path: Path):
    with pytest.raises(CalculationFailed, match=r"metal: .*Al is a metal here .*coarse mesh"):
        engine.uniform_bands(aluminium(), ROUGH, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["density.txt"]


@needs_gpaw
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_jobs_pass_their_outcomes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(PRESETS, "gpaw-quick-v1", ROUGH)
    monkeypatch.chdir(tmp_path)
    made = makers_of(load_engine("gpaw"), "gpaw-quick-v1")
    assert made.uniform_bands is not None
    static = made.static.make(silicon())
    bands = made.uniform_bands.make(prev=static.output, scale=2.0)
    store = JobStore(MemoryStore())
    run_locally(Flow([static, bands]), store=store, log=False, raise_immediately=True)
    store.connect()
    first, second = [
        MontyDecoder().process_decoded(store.get_output(j.uuid, load=True)) for j in (static, bands)
    ]
    assert isinstance(first, CalculationDoc)
    assert isinstance(second, CalculationDoc)
    assert (first.task, second.task) == ("static", "uniform_bands")
    assert first.is_dft
    assert first.band_gap is not None
    assert bands_of(second).mesh.size == (2, 2, 2)


@needs_gpaw
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_all_meshes_share_one_density(tmp_path: Path):
    coarse, fine, alone = (tmp_path / name for name in ("coarse", "fine", "alone"))
    for folder in (coarse, fine, alone):
        folder.mkdir()
    few = replace(ROUGH, few_bands=True, even=True, bands_residual=1e-4)
    first = engine.uniform_bands(silicon(), few, coarse, 0.9)
    second = engine.uniform_bands(silicon(), few, fine, 0.55, coarse)
    assert second.energy_per_atom == pytest.approx(first.energy_per_atom, abs=1e-6)
    assert "iter:" not in (fine / "density.txt").read_text()  # no self-consistency
    (fine / "density.gpw").unlink()
    third = engine.uniform_bands(silicon(), few, alone, 0.55, fine)
    assert third.band_gap == pytest.approx(second.band_gap, abs=1e-3)
    assert engine.read_bands(alone).energies.shape == engine.read_bands(fine).energies.shape


@needs_gpaw
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_relaxation_begins_where_the_look_ended(tmp_path: Path):
    look = engine.static(silicon(5.2), ROUGH)
    again, known = tmp_path / "again", tmp_path / "known"
    again.mkdir()
    known.mkdir()
    from_scratch = engine.relax(silicon(5.2), ROUGH, again)
    relaxed = engine.relax(silicon(5.2), ROUGH, known, look)
    assert relaxed.energy_per_atom == pytest.approx(from_scratch.energy_per_atom, abs=1e-5)
    assert relaxed.structure.volume == pytest.approx(from_scratch.structure.volume, rel=1e-4)
    first, second = [(folder / "relax.txt").read_text() for folder in (again, known)]
    step = "Force computation time"
    assert second.count(step) == first.count(step) - 1 > 0


@needs_gpaw
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_what_has_lost_its_moments_starts_without_spin():
    still = silicon()
    still.add_site_property("magmom", [0.0, 0.0])
    found = engine.static(still, ROUGH)
    assert found.magmoms == [0.0, 0.0]
    assert engine.static(silicon(), ROUGH).magmoms is None


def at_rest_with(force: float, pressure: float) -> bool:
    """Whether silicon with such a force (eV/Angstrom) and pressure (GPa) needs no relaxation."""
    look = Calculation(
        structure=silicon(),
        energy_per_atom=-5.0,
        converged=True,
        max_force=force,
        stress=[[pressure, 0, 0], [0, pressure, 0], [0, 0, pressure]],
    )
    return engine.at_rest(look, "gpaw-quick-v2")


def test_forces_or_stress_ask_for_a_relaxation():
    assert at_rest_with(0.01, 0.5)
    assert not at_rest_with(0.06, 0.5)
    # 20 cubic Angstrom per atom: 0.1 eV is 0.8 GPa, which strains silicon (99 GPa) by 0.3 %.
    assert at_rest_with(0.01, 0.79)
    assert not at_rest_with(0.01, -0.81)


def test_a_look_without_stress_is_not_at_rest():
    look = Calculation(structure=silicon(), energy_per_atom=-5.0, converged=True, max_force=0.0)
    assert not engine.at_rest(look, "gpaw-quick-v2")


@needs_gpaw
def test_atoms_on_top_of_each_other_are_refused():
    with pytest.raises(
        CalculationFailed, match=r"atoms_too_close: Si2: 0.\d+ of the covalent radii's sum"
    ):
        engine.static(silicon(2.0), ROUGH)


def test_formation_energies_wait_for_references():
    with pytest.raises(DatasetError, match="'gpaw'"):
        load_engine("gpaw").formation_energy(silicon().composition, -5.0)


def test_elements_without_a_data_set_are_found_before_a_campaign_begins(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(engine, "versions", lambda: {"gpaw": "1"})
    monkeypatch.setattr(engine, "elements_with_data", lambda xc: {"Si", "O"})
    assert engine.check("gpaw-v1", {"Si", "O"}) == ()
    with pytest.raises(
        CampaignError, match=r"engine 'gpaw' has no PBE data set of Pu: leave them out"
    ):
        engine.check("gpaw-v1", {"Si", "Pu"})


def test_a_machine_without_gpaw_is_told_so(monkeypatch: pytest.MonkeyPatch):
    def missing() -> dict[str, str]:
        raise SettingsError("engine 'gpaw' needs the package gpaw: make gpaw")

    monkeypatch.setattr(engine, "versions", missing)
    assert engine.check("gpaw-v1", {"Si"}) == ("engine 'gpaw' needs the package gpaw: make gpaw",)


@needs_gpaw
def test_the_data_sets_of_gpaw_are_found():
    assert {"Si", "O", "V"} <= engine.elements_with_data("PBE")


def test_a_failed_calculation_before_is_passed_on():
    failure = CalculationFailure(reason="scf_not_converged", detail="no")
    assert run_task("static", engine.ENGINE, "gpaw-v1", None, failure) == failure
    assert run_task("static", engine.ENGINE, "gpaw-v1", None, None).reason == "no_structure"


def test_a_failure_keeps_its_reason_as_an_outcome(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def fails(structure: Structure, preset: str, folder: Path) -> None:
        raise CalculationFailed("scf_not_converged", "not in 333 steps", folder)

    monkeypatch.chdir(tmp_path)
    failing = replace(engine.ENGINE, static=fails)
    outcome = run_task("static", failing, "gpaw-v1", silicon(), None)
    assert isinstance(outcome, CalculationFailure)
    assert (outcome.reason, outcome.detail) == ("scf_not_converged", "not in 333 steps")
    assert outcome.directory == str(tmp_path)


class Rough:
    """A calculator of two k-points with eigenvalues as told."""

    def __init__(self, energies: list[list[float]]) -> None:
        self.energies = energies

    def get_number_of_spins(self) -> int:
        return 1

    def get_number_of_electrons(self) -> float:
        return 2.0

    def get_ibz_k_points(self) -> list[list[float]]:
        return [[0.0] * 3, [0.5] * 3]

    def get_eigenvalues(self, kpt: int, spin: int) -> list[float]:
        del spin
        return self.energies[kpt]


def test_eigenvalues_that_are_no_numbers_are_not_taken_for_a_metal():
    assert gap_on_mesh(Rough([[-1.0, 2.0], [-2.0, 3.0]])) == pytest.approx(3.0)
    with pytest.raises(CalculationFailed, match="not_finite: GPAW gave eigenvalues that are NaN"):
        gap_on_mesh(Rough([[-1.0, 2.0], [float("nan"), 3.0]]))


def test_without_an_empty_band_there_is_no_gap_to_find():
    with pytest.raises(CalculationFailed, match="too_few_bands: all 1 bands are occupied"):
        gap_on_mesh(Rough([[-1.0], [-2.0]]))


@pytest.mark.parametrize(
    ("overlap", "sure"), [(-0.5, False), (0.0, False), (0.04, False), (0.06, True)]
)
def test_a_metal_is_sure_on_few_points_where_bands_overlap_well(overlap: float, sure: bool):
    assert is_metal_however_rough(Rough([[-1.0, 2.0], [-2.0, -1.0 - overlap]])) is sure


def test_with_spin_a_wider_overlap_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Rough, "get_number_of_spins", lambda self: 2)
    # Both spins have the same bands, so that two of four states are filled at each point.
    assert not is_metal_however_rough(Rough([[-1.0, 2.0], [-2.0, -1.2]]))
    assert is_metal_however_rough(Rough([[-1.0, 2.0], [-2.0, -1.4]]))


def test_an_odd_number_of_electrons_without_spin_makes_a_metal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Rough, "get_number_of_electrons", lambda self: 3.0)
    odd = Rough([[-1.0, 2.0], [-2.0, 3.0]])
    assert (gap_on_mesh(odd), is_metal_however_rough(odd)) == (0.0, True)


@needs_gpaw
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_look_at_a_metal_ends_on_few_points_and_starts_no_relaxation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    look = run_task("look", engine.ENGINE, "gpaw-quick-v2", aluminium(), None)
    assert isinstance(look, CalculationDoc)
    assert (look.band_gap, look.forces, look.ends_as_static) == (0.0, None, False)
    assert look.warnings == [engine.METAL_ON_FEW_POINTS]
    assert not (tmp_path / "static.txt").exists()
    assert not engine.at_rest(look, "gpaw-quick-v2")
    assert _look_at(engine.ENGINE, "gpaw-quick-v2", aluminium(), look) is None


@needs_gpaw
@pytest.mark.parametrize("error", [np.linalg.LinAlgError, ZeroDivisionError, AssertionError])
def test_what_gpaw_stumbles_over_is_a_reason_and_no_crash_of_the_job(
    tmp_path: Path, error: type[Exception]
):
    def stumbles() -> None:
        raise error("not positive definite")

    with pytest.raises(CalculationFailed, match=r"gpaw_failed: Si2: GPAW gave up .*definite"):
        engine._run(stumbles, silicon(), tmp_path)


@needs_gpaw
@pytest.mark.parametrize("content", [b"", b"- of Ulm", b"no such file"])
def test_a_density_that_was_cut_short_is_computed_anew(tmp_path: Path, content: bytes):
    from gen2dft.engines.gpaw.bands import DENSITY_FILE, kept_density

    (tmp_path / "coarser").mkdir()
    (tmp_path / "coarser" / DENSITY_FILE).write_bytes(content)
    assert kept_density(tmp_path / "coarser", tmp_path) is None


@needs_gpaw
def test_an_energy_that_is_no_number_has_a_reason(tmp_path: Path):
    def broken() -> None:
        raise ValueError("Some energy terms are NaN!")

    with pytest.raises(CalculationFailed, match="not_finite: Si2: GPAW says: Some energy terms"):
        engine._run(broken, silicon(), tmp_path)

    def foolish() -> None:
        raise ValueError("a mistake of the program")

    with pytest.raises(ValueError, match="a mistake of the program"):
        engine._run(foolish, silicon(), tmp_path)


@needs_gpaw
@pytest.mark.parametrize("task", ["look", "relax", "static"])
@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"energy_per_atom": float("nan")}, "not_finite"),
        ({"energy_per_atom": -60.0}, "implausible_energy"),
        ({"values": {"band_gap": float("inf")}}, "not_finite"),
        ({"forces": [(999.0, 0.0, 0.0)] * 2}, "implausible_force"),
    ],
)
def test_absurd_results_of_any_task_become_reasons(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, task: Task, told: dict, reason: str
):
    def absurd(structure: Structure, *_: object) -> Calculation:
        sound = Calculation(structure=structure, energy_per_atom=-5.4, converged=True)
        return sound.model_copy(update=told)

    monkeypatch.chdir(tmp_path)
    broken = replace(engine.ENGINE, look=absurd, relax=absurd, static=absurd)
    outcome = run_task(task, broken, "gpaw-v1", silicon(), None)
    assert isinstance(outcome, CalculationFailure)
    assert outcome.reason == reason
    assert outcome.detail.startswith(f"{task} of Si: ")


@needs_gpaw
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_bands_that_gpaw_could_not_converge_have_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    from gpaw.new.ase_interface import ASECalculator

    fixed_density = ASECalculator.fixed_density

    def impatient(self: Any, **changes: Any) -> Any:
        return fixed_density(self, **changes, maxiter=2)

    monkeypatch.setattr(ASECalculator, "fixed_density", impatient)
    with pytest.raises(CalculationFailed, match="bands_not_converged: Si2: GPAW did not") as caught:
        engine.uniform_bands(silicon(), ROUGH, tmp_path)
    assert caught.value.directory == tmp_path
    assert not (tmp_path / engine.UNIFORM_FILE).exists()


def test_a_folder_without_bands(tmp_path: Path):
    with pytest.raises(CalculationFailed, match=r"no_bands: there is no uniform\.gpw in"):
        engine.read_bands(tmp_path)
