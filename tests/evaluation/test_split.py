import json
from pathlib import Path

import numpy as np
import pytest

from gen2dft.errors import DatasetError
from gen2dft.evaluation.split import Split, read_split, split_by_hash

IDS = [f"x-{i}" for i in range(500)]


def write(folder: Path, content: object) -> Path:
    path = folder / "split.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_file_names_both_parts_and_the_rest_is_left_out(tmp_path):
    split = read_split(write(tmp_path, {"train": ["x-7", "x-3"], "test": ["x-5"]}), IDS)
    assert split.train.tolist() == [3, 7] and split.test.tolist() == [5]


def test_the_hash_splits_by_id_alone():
    split = split_by_hash(IDS)
    assert 60 < len(split.test) < 140
    assert sorted([*split.train, *split.test]) == list(range(500))
    turned = split_by_hash(IDS[::-1])
    assert {IDS[i] for i in split.test} == {IDS[::-1][i] for i in turned.test}


def test_a_part_keeps_the_share_and_depends_on_the_seed_alone():
    split = split_by_hash(IDS)
    part = split.part(100, np.random.default_rng(1))
    assert len(part.train) + len(part.test) in (99, 100, 101)
    assert len(part.test) == round(100 * len(split.test) / 500)
    assert set(part.train) <= set(split.train) and set(part.test) <= set(split.test)
    assert part.test.tolist() == split.part(100, np.random.default_rng(1)).test.tolist()
    assert split.part(10_000, np.random.default_rng(1)) is split


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"split.json is not JSON"),
        ({"train": ["x-1", "x-2"]}, r"'test' must be a list of ids"),
        ([1], r"'train' must be a list of ids"),
        ({"train": ["x-1", "x-2"], "test": [3]}, r"'test' must be a list of ids"),
        ({"train": ["x-1", "x-1"], "test": ["x-3"]}, r"'train' names an id twice"),
        ({"train": ["x-1", "x-2"], "test": ["x-2"]}, r"1 ids are in train and in test, e.g. x-2"),
        (
            {"train": ["x-1", "y"], "test": ["z"]},
            r"2 ids are not in the dataset, e.g. y, z; use the dataset",
        ),
        ({"train": ["x-1", "x-2"], "test": []}, r"no crystal to test on \(split file split.json\)"),
        ({"train": ["x-1"], "test": ["x-2"]}, r"1 crystals to train on"),
    ],
)
def test_a_broken_file_is_refused(tmp_path, content, message):
    with pytest.raises(DatasetError, match=message):
        read_split(write(tmp_path, content), IDS)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"none.json cannot be read: No such file"):
        read_split(tmp_path / "none.json", IDS)


def test_a_dataset_too_small_to_test_on_is_refused():
    with pytest.raises(DatasetError, match=r"no crystal to test on"):
        Split(np.arange(3), np.zeros(0, np.int64), "hash")
