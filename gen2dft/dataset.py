"""Dataset: crystals with ids and labels, and its file format (NumPy .npz without pickle)."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gen2dft.atomic import write_atomically
from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError, OutputError, not_one_of
from gen2dft.hashing import ContentHash
from gen2dft.input_files import DAMAGED_ARRAYS, UnreadableFile, opened_arrays, read_bytes
from gen2dft.properties import Properties, Property

FORMAT_VERSION = 1
# Names of arrays in the file: the fields of a CrystalTable, and a prefix for columns of labels.
CRYSTAL_ARRAYS = ("lattices", "numbers", "frac", "offsets")
LABEL_PREFIX = "label_"
WEIGHT_PREFIX = "weight_"
LARGEST_NUMBER = 255  # that an array of atomic numbers holds


@dataclass(frozen=True, eq=False)
class Dataset:
    """Crystals, their ids and their labels.

    Parameters
    ----------
    crystals
        `n` crystals.
    ids
        One unique id per crystal, e.g. `mp-149`.
    labels
        Property name (see `gen2dft.properties`) to (n,) values in the property's unit; NaN means
        not labelled.
    provenance
        Where the data came from: source, query, versions, counts of what was left out and why.
    properties
        What the labels' names mean; properties that are not built in are stored with the data.
    weights
        Property to (n,) numbers from 0 to 1, how much its labels count in training; a property that
        is not there has labels that all count 1.

    Raises
    ------
    DatasetError
        For duplicate ids, infinite labels, weights outside 0 to 1, unknown properties or lengths
        that differ; the place is named.
    """

    crystals: CrystalTable
    ids: tuple[str, ...]
    labels: Mapping[str, NDArray[np.float64]]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    properties: Properties = field(default_factory=Properties)
    weights: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.crystals):
            raise DatasetError(f"{len(self.ids)} ids for {len(self.crystals)} crystals")
        _refuse_duplicates(self.ids)
        for name, values in self.labels.items():
            self._check_column(name, values)
        for name, values in self.weights.items():
            self._check_weights(name, values)

    def _check_column(self, name: str, values: NDArray[np.float64]) -> None:
        if name not in self.properties:
            raise DatasetError(not_one_of("label column", name, self.properties))
        if values.shape != (len(self),):
            raise DatasetError(
                f"label column {name!r} has shape {values.shape}, expected ({len(self)},)"
            )
        infinite = np.isinf(values)
        if infinite.any():
            first_rows = np.flatnonzero(infinite)[:3]
            where = ", ".join(self.ids[row] for row in first_rows)
            raise DatasetError(
                f"label column {name!r} is infinite for {where}; use NaN for a missing label"
            )

    def _check_weights(self, name: str, values: NDArray[np.float64]) -> None:
        if name not in self.labels:
            raise DatasetError(not_one_of("weight column", name, self.labels))
        if values.shape != (len(self),):
            raise DatasetError(
                f"weight column {name!r} has shape {values.shape}, expected ({len(self)},)"
            )
        is_sound = (values >= 0) & (values <= 1)
        if not is_sound.all():
            row = int(np.argmin(is_sound))
            raise DatasetError(
                f"weight {values[row]} of {name!r} for {self.ids[row]} is not between 0 and 1"
            )

    def __len__(self) -> int:
        return len(self.crystals)

    @cached_property
    def content_hash(self) -> str:
        """Hash of crystals, ids, labels and weights (not of the provenance); 16 hexadecimal
        digits.
        """
        content = ContentHash()
        content.add(self.crystals.content_hash().encode())
        content.add(json.dumps(self.ids).encode())
        for name in sorted(self.labels):
            content.add(name.encode())
            values = self.labels[name].astype("<f8")
            # NaN has many bit patterns; the hash must not tell them apart.
            values[np.isnan(values)] = np.nan
            content.add(values.tobytes())
        for name in sorted(self.weights):
            content.add(f"{WEIGHT_PREFIX}{name}".encode())
            content.add(self.weights[name].astype("<f8").tobytes())
        return content.digits(16)

    def label(self, name: str) -> NDArray[np.float64]:
        """(n,) values of one property; all NaN where the dataset has no such column."""
        if name not in self.labels:
            return np.full(len(self), np.nan)
        return np.asarray(self.labels[name], dtype=np.float64)

    def label_matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """(n, len(names)) labels, NaN where missing."""
        columns = np.empty((len(self), len(names)))
        for place, name in enumerate(names):
            columns[:, place] = self.label(name)
        return columns

    def weight(self, name: str) -> NDArray[np.float64]:
        """(n,) how much the labels of one property count; 1 where nothing else is said."""
        if name not in self.weights:
            return np.ones(len(self))
        return np.asarray(self.weights[name], dtype=np.float64)

    def weight_matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """(n, len(names)) weights of the labels in `label_matrix`."""
        columns = np.ones((len(self), len(names)))
        for place, name in enumerate(names):
            columns[:, place] = self.weight(name)
        return columns

    def num_labels(self) -> dict[str, int]:
        """How many crystals carry each label."""
        counts = {}
        for name, values in self.labels.items():
            is_labelled = np.isfinite(values)
            counts[name] = int(is_labelled.sum())
        return counts

    def select(self, which: ArrayLike, **provenance: Any) -> Dataset:
        """The rows at `which` (indices or boolean mask); keywords are added to the provenance."""
        rows = np.arange(len(self))[np.asarray(which)]
        crystals = self.crystals.select(rows)
        ids = tuple(self.ids[row] for row in rows)
        labels = {name: values[rows] for name, values in self.labels.items()}
        weights = {name: values[rows] for name, values in self.weights.items()}
        known = {**self.provenance, **provenance}
        return Dataset(crystals, ids, labels, known, self.properties, weights)

    def knowing(self, properties: Properties) -> Dataset:
        """The dataset with further properties, whose labels are to come unless it has them."""
        known = self.properties.joined_by(properties)
        columns = {name: self.label(name) for name in properties.own}
        labels = {**self.labels, **columns}
        return replace(self, labels=labels, properties=known)

    def extend(self, other: Dataset) -> Dataset:
        """The rows of this dataset, then those of `other`; the label columns are united."""
        crystals = CrystalTable.concatenate([self.crystals, other.crystals])
        ids = (*self.ids, *other.ids)
        labels = {}
        for name in sorted({*self.labels, *other.labels}):
            labels[name] = np.concatenate([self.label(name), other.label(name)])
        weights = {}
        for name in sorted({*self.weights, *other.weights}):
            weights[name] = np.concatenate([self.weight(name), other.weight(name)])
        properties = self.properties.joined_by(other.properties)
        return Dataset(crystals, ids, labels, self.provenance, properties, weights)

    def to_bytes(self) -> bytes:
        """The dataset as the bytes of an .npz file; equal content gives equal bytes."""
        meta: dict[str, Any] = {"format": FORMAT_VERSION, "provenance": self.provenance}
        if own := self.properties.as_plain():
            meta["properties"] = own
        # The order of the arrays is part of the bytes, which are to be equal for equal content.
        arrays = {name: getattr(self.crystals, name) for name in CRYSTAL_ARRAYS}
        arrays["ids"] = np.array(self.ids, dtype=np.str_)
        arrays["meta"] = np.array(json.dumps(meta, sort_keys=True))
        for name in sorted(self.labels):
            arrays[LABEL_PREFIX + name] = self.labels[name]
        for name in sorted(self.weights):
            arrays[WEIGHT_PREFIX + name] = self.weights[name]
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, origin: str = "stored dataset") -> Dataset:
        """Inverse of `to_bytes`; DatasetError names `origin` when the data are broken."""
        try:
            with opened_arrays(data) as arrays:
                return cls._from_arrays(arrays, origin)
        except DAMAGED_ARRAYS as err:
            text = " ".join(str(err).split())[:200] or type(err).__name__
            raise DatasetError(f"{origin} is not a gen2dft dataset or is damaged: {text}") from err

    @classmethod
    def _from_arrays(cls, arrays: Mapping[str, NDArray[Any]], origin: str) -> Dataset:
        meta = json.loads(str(arrays["meta"]))
        if meta["format"] != FORMAT_VERSION:
            raise DatasetError(
                f"{origin} has format {meta['format']}, this version reads {FORMAT_VERSION}"
            )
        crystals = _crystals(arrays)
        if arrays["ids"].dtype.kind not in "Uiu":
            raise ValueError("its ids are no text")
        ids = tuple(map(str, arrays["ids"]))
        if not isinstance(meta["provenance"], dict):
            raise ValueError("its provenance is no object")
        labels = _columns(arrays, LABEL_PREFIX)
        weights = _columns(arrays, WEIGHT_PREFIX)
        stored_properties = meta.get("properties", ())
        own = Properties(Property(**stored) for stored in stored_properties)
        return cls(crystals, ids, labels, meta["provenance"], own, weights)

    def save(self, path: Path | str) -> None:
        """Write to an .npz file, atomically: a killed process leaves no half-written file."""
        path = Path(path)
        try:
            write_atomically(path, self.to_bytes())
        except OSError as err:
            raise OutputError(
                f"cannot write dataset {path}: {err.strerror}; choose a writable folder"
            ) from err

    @classmethod
    def load(cls, path: Path | str) -> Dataset:
        """Read an .npz file written by `save`."""
        path = Path(path)
        if not path.exists():
            raise DatasetError(f"dataset file {path} does not exist")
        try:
            data = read_bytes(path)
        except UnreadableFile as err:
            raise DatasetError(f"dataset file {path} {err}") from err
        return cls.from_bytes(data, origin=f"dataset file {path}")


def _crystals(arrays: Mapping[str, NDArray[Any]]) -> CrystalTable:
    """The crystals of a file; ValueError where its arrays are of another kind.

    Whether they are sound is for those to check who read files of users.
    """
    lattices, numbers, frac, offsets = (arrays[name] for name in CRYSTAL_ARRAYS)
    if numbers.dtype.kind not in "iu" or offsets.dtype.kind not in "iu":
        raise ValueError("atomic numbers or offsets are no whole numbers")
    if ((numbers < 0) | (numbers > LARGEST_NUMBER)).any():
        raise ValueError(f"an atomic number is not between 0 and {LARGEST_NUMBER}")
    return CrystalTable(
        lattices.astype(np.float64),
        numbers.astype(np.uint8),
        frac.astype(np.float64),
        offsets.astype(np.int64),
    )


def _columns(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Property to its column, of the arrays in a file whose names begin with a prefix."""
    columns = {}
    for key in arrays:
        if key.startswith(prefix):
            if arrays[key].dtype.kind not in "fiu":
                raise ValueError(f"{key} holds no numbers")
            columns[key.removeprefix(prefix)] = arrays[key].astype(np.float64)
    return columns


def _refuse_duplicates(ids: Sequence[str]) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    repeated = []
    for name in ids:
        if name in seen:
            repeated.append(name)
        seen.add(name)
    raise DatasetError(
        f"{len(repeated)} duplicate ids, the first: {', '.join(repeated[:3])}; every crystal needs "
        "its own id"
    )
