"""Labelling a dataset: order, checkpoint, failures; bands stand in for GPAW's."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from example_bands import cosine_bands
from gpaw_files import write_gpw

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import CalculationFailed, DatasetError
from gen2dft.shipped import label_build
from gen2dft.shipped.label_build import LabelTask, bands_folder, label_crystal, label_crystals
from tests.datasets.test_computed_labels import SETTINGS
from tests.toys import rock_salt


def task(name: str) -> LabelTask:
    return LabelTask(name, f"hash of {name}", rock_salt("Na", "Cl", 5.6))


def put_bands(folder: Path, name: str, **which) -> None:
    """Bands of a crystal, where a run that was killed would have left them."""
    (folder / name).mkdir(parents=True)
    write_gpw(folder / name / "uniform.gpw", cosine_bands((12, 12, 12), **which), 2.0)


def test_every_sixth_is_likely_a_metal_while_both_last():
    many, few = [task(f"i{i}") for i in range(12)], [task(f"m{i}") for i in range(3)]
    order = [t.id for t in label_build._every(6, many, few)]
    assert order[:13] == [
        "i0",
        "i1",
        "i2",
        "i3",
        "i4",
        "m0",
        "i5",
        "i6",
        "i7",
        "i8",
        "i9",
        "m1",
        "i10",
    ]
    assert sorted(order) == sorted(t.id for t in many + few)


def test_magnetic_elements_and_large_cells_are_left_out_and_the_cheapest_come_first(monkeypatch):
    from gen2dft.engines.gpaw.presets import get_preset

    monkeypatch.setattr("gen2dft.engines.gpaw.engine.valence_electrons", lambda symbol, xc: 4.0)
    crystals = [rock_salt("Fe", "O", 4.3), rock_salt("Mg", "O", 4.2), rock_salt("Na", "Cl", 5.6)]
    crystals += [rock_salt("K", "Br", 6.6) * (2, 1, 1), rock_salt("Na", "Cl", 6.2)]
    table = CrystalTable.from_structures(crystals)
    dataset = Dataset(table, tuple("abcde"), {"formation_energy": np.zeros(5)})
    chosen = label_build.tasks(dataset, 2, get_preset("gpaw-quick-v1"))
    assert {t.id for t in chosen} == {"b", "c", "e"}
    assert chosen[-1].id == "b"  # an oxide needs a higher cutoff


def test_a_run_goes_on_from_its_file_and_a_failure_does_not_stop_it(tmp_path):
    path = tmp_path / "labels.jsonl"
    put_bands(bands_folder(path), "good", gap=1.0)
    put_bands(bands_folder(path), "metal", gap=-0.3, direct=False)
    (bands_folder(path) / "broken").mkdir()
    (bands_folder(path) / "broken" / "uniform.gpw").write_text("nothing")
    seen = []
    tasks = [task("good"), task("broken"), task("metal")]
    first = label_crystals(tasks[:2], SETTINGS, path, progress=lambda *done: seen.append(done))
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert first.counts() == {"labelled": 1, "unreadable": 1}
    with path.open("a") as file:
        file.write('{"id": "met')  # a kill in the middle of a line
    labels = label_crystals(tasks, SETTINGS, path)
    assert labels.records[:2] == first.records
    good, broken, metal = labels.records
    assert "uniform.gpw" in broken.detail and str(tmp_path) not in broken.detail
    assert good.band_gap == pytest.approx(1.0)
    assert set(good.power_factor) == {"ricci2017", "ftcp"}
    assert min(good.power_factor.values()) > 0
    assert good.mesh == (12, 12, 12)
    assert (metal.band_gap, metal.reason, metal.power_factor) == (0.0, "metal", {})


def test_other_settings_need_another_file(tmp_path):
    path = tmp_path / "labels.jsonl"
    label_crystals([], SETTINGS, path)
    with pytest.raises(
        DatasetError, match="holds labels with other preset, settings_hash: name another file"
    ):
        label_crystals(
            [], SETTINGS.model_copy(update={"preset": "gpaw-v1", "settings_hash": "1"}), path
        )


def test_the_head_of_a_file_names_the_program_of_transport(monkeypatch):
    from gen2dft.engines.gpaw.presets import get_preset

    preset = get_preset("gpaw-quick-v1")
    monkeypatch.setattr("gen2dft.engines.gpaw.presets.versions", dict)
    own = label_build.label_settings("toys", preset)
    assert own.program == "gen2dft" and "boltztrap2" not in own.versions
    monkeypatch.setattr("gen2dft.transport.boltztrap2._load", lambda: None)
    theirs = label_build.label_settings("toys", preset, "boltztrap2")
    assert theirs.program == "boltztrap2" and "boltztrap2" in theirs.versions


def test_labels_are_computed_by_the_program_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "BoltzTraP2", None)
    path = tmp_path / "labels.jsonl"
    put_bands(bands_folder(path), "good", gap=1.0)
    settings = SETTINGS.model_copy(update={"program": "boltztrap2"})
    (record,) = label_crystals([task("good")], settings, path).records
    assert record.reason == "program_missing"
    with pytest.raises(DatasetError, match="holds labels with other program: name another file"):
        label_crystals([], SETTINGS, path)


def test_whatever_the_engine_raises_becomes_a_reason(tmp_path, monkeypatch):
    def crash(*_):
        raise RuntimeError("a strange crystal")

    def spin(*_):
        while True:
            time.process_time()

    monkeypatch.setattr(label_build, "compute_label", crash)
    record = label_crystal(task("a"), "gpaw-quick-v1", tmp_path, 100.0)
    assert (record.reason, record.detail) == ("crashed", "RuntimeError: a strange crystal")
    monkeypatch.setattr(label_build, "compute_label", spin)
    record = label_crystal(task("a"), "gpaw-quick-v1", tmp_path, 0.05)
    assert (record.reason, record.detail) == (
        "too_expensive",
        "not finished after 0.05 CPU seconds",
    )


def test_bands_are_there_whole_or_not_at_all(tmp_path, monkeypatch):
    def half(structure, preset, folder):
        (folder / "uniform.gpw").write_text("half")
        raise CalculationFailed("scf_not_converged", "no")

    monkeypatch.setattr("gen2dft.engines.gpaw.engine.uniform_bands", half)
    for _ in range(2):
        record = label_crystal(task("a"), "gpaw-quick-v1", tmp_path, 100.0)
        assert record.reason == "scf_not_converged"
        assert not (tmp_path / "a").exists()
