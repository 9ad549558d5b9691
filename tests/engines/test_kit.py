"""Documents of plain functions: provenance, cost, failures, bands."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import springs
from springs import CSCL, SPRINGS

from gen2dft import engines
from gen2dft.engines import kit
from gen2dft.engines.base import CalculationDoc
from gen2dft.engines.kit import Given, bands_of, calculate, run_task
from gen2dft.errors import CalculationFailed
from gen2dft.symmetry import space_group_symbol


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The springs are an engine of another package."""

    class Point:
        dist = SimpleNamespace(name="gen2dft-springs", version="2.1")

        def load(self) -> engines.base.Engine:
            return SPRINGS

    monkeypatch.setitem(engines.ENGINES, "springs", Point().load)


def test_a_document_carries_total_energy_cost_and_settings():
    doc = run_task("static", SPRINGS, "soft", CSCL * 2, None)
    assert isinstance(doc, CalculationDoc)
    assert doc.energy == pytest.approx(16 * doc.energy_per_atom)
    assert doc.core_hours == pytest.approx(1 / 3600)
    assert (doc.engine, doc.settings_hash, doc.is_dft) == ("springs", "0123456789ab", False)
    assert doc.versions == {"numpy": np.__version__}
    assert doc.directory is None


@pytest.mark.usefixtures("plugged")
def test_the_package_of_an_engine_is_among_its_versions():
    doc = calculate("relax", SPRINGS, "soft", CSCL)
    assert doc.versions == {"numpy": np.__version__, "gen2dft-springs": "2.1"}


def test_time_and_cores_that_an_engine_tells_count_and_others_are_measured():
    def untimed(structure, preset):
        return springs.static(structure, preset).model_copy(
            update={"wall_seconds": None, "cores": 4}
        )

    doc = calculate("static", replace(SPRINGS, static=untimed), "soft", CSCL)
    assert 0 < doc.wall_seconds < 60
    assert doc.core_hours == pytest.approx(4 * doc.wall_seconds / 3600)


def test_an_engine_that_leaves_files_gets_the_folder_and_documents_name_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def static(structure, preset, folder):
        (folder / "out.txt").write_text(preset)
        return springs.static(structure, preset)

    monkeypatch.chdir(tmp_path)
    doc = calculate("static", replace(SPRINGS, static=static, takes_folder=True), "soft", CSCL)
    assert doc.directory == f"{socket.gethostname()}:{tmp_path}"
    assert (tmp_path / "out.txt").read_text() == "soft"


def test_a_document_that_an_engine_made_itself_is_left_alone():
    own = calculate("static", SPRINGS, "soft", CSCL).model_copy(update={"core_hours": 7.0})
    assert calculate("static", replace(SPRINGS, static=lambda *_: own), "soft", CSCL) is own


def test_a_failed_calculation_becomes_a_document_and_stops_the_next():
    dense = CSCL.copy()
    dense.scale_lattice(1.0)
    failed = run_task("relax", SPRINGS, "soft", dense, None)
    assert (failed.reason, failed.detail) == ("volume_out_of_range", "too dense")
    assert failed.costs == {"relax": failed.core_hours}
    assert failed.core_hours > 0
    assert run_task("static", SPRINGS, "soft", None, failed) == failed
    assert run_task("static", SPRINGS, "soft", None, None).reason == "no_structure"


def test_the_next_calculation_begins_with_the_symmetry_that_a_relaxation_left_behind():
    """Within 0.01 Angstrom: sites keep their order and their moments, and a static calculation its
    structure.
    """
    rough = CSCL.copy(site_properties={"magmom": [1.0, -1.0]})
    rough.translate_sites([1], [0.001, 0.0005, 0.0])
    rough.apply_strain([0.0005, 0.0, -0.0005])
    relaxed = calculate("relax", SPRINGS, "soft", CSCL).model_copy(update={"structure": rough})
    start = kit.starting_structure(None, relaxed)
    assert space_group_symbol(rough, 1e-5) == "P1"
    assert space_group_symbol(start, 1e-5) == "P4mm"
    assert (start.species, start.site_properties) == (rough.species, rough.site_properties)
    static = relaxed.model_copy(update={"task": "static"})
    assert kit.starting_structure(None, static) is rough


@pytest.mark.usefixtures("plugged")
def test_bands_are_read_by_their_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    doc = calculate("uniform_bands", SPRINGS, "soft", CSCL, Given(scale=0.5))
    assert (doc.task, doc.band_gap) == ("uniform_bands", 1.0)
    assert bands_of(doc).mesh.size == (12, 12, 12)


@pytest.mark.usefixtures("plugged")
def test_bands_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    static = calculate("static", SPRINGS, "soft", CSCL)
    with pytest.raises(CalculationFailed, match=r"no_bands: task static of engine 'springs'"):
        bands_of(static)
    lost = static.model_copy(update={"task": "uniform_bands", "directory": f"host:{tmp_path}"})
    with pytest.raises(CalculationFailed, match=r"no_bands: there is no bands.json in /"):
        bands_of(lost)
    unreadable = replace(SPRINGS, read_bands=None)
    monkeypatch.setitem(engines.ENGINES, "springs", lambda: unreadable)
    with pytest.raises(CalculationFailed, match="no_bands: engine 'springs' reads no bands"):
        bands_of(lost)
    monkeypatch.delitem(engines.ENGINES, "springs")
    with pytest.raises(CalculationFailed, match=r"plugin_missing: engine 'springs' is from"):
        bands_of(lost)


def test_an_engine_without_bands_computes_none():
    with pytest.raises(CalculationFailed, match="no_bands: engine 'springs' computes no bands"):
        calculate("uniform_bands", replace(SPRINGS, bands=None), "soft", CSCL)


def test_folders_of_documents():
    assert kit.local_folder("host:/scratch/a:b") == Path("/scratch/a:b")
    assert kit.local_folder("/scratch/a") == Path("/scratch/a")
