"""The published scaling: every row of the matrix between 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.scalers import StoredFields
from gen2dft.representations.ftcp import FTCP

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RangeScaler(StoredFields):
    """Smallest and largest value of each row become 0 and 1; a `MatrixScaler`.

    The published code fits it on training and test set together and takes real and reciprocal columns as one; here it
    sees the training part, and each side of the matrix has its own range.

    Parameters
    ----------
    low, range
        (2, rows) of the real-space and of the reciprocal columns.
    """

    low: Array
    range: Array

    @classmethod
    def fit(cls, representation: FTCP, chunks: Iterable[NDArray[np.float32]]) -> Self:
        """Fit to matrices of the training part, given in (n, rows, columns) chunks."""
        rows = representation.shape[0]
        low, high = np.full((2, rows), np.inf), np.full((2, rows), -np.inf)
        for matrices in chunks:
            for side, columns in enumerate(_sides(representation)):
                values = matrices[:, :, columns]
                low[side] = np.minimum(low[side], values.min(axis=(0, 2)))
                high[side] = np.maximum(high[side], values.max(axis=(0, 2)))
        span = np.where(high - low > 1e-6, high - low, 1.0)
        return cls(low, span)

    def scale(self, representation: FTCP, matrices: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale (n, rows, columns) matrices in place, and return them."""
        for side, columns in enumerate(_sides(representation)):
            matrices[:, :, columns] -= self.low[side][:, None].astype(np.float32)
            matrices[:, :, columns] /= self.range[side][:, None].astype(np.float32)
        return matrices

    def unscale(self, representation: FTCP, outputs: NDArray[np.floating]) -> NDArray[np.float32]:
        """Matrices of a decoder's outputs in physical units; the reciprocal part is left at 0."""
        out = np.zeros(outputs.shape, dtype=np.float32)
        real = _sides(representation)[0]
        out[:, :, real] = outputs[:, :, real] * self.range[0][:, None] + self.low[0][:, None]
        return out


def _sides(representation: FTCP) -> tuple[slice, slice]:
    return slice(0, representation.real_columns), slice(representation.real_columns, None)
