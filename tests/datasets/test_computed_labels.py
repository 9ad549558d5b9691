"""Files of computed labels: read back, joined by id and content, refused when they do not fit."""

import json

import numpy as np
import pytest

from gen2dft.datasets.computed_labels import (
    ComputedLabels,
    LabelRecord,
    LabelSettings,
    crystal_hash,
    join_labels,
    parse_labels,
    read_labels,
    to_line,
)
from gen2dft.errors import DatasetError
from tests.toys import toy_dataset

SETTINGS = LabelSettings(
    source="toys",
    cells="as they are",
    engine="gpaw",
    preset="gpaw-quick-v1",
    settings_hash="0",
    settings={},
    versions={},
    method="by hand",
    approximation="constant relaxation time",
    relaxation_time=1e-14,
    definitions={"ricci2017": {}, "ftcp": {}},
)


def record(dataset, index, **values):
    return LabelRecord(
        id=dataset.ids[index], crystal=crystal_hash(dataset, index), formula="AB", **values
    )


def labels(*records):
    return ComputedLabels(SETTINGS, records)


def file_of(*records):
    return "".join(to_line(part) for part in (SETTINGS, *records)).encode()


def test_labels_join_by_id_and_keep_what_is_there():
    dataset = toy_dataset()
    found = labels(
        record(dataset, 2, band_gap=1.5, power_factor={"ricci2017": 2.0, "ftcp": 9.0}),
        record(dataset, 0, band_gap=0.0, reason="metal"),
        record(dataset, 5, reason="scf_not_converged"),
    )
    joined = join_labels(dataset, found, "ftcp")
    assert joined.label("power_factor")[2] == 9.0
    assert joined.label("band_gap")[[0, 2]].tolist() == [0.0, 1.5]
    assert joined.num_labels() == {"formation_energy": 8, "band_gap": 2, "power_factor": 1}
    assert joined.provenance["computed_labels"]["counts"] == {
        "labelled": 1,
        "metal": 1,
        "scf_not_converged": 1,
    }
    again = join_labels(joined, labels(record(dataset, 2, band_gap=7.0)), "ftcp")
    assert again.label("band_gap")[2] == 1.5
    assert np.array_equal(again.label("formation_energy"), dataset.label("formation_energy"))


def test_a_file_is_read_as_it_was_written_up_to_a_line_cut_off(tmp_path):
    dataset = toy_dataset()
    records = [
        record(dataset, i, band_gap=float(i), mesh=(8, 8, 8), spacing=0.15) for i in range(3)
    ]
    path = tmp_path / "labels.jsonl"
    path.write_bytes(file_of(*records)[:-9])
    assert read_labels(path) == labels(*records[:2])


def test_what_does_not_fit_is_refused():
    dataset = toy_dataset()
    other = record(dataset, 1, band_gap=1.0).model_copy(update={"id": dataset.ids[0]})
    with pytest.raises(
        DatasetError, match=r"toy-NaCl was computed for another crystal.*label it again"
    ):
        join_labels(dataset, labels(other), "ftcp")
    stranger = other.model_copy(update={"id": "elsewhere"})
    with pytest.raises(DatasetError, match="none of the 1 computed labels of 'toys'"):
        join_labels(dataset, labels(stranger), "ftcp")
    computed = record(dataset, 2, band_gap=1.5, power_factor={"ricci2017": 2.0, "ftcp": 9.0})
    with pytest.raises(
        DatasetError,
        match=r"no power factors by definition 'n-600K-1e19': .* has no tensors, only ricci2017, "
        r"ftcp.*few_labels: leave-open",
    ):
        join_labels(dataset, labels(computed), "n-600K-1e19")
    joined = join_labels(dataset, labels(computed), "n-600K-1e19", leave_open=True)
    assert joined.num_labels()["power_factor"] == 0
    assert joined.label("band_gap")[2] == 1.5
    assert "n-600K-1e19" in joined.provenance["computed_labels"]["open"]


def test_broken_files_name_the_line(tmp_path):
    with pytest.raises(DatasetError, match=r"there is no file of labels .*gen2dft data label"):
        read_labels(tmp_path / "gone.jsonl")
    with pytest.raises(DatasetError, match="x is empty"):
        parse_labels(b"", "x")
    wrong = file_of() + (json.dumps({"id": "a", "formula": "AB"}) + "\n").encode()
    with pytest.raises(
        DatasetError, match="x, line 2, is not one of computed labels: crystal: Field required"
    ):
        parse_labels(wrong, "x")
    with pytest.raises(DatasetError, match="x, line 1, "):
        parse_labels(b"not json\n", "x")


def with_record(**values):
    """A file whose one record is changed as no program writes it."""
    known = json.loads(to_line(record(toy_dataset(), 0, band_gap=1.0)))
    return to_line(SETTINGS).encode() + json.dumps({**known, **values}).encode() + b"\n"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"band_gap": float("nan")}, "band_gap: Input should be a finite number"),
        ({"band_gap": float("inf")}, "band_gap: Input should be a finite number"),
        ({"band_gap": -0.1}, "band_gap: Input should be greater than or equal to 0"),
        ({"band_gap": True}, "band_gap: Input should be a valid number"),
        ({"band_gap": "1.5"}, "band_gap: Input should be a valid number"),
        ({"power_factor": {"ftcp": float("nan")}}, r"power_factor\.ftcp: .*finite"),
        ({"power_factor": {"ftcp": -1.0}}, r"power_factor\.ftcp: .*greater"),
        ({"id": 101}, "id: Input should be a valid string"),
    ],
)
def test_values_that_no_crystal_has_are_refused(values, problem):
    with pytest.raises(DatasetError, match=f"mine, line 2, is not one of .*{problem}"):
        parse_labels(with_record(**values), "mine")


def test_two_records_of_a_crystal_must_say_the_same():
    dataset = toy_dataset()
    twice = record(dataset, 0, band_gap=1.0)
    assert len(parse_labels(file_of(twice, twice), "mine").records) == 1
    with pytest.raises(DatasetError, match="line 3: toy-NaCl has another record before"):
        parse_labels(file_of(twice, record(dataset, 0, band_gap=2.0)), "mine")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"[" * 100_000 + b"\n", "line 1, is not one of computed labels"),
        ("tü\n".encode("latin-1"), "is no UTF-8 text"),
        (b'{"a": 1, "a": 2}\n', "line 1, .* the key 'a' twice"),
        (b"\n\n", "is empty"),
    ],
)
def test_damaged_files_of_labels_are_named(data, problem):
    with pytest.raises(DatasetError, match=f"mine.*{problem}"):
        parse_labels(data, "mine")


def test_what_is_no_file_of_labels_is_named(tmp_path):
    (tmp_path / "zero.jsonl").symlink_to("/dev/zero")
    for path, problem in (("zero.jsonl", "is a device"), (".", "is a folder")):
        with pytest.raises(DatasetError, match=problem):
            read_labels(tmp_path / path)
    (tmp_path / "mine.jsonl").write_bytes(file_of())
    (tmp_path / "mine.npz").symlink_to("/dev/zero")
    with pytest.raises(DatasetError, match=r"mine\.npz is a device, not a file: make it anew"):
        read_labels(tmp_path / "mine.jsonl")


def test_labels_without_a_crystal_are_counted_and_named():
    dataset = toy_dataset()
    stranger = record(dataset, 0, band_gap=1.0).model_copy(update={"id": "gone"})
    joined = join_labels(dataset, labels(record(dataset, 1, band_gap=1.0), stranger), "ftcp", True)
    assert joined.provenance["computed_labels"]["without_crystal"] == {
        "count": 1,
        "first": ["gone"],
    }
