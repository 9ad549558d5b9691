"""The published scaling: every row of the matrix between 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.ftcp.scalers import StoredFields
from gen2dft.representations.ftcp import FTCP

Array = NDArray[np.float64]
LEAST_RANGE = 1e-6  # of a row; rows that vary less, such as the padding, are left as they are


@dataclass(frozen=True, eq=False)
class RangeScaler(StoredFields):
    """Smallest and largest value of each row become 0 and 1; a `MatrixScaler`.

    Real and reciprocal columns of a row share its range, as in the published code: the element
    properties, which the structure factors outweigh many times, then hardly count in the squared
    error. Unlike there, the scaler sees the training part only.

    Parameters
    ----------
    low, range
        (rows,) smallest value, and largest less smallest.
    """

    low: Array
    range: Array

    @classmethod
    def fit(cls, representation: FTCP, chunks: Iterable[NDArray[np.float32]]) -> Self:
        """Fit to matrices of the training part, given in (n, rows, columns) chunks."""
        rows, _ = representation.shape
        low = np.full(rows, np.inf)
        high = np.full(rows, -np.inf)
        for matrices in chunks:
            least = matrices.min(axis=(0, 2))
            greatest = matrices.max(axis=(0, 2))
            low = np.minimum(low, least)
            high = np.maximum(high, greatest)
        span = high - low
        varies = span > LEAST_RANGE
        span[~varies] = 1.0
        return cls(low, span)

    def scale(self, _: FTCP, matrices: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale (n, rows, columns) matrices in place, and return them."""
        low, span = self._by_row(np.float32)
        matrices -= low
        matrices /= span
        return matrices

    def unscale(self, representation: FTCP, outputs: NDArray[np.floating]) -> NDArray[np.float32]:
        """Matrices of a decoder's outputs in physical units; the reciprocal part is left at 0."""
        out = np.zeros(outputs.shape, dtype=np.float32)
        columns = slice(0, representation.real_columns)
        low, span = self._by_row(np.float64)
        scaled = outputs[:, :, columns]
        out[:, :, columns] = scaled * span + low
        return out

    def _by_row(self, dtype: type[np.floating]) -> tuple[NDArray[Any], NDArray[Any]]:
        """(rows, 1) `low` and `range`."""
        low = self.low.astype(dtype)
        span = self.range.astype(dtype)
        return low[:, None], span[:, None]
