"""The example package `bulk_modulus`, installed by pip: its contract, one value checked by finite
differences, and a campaign of toys from start to hit.
"""

from __future__ import annotations

import importlib
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import mongomock
import numpy as np
import pytest
from gen2dft.flows import candidates
from gen2dft.flows.candidates import expand
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from mongomock.gridfs import enable_gridfs_integration
from pymatgen.core import Composition, Lattice, Structure

from gen2dft import engines, property_steps
from gen2dft.calculation import Calculation
from gen2dft.campaign import CampaignSpec, load_campaign
from gen2dft.engines.makers import makers_of
from gen2dft.errors import CalculationFailed
from gen2dft.exchange.credits import Credits
from gen2dft.exchange.export import Choice, export_campaign
from gen2dft.exchange.restore import import_archive
from gen2dft.plugins import registry
from gen2dft.properties import GROUP
from gen2dft.query import find_hits
from gen2dft.report.page import write_report
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.close import try_close
from gen2dft.rounds.round import Round
from gen2dft.store.store import Store
from gen2dft.testing.properties import PropertyStepSuite
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.rounds.test_steps import queued, up_to_dispatch

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EV_PER_A3_IN_GPA = 160.21766208
REST = 12.0  # A^3 per atom at which toys are relaxed
STIFFEST = 400.0  # GPa


def stiffness(composition: Composition) -> float:
    """GPa: half of the toys are stiff."""
    return STIFFEST if min(element.Z for element in composition.elements) % 2 else 50.0


def spring_energy(structure: Structure) -> float:
    """eV/atom: Morse-like in the length of the cell, of known curvature at the volume of rest."""
    per_atom, composition = structure.volume / len(structure), structure.composition
    length = (per_atom / REST) ** (1 / 3) - 1
    curvature = 9 * stiffness(composition) * REST / EV_PER_A3_IN_GPA  # d2E/dlength2 = 9 B V
    steepness = 3.0
    well = curvature / (2 * steepness**2)
    return toys.formation_energy(composition) + well * (1 - math.exp(-steepness * length)) ** 2


def calculated(structure: Structure, preset: str) -> Calculation:
    return Calculation(
        structure=structure,
        energy_per_atom=spring_energy(structure),
        converged=True,
        max_force=0.0,
        wall_seconds=0.1,
    )


def at_rest(structure: Structure, preset: str) -> Calculation:
    relaxed = structure.copy()
    relaxed.scale_lattice(REST * len(structure))
    return calculated(relaxed, preset)


SPRINGS = replace(toys.TOY_ENGINE, relax=at_rest, static=calculated, makers=None)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package is installed into."""
    folder = tmp_path_factory.mktemp("bulk-modulus")
    source = shutil.copytree(EXAMPLES / "plugins" / "bulk_modulus", folder / "source")
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target")
    command = [sys.executable, "-m", "pip", "install", *options, str(folder / "site"), str(source)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return folder / "site"


def plug(patch: pytest.MonkeyPatch, site: Path) -> None:
    """Install the package for this process, and the toy engine with springs."""
    patch.syspath_prepend(str(site))
    # The registry of this process was read before the package was installed.
    found = registry.__wrapped__(GROUP)["bulk_modulus"]
    patch.setitem(property_steps.STEPS, "bulk_modulus", found)
    patch.setitem(engines.ENGINES, "toy", lambda: SPRINGS)


@pytest.fixture
def plugin(site: Path, monkeypatch: pytest.MonkeyPatch, toy_plugins: None) -> ModuleType:
    """The package, installed for one test."""
    plug(monkeypatch, site)
    return importlib.import_module("gen2dft_bulk_modulus")


def test_it_is_short():
    (code,) = (EXAMPLES / "plugins" / "bulk_modulus").glob("*.py")
    assert 10 < len([line for line in code.read_text().splitlines() if line.strip()]) < 80


class TestContract(PropertyStepSuite):
    engine, preset = "toy", "toy-v1"
    structure = toys.rock_salt("Na", "Cl", 5.6)

    @pytest.fixture(autouse=True)
    def _installed(self, plugin: ModuleType) -> None:
        type(self).step = plugin.STEP

    def check_value(self, value: float) -> None:
        assert value == pytest.approx(STIFFEST, rel=0.02)


def test_it_is_what_finite_differences_give(plugin: ModuleType):
    structure = at_rest(toys.rock_salt("Na", "Cl", 5.6), "toy-v1").structure
    maker = plugin.BulkModulusMaker("toy", "toy-v1", {"strain": 0.02, "points": 9})
    document = makers_of(SPRINGS, "toy-v1").static
    static = document.make.original(document, structure)
    outcome = maker.make.original(maker, static)
    step = 1e-3 * REST
    energies = [
        spring_energy(structure.copy().scale_lattice(len(structure) * (REST + k * step)))
        for k in (-1, 0, 1)
    ]
    curvature = (energies[0] - 2 * energies[1] + energies[2]) / step**2
    by_differences = REST * curvature * EV_PER_A3_IN_GPA
    assert outcome.values["bulk_modulus"] == pytest.approx(by_differences, rel=0.01)


def test_it_is_what_the_potentials_stress_says(plugin: ModuleType):
    pytest.importorskip("chgnet")
    from gen2dft.engines.mlip.engine import relax, static

    cell = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.33), ["Ti", "C"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    relaxed = relax(cell.get_primitive_structure(), "chgnet-v1").structure
    volumes = relaxed.volume * (1 + np.linspace(-0.02, 0.02, 9)) ** 3
    strained = [static(relaxed.copy().scale_lattice(v), "chgnet-v1") for v in volumes]
    pressures = [-np.trace(each.stress) / 3 for each in strained]
    slope = np.polyfit(volumes - relaxed.volume, pressures, 2)[1]
    energies = np.array([len(relaxed) * each.energy_per_atom for each in strained])
    volume, modulus = plugin.birch_murnaghan(volumes, energies)
    assert volume == pytest.approx(relaxed.volume, rel=0.02)
    assert modulus == pytest.approx(-relaxed.volume * slope, rel=0.05)


@pytest.mark.parametrize("energies", [[5, 4, 3, 2, 1], [1, 2, 3, 2, 1], [0, 0, 0, 0, 0]])
def test_a_curve_without_a_minimum_is_refused(plugin: ModuleType, energies: list[float]):
    with pytest.raises(CalculationFailed, match="no_minimum"):
        plugin.birch_murnaghan(np.linspace(9, 11, 5), np.array(energies, dtype=float))


def test_a_modulus_that_nothing_has_is_not_believed(plugin: ModuleType, monkeypatch):
    monkeypatch.setattr(plugin, "LARGEST", 100.0)
    document = makers_of(SPRINGS, "toy-v1").static
    structure = at_rest(toys.rock_salt("Na", "Cl", 5.6), "toy-v1").structure
    maker = plugin.BulkModulusMaker("toy", "toy-v1", {})
    outcome = maker.make.original(maker, document.make.original(document, structure))
    assert (outcome.values, outcome.reason) == ({}, "out_of_range")
    assert "GPa, not believed" in outcome.detail


def test_a_failure_of_the_engine_is_the_reason(plugin: ModuleType, monkeypatch):
    def broken(structure: Structure, preset: str) -> Calculation:
        raise CalculationFailed("exploded", "too far")

    document = makers_of(SPRINGS, "toy-v1").static
    structure = at_rest(toys.rock_salt("Na", "Cl", 5.6), "toy-v1").structure
    static = document.make.original(document, structure)
    monkeypatch.setitem(engines.ENGINES, "toy", lambda: replace(SPRINGS, static=broken))
    maker = plugin.BulkModulusMaker("toy", "toy-v1", {})
    assert maker.make.original(maker, static).reason == "exploded"


@pytest.mark.usefixtures("plugin")
def test_its_campaign_is_valid():
    spec = load_campaign(str(EXAMPLES / "campaigns" / "bulk-modulus.yaml"))
    entry = spec.properties["bulk_modulus"]
    assert (entry.unit, entry.package) == ("GPa", "gen2dft-bulk-modulus")
    property_steps.check_steps(spec)


@pytest.fixture(scope="module")
def found(site: Path) -> tuple[Store, str]:
    """A round of toys that asks for stiff ones; afterwards the package is gone again."""
    enable_gridfs_integration()
    targets = [
        {"property": "bulk_modulus", "min": 150.0},
        {"property": "formation_energy", "max": 9.0},
    ]
    store, dataset = Store(mongomock.MongoClient(tz_aware=True)["test"]), toys.toy_dataset()
    with toys.toys_registered(), pytest.MonkeyPatch.context() as patch:
        plug(patch, site)
        spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "targets": targets})
        campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
        context = Round(store, campaign.id, 0)
        patch.setattr(candidates, "open_round", lambda *_: context)
        up_to_dispatch(context)
        for key in queued(context):
            run_locally(expand(context, key), store=JobStore(MemoryStore()), log=False)
        assert try_close(context)
    return store, campaign.id


def test_a_campaign_labels_crystals_and_names_the_package(found: tuple[Store, str]):
    store, key = found
    labels = store.labels(key)
    moduli = [label.values["bulk_modulus"] for label in labels]
    assert min(moduli) == pytest.approx(50, rel=0.02) and max(moduli) == pytest.approx(
        400, rel=0.02
    )
    made = {"package": "gen2dft-bulk-modulus", "version": "0.1.0"}
    assert all(label.provenance["properties"] == {"bulk_modulus": made} for label in labels)


def test_its_hits_are_the_stiff_ones_by_computed_values(found: tuple[Store, str]):
    store, key = found
    moduli = {label.candidate_id: label.values["bulk_modulus"] for label in store.labels(key)}
    hits = find_hits(store, "bulk_modulus > 150", key)
    assert {hit.candidate_id for hit in hits} == {k for k, v in moduli.items() if v > 150} != set()
    assert all(hit.basis["bulk_modulus"] == "toy" for hit in hits)


def test_report_and_archive_can_be_read_without_the_package(found: tuple[Store, str], tmp_path):
    store, key = found
    assert "bulk_modulus" not in property_steps.STEPS
    archive, copy = tmp_path / "stiff.zip", Store(mongomock.MongoClient(tz_aware=True)["copy"])
    with toys.toys_registered():
        export_campaign(store, key, archive, Credits(), Choice(True, True))
        import_archive(copy, archive)
    assert len(find_hits(copy, "bulk_modulus > 150", key)) == len(store.hits(key))
    page = write_report(copy, key, tmp_path).read_text()
    assert "bulk modulus" in page and "at least 150 GPa" in page
    assert "bulk_modulus by gen2dft-bulk-modulus 0.1.0" in page
