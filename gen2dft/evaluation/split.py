"""Which crystals a generator is trained on, and which it is tested on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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

    def part(self, size: int, rng: np.random.Generator) -> Split:
        """A random part of about `size` rows in all, with the same share of test rows.

        The split itself if smaller.
        """
        share = size / (len(self.train) + len(self.test))
        if share >= 1:
            return self
        rows = [
            np.sort(rng.choice(r, max(1, round(share * len(r))), replace=False))
            for r in (self.train, self.test)
        ]
        return Split(rows[0], rows[1], f"{self.origin}, a random part of {size}")


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
    return Split(
        np.flatnonzero(~is_test),
        np.flatnonzero(is_test),
        f"hash of the id, {share:.0%} for testing",
    )


def read_split(path: Path | str, ids: Sequence[str]) -> Split:
    """Read a JSON file with two lists of ids, `train` and `test`.

    Other crystals of the dataset are left out.

    Raises
    ------
    DatasetError
        The file is missing or not of that form, an id is in both lists or not in the dataset.
    """
    path = Path(path)
    lists = _id_lists(path)
    twice = set(lists["train"]) & set(lists["test"])
    if twice:
        raise DatasetError(
            f"split file {path}: {len(twice)} ids are in train and in test, e.g. {min(twice)}"
        )
    place = {name: row for row, name in enumerate(ids)}
    unknown = [name for part in lists.values() for name in part if name not in place]
    if unknown:
        raise DatasetError(
            f"split file {path}: {len(unknown)} ids are not in the dataset, e.g. "
            f"{', '.join(unknown[:3])}; use the "
            "dataset that the split was made of, with the same filters (--set "
            "dataset.num_elements=[3] and others)"
        )
    train, test = (
        np.sort(np.array([place[name] for name in lists[p]], dtype=np.int64))
        for p in ("train", "test")
    )
    return Split(train, test, f"split file {path.name}")


def _id_lists(path: Path) -> dict[str, list[str]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise DatasetError(f"split file {path} cannot be read: {err.strerror}") from err
    except ValueError as err:
        raise DatasetError(f"split file {path} is not JSON: {err}") from err
    parts = {
        part: content.get(part) if isinstance(content, dict) else None for part in ("train", "test")
    }
    for part, names in parts.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DatasetError(
                f'split file {path}: {part!r} must be a list of ids: {{"train": [...], "test": '
                "[...]}"
            )
        if len(set(names)) < len(names):
            raise DatasetError(f"split file {path}: {part!r} names an id twice")
    return {part: list(names) for part, names in parts.items() if names is not None}
