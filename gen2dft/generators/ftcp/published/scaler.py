"""The published scaling: every row of the matrix between 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.ftcp.scalers import StoredFields
from gen2dft.representations.ftcp import FTCP

Array = NDArray[np.float64]


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
        rows = representation.shape[0]
        low, high = np.full(rows, np.inf), np.full(rows, -np.inf)
        for matrices in chunks:
            low = np.minimum(low, matrices.min(axis=(0, 2)))
            high = np.maximum(high, matrices.max(axis=(0, 2)))
        span = np.where(high - low > 1e-6, high - low, 1.0)
        return cls(low, span)

    def scale(self, _: FTCP, matrices: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale (n, rows, columns) matrices in place, and return them."""
        matrices -= self.low[:, None].astype(np.float32)
        matrices /= self.range[:, None].astype(np.float32)
        return matrices

    def unscale(self, representation: FTCP, outputs: NDArray[np.floating]) -> NDArray[np.float32]:
        """Matrices of a decoder's outputs in physical units; the reciprocal part is left at 0."""
        out = np.zeros(outputs.shape, dtype=np.float32)
        real = slice(0, representation.real_columns)
        out[:, :, real] = outputs[:, :, real] * self.range[:, None] + self.low[:, None]
        return out
