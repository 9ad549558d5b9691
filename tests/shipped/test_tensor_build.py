"""Tensors behind labels: made from kept bands, checked against the labels, read by any
definition.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from example_bands import cosine_bands
from gpaw_files import write_gpw

from gen2dft.datasets.computed_labels import (
    ComputedLabels,
    LabelRecord,
    join_labels,
    read_labels,
    to_line,
)
from gen2dft.datasets.label_tensors import LabelTensors, tensors_path
from gen2dft.definitions import definition_of
from gen2dft.errors import DatasetError
from gen2dft.shipped.tensor_build import build_tensors, tables_of
from gen2dft.transport.reductions import factor_of
from gen2dft.transport.tables import TransportTables
from tests.datasets.test_computed_labels import SETTINGS, record
from tests.toys import toy_dataset

DATASET = toy_dataset()
GAPS = {0: 0.8, 1: 1.2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept bands of two crystals."""
    folder = tmp_path_factory.mktemp("bands")
    for row, gap in GAPS.items():
        (folder / DATASET.ids[row]).mkdir()
        file = folder / DATASET.ids[row] / "uniform.gpw"
        write_gpw(file, cosine_bands((12, 12, 12), gap=gap, direct=False), 2.0)
    return folder


@cache
def tables(row: int, folder: Path) -> TransportTables:
    return tables_of(DATASET.ids[row], folder)


def labelled(row: int, folder: Path, scale: float = 1.0) -> LabelRecord:
    found = tables(row, folder)
    factors = {}
    for name in ("ricci2017", "ftcp"):
        factors[name] = scale * factor_of(found, definition_of(name)).value
    return record(DATASET, row, band_gap=GAPS[row], power_factor=factors)


@pytest.fixture(scope="module")
def labels(folder: Path) -> ComputedLabels:
    """Labels of both crystals, and of a metal."""
    metal = record(DATASET, 3, band_gap=0.0, reason="metal")
    return ComputedLabels(SETTINGS, (labelled(0, folder), metal, labelled(1, folder)))


@pytest.fixture(scope="module")
def tensors(labels: ComputedLabels, folder: Path) -> LabelTensors:
    """Tensors of both crystals."""
    made = build_tensors(labels, folder)
    assert not made.left_out
    return made.tensors


def test_tensors_come_from_kept_bands_and_others_are_told(folder: Path):
    stranger = labelled(1, folder, scale=1.1)
    without = record(DATASET, 2, band_gap=1.0, power_factor={"ftcp": 1.0})
    known = (labelled(0, folder), stranger, without)
    made = build_tensors(ComputedLabels(SETTINGS, known), folder)
    assert made.tensors.ids == (DATASET.ids[0],)
    assert made.left_out[DATASET.ids[1]] == "its tensors are 9.1 % off its label"
    assert made.left_out[DATASET.ids[2]].startswith("no_bands: uniform.gpw of ")
    assert made.deviations[DATASET.ids[0]] < 1e-9


def test_they_are_read_back_as_the_bands_gave_them(
    folder: Path, labels: ComputedLabels, tensors: LabelTensors
):
    data = tensors.to_bytes()
    read = LabelTensors.from_bytes(data, "here")
    assert read.to_bytes() == data
    crystal = labels.records[0].crystal
    kept, exact = read.tables(DATASET.ids[0], crystal), tables(0, folder)
    for name in ("n-600K-1e20", "ftcp", "best-300K-optimal"):
        value = factor_of(exact, definition_of(name)).value
        assert factor_of(kept, definition_of(name)).value == pytest.approx(value, rel=1e-3)
    assert read.tables(DATASET.ids[0], "another crystal") is None
    assert read.tables("elsewhere", crystal) is None


def test_dopings_that_the_bands_do_not_allow_are_nan(folder: Path):
    full, short = (tables(row, folder) for row in GAPS)
    fewer = {
        kind: type(pair)(*(table[:, :-1] for table in pair))
        for kind, pair in short.carriers.items()
    }
    shorter = replace(short, dopings=short.dopings[:-1], carriers=fewer)
    found = LabelTensors.of({"a": full, "b": shorter}, ("x", "y"), {})
    assert np.isfinite(found.seebeck[0]).all()
    assert np.isnan(found.seebeck[1, ..., -1]).all()
    assert found.tables("b", "y").computed("n").tolist() == shorter.dopings.tolist()


def test_a_file_of_labels_with_tensors_serves_any_definition(
    folder: Path, labels: ComputedLabels, tensors: LabelTensors, tmp_path: Path
):
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(to_line(part) for part in (labels.settings, *labels.records)))
    tensors_path(path).write_bytes(tensors.to_bytes())
    read = read_labels(path)
    electrons = join_labels(DATASET, read, "n-600K-1e19").label("power_factor")
    exact = factor_of(tables(0, folder), definition_of("n-600K-1e19"))
    assert electrons[0] == pytest.approx(exact.value, rel=1e-3)
    assert np.isfinite(electrons).sum() == 2
    opened = join_labels(DATASET, read, "ftcp-gap1").label("power_factor")
    # The gap of the first would have to be opened, which takes its bands.
    assert np.flatnonzero(np.isfinite(opened)).tolist() == [1]
    assert opened[1] == labels.records[2].power_factor["ftcp"]
    with pytest.raises(
        DatasetError, match=r"temperature 1500 is outside 100 to 1300 K.*leave-open"
    ):
        join_labels(DATASET, read, "n-1500K-1e19")


def test_files_that_hold_no_tensors_are_refused(
    folder: Path, tensors: LabelTensors, tmp_path: Path
):
    with pytest.raises(DatasetError, match=r"x holds no tensors.*gen2dft data tensors"):
        LabelTensors.from_bytes(b"nothing", "x")
    broken = replace(tensors, ids=("a", "b", "c"))
    with pytest.raises(DatasetError, match=r"x: tensors of shape .* instead of"):
        LabelTensors.from_bytes(broken.to_bytes(), "x")
    with pytest.raises(DatasetError, match="no tensors can be made from the bands in"):
        build_tensors(ComputedLabels(SETTINGS, (labelled(0, folder),)), tmp_path)
