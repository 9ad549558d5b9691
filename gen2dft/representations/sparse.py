"""Rows of tensors that are nearly all zeros, stored as their non-zero entries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gen2dft.representations.indexing import items_of, offsets_of


@dataclass(frozen=True, eq=False)
class SparseRows:
    """`n` rows of `size` numbers; entries of one row at the same place add up.

    Parameters
    ----------
    size
        Numbers in a row.
    offsets
        (n + 1,) entries of row `i` are `offsets[i]:offsets[i + 1]`.
    places
        (N,) place of each entry in its row.
    values
        (N,) value of each entry.
    """

    size: int
    offsets: NDArray[np.int64]
    places: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def from_entries(
        cls,
        num_rows: int,
        size: int,
        rows: NDArray[np.int64],
        places: NDArray[np.int64],
        values: NDArray[np.floating],
    ) -> SparseRows:
        """Rows from entries in any order: (N,) row, place and value of each."""
        # Stable, so that entries at one place add up in the order in which they came.
        order = np.argsort(rows, kind="stable")
        counts = np.bincount(rows, minlength=num_rows)
        offsets = offsets_of(counts)
        sorted_places = places[order].astype(np.int32)
        sorted_values = values[order].astype(np.float32)
        return cls(size, offsets, sorted_places, sorted_values)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """(n,) entries of each row."""
        return np.diff(self.offsets)

    @property
    def num_bytes(self) -> int:
        """Memory of all rows."""
        return self.offsets.nbytes + self.places.nbytes + self.values.nbytes

    def select(self, rows: NDArray[np.int64]) -> SparseRows:
        """Some rows, in that order."""
        offsets = offsets_of(self.counts[rows])
        source = items_of(self.offsets, rows)
        places = self.places[source]
        values = self.values[source]
        return SparseRows(self.size, offsets, places, values)

    def dense(self, rows: ArrayLike | None = None) -> NDArray[np.float32]:
        """(m, size) of some rows, all unless given."""
        if rows is None:
            rows = np.arange(len(self))
        chosen = np.asarray(rows, dtype=np.int64)
        shape = (len(chosen), self.size)
        out = np.zeros(shape, dtype=np.float32)
        starts = np.arange(len(chosen)) * self.size
        self.add_to(out.reshape(-1), starts, chosen)
        return out

    def add_to(
        self, flat: NDArray[np.float32], starts: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> None:
        """Add some rows to a flat array in place; each row begins at its entry of `starts`."""
        source = items_of(self.offsets, rows)
        row_starts = np.repeat(starts, self.counts[rows])
        targets = row_starts + self.places[source]
        np.add.at(flat, targets, self.values[source])
