"""Which crystals a generator is trained on, and which it is tested on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import DatasetError
from gen2dft.generators.split import held_out

TEST_SHARE = 0.2
MIN_TRAIN = 2


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a dataset.

    Parameters
    ----------
    train, test
        Rows to train on and rows to test on, ascending; none is in both.
    origin
        Where the split is from, for people.

    Raises
    ------
    DatasetError
        If there is nothing to train on or to test on.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    origin: str

    def __post_init__(self) -> None:
        if not len(self.test):
            raise DatasetError(
                f"no crystal to test on ({self.origin}): take a larger dataset or another split"
            )
        if len(self.train) < MIN_TRAIN:
            raise DatasetError(
                f"{len(self.train)} crystals to train on ({self.origin}): take a larger dataset"
            )

    def as_dict(self) -> dict[str, Any]:
        """Origin and sizes as plain values."""
        return {"origin": self.origin, "train": len(self.train), "test": len(self.test)}

    def part(self, size: int, rng: np.random.Generator) -> Split:
        """A random part of about `size` rows in all, with the same share of test rows.

        The split itself if smaller.
        """
        total = len(self.train) + len(self.test)
        share = size / total
        if share >= 1:
            return self
        train = _part_of(self.train, share, rng)
        test = _part_of(self.test, share, rng)
        return Split(train, test, f"{self.origin}, a random part of {size}")


def split_by_hash(ids: Sequence[str], share: float = TEST_SHARE) -> Split:
    """Test rows chosen by a hash of the id alone: a crystal stays on its side whatever the dataset.

    Parameters
    ----------
    ids
        (n,) ids of the crystals.
    share
        Expected share of test rows.
    """
    is_test = held_out(ids, share)
    train = np.flatnonzero(~is_test)
    test = np.flatnonzero(is_test)
    return Split(train, test, f"hash of the id, {share:.0%} for testing")


def _part_of(rows: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random share of the rows, ascending; one at least."""
    number = max(1, round(share * len(rows)))
    return np.sort(rng.choice(rows, number, replace=False))


def read_split(path: Path | str, ids: Sequence[str]) -> Split:
    """Read a JSON file with two lists of ids, `train` and `test`.

    Other crystals of the dataset are left out.

    Raises
    ------
    DatasetError
        The file is missing or not of that form, an id is in both lists or not in the dataset.
    """
    path = Path(path)
    train, test = _id_lists(path)
    twice = set(train) & set(test)
    if twice:
        raise DatasetError(
            f"split file {path}: {len(twice)} ids are in train and in test, e.g. {min(twice)}"
        )
    place = {name: row for row, name in enumerate(ids)}
    named = [*train, *test]
    unknown = [name for name in named if name not in place]
    if unknown:
        examples = ", ".join(unknown[:3])
        raise DatasetError(
            f"split file {path}: {len(unknown)} ids are not in the dataset, e.g. {examples}; use "
            "the dataset that the split was made of, with the same filters (--set "
            "dataset.num_elements=[3] and others)"
        )
    train_rows = _rows(train, place)
    test_rows = _rows(test, place)
    return Split(train_rows, test_rows, f"split file {path.name}")


def _rows(names: Sequence[str], place: Mapping[str, int]) -> NDArray[np.int64]:
    """Rows of crystals in the dataset, ascending."""
    rows = [place[name] for name in names]
    return np.sort(np.array(rows, dtype=np.int64))


def _id_lists(path: Path) -> tuple[list[str], list[str]]:
    """Ids to train on and ids to test on, as a file names them."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise DatasetError(f"split file {path} cannot be read: {err.strerror}") from err
    except ValueError as err:
        raise DatasetError(f"split file {path} is not JSON: {err}") from err
    parts = content if isinstance(content, dict) else {}
    train = _id_list(parts, "train", path)
    test = _id_list(parts, "test", path)
    return train, test


def _id_list(parts: Mapping[str, Any], part: str, path: Path) -> list[str]:
    """One list of a split file."""
    names = parts.get(part)
    are_ids = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if names is None or not are_ids:
        raise DatasetError(
            f'split file {path}: {part!r} must be a list of ids: {{"train": [...], "test": [...]}}'
        )
    different = set(names)
    if len(different) < len(names):
        raise DatasetError(f"split file {path}: {part!r} names an id twice")
    return list(names)
