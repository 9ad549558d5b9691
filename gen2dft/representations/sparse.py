"""Rows of tensors that are nearly all zeros, kept as the entries that are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
        (N,) what stands there.
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
        order = np.argsort(rows, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=num_rows))]).astype(
            np.int64
        )
        return cls(size, offsets, places[order].astype(np.int32), values[order].astype(np.float32))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_bytes(self) -> int:
        """Memory of all rows."""
        return self.offsets.nbytes + self.places.nbytes + self.values.nbytes

    def select(self, rows: NDArray[np.int64]) -> SparseRows:
        """Some rows, in that order."""
        counts = np.diff(self.offsets)[rows]
        source = self._entries(rows, counts)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return SparseRows(self.size, offsets, self.places[source], self.values[source])

    def dense(self, rows: ArrayLike | None = None) -> NDArray[np.float32]:
        """(m, size) of some rows, all unless given."""
        chosen = np.arange(len(self)) if rows is None else np.asarray(rows, dtype=np.int64)
        out = np.zeros((len(chosen), self.size), dtype=np.float32)
        self.add_to(out.reshape(-1), np.arange(len(chosen)) * self.size, chosen)
        return out

    def add_to(
        self, flat: NDArray[np.float32], starts: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> None:
        """Add some rows to a flat array, each where it starts there."""
        counts = np.diff(self.offsets)[rows]
        source = self._entries(rows, counts)
        np.add.at(flat, np.repeat(starts, counts) + self.places[source], self.values[source])

    def _entries(self, rows: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Entries of some rows that hold so many each."""
        # Entry j of the chosen ones is entry j - (entries before its row here) + (entries before
        # its row there).
        return np.arange(counts.sum()) + np.repeat(
            self.offsets[rows] - (np.cumsum(counts) - counts), counts
        )
