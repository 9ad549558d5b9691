"""Scalers between physical values and what networks read and write.

Fitted on the training part only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.transforms import backward, forward, transforms_of
from gen2dft.properties import PROPERTIES, Property, Transform
from gen2dft.representations.ftcp import FTCP

Array = NDArray[np.float64]
# Labels between their 0.5 % and 99.5 % quantiles are laid over [0.1, 0.9] of the sigmoid, where it
# has slope; single outliers do not squeeze the rest, and values somewhat beyond the known ones can
# be predicted.
QUANTILES = (0.005, 0.995)
MARGIN = 0.1
LARGEST, SMALLEST = 0.99, 0.01


@dataclass(frozen=True, eq=False)
class PropertyScaler:
    """Property values to (0, 1) and back: the property's transform, then a linear map.

    Parameters
    ----------
    properties
        Names of the columns.
    low, high
        (p,) transformed values that become 0.1 and 0.9.
    transforms
        Of the columns.
    """

    properties: tuple[str, ...]
    low: Array
    high: Array
    transforms: tuple[Transform, ...]

    @classmethod
    def fit(
        cls,
        values: Array,
        properties: Sequence[str],
        known: Mapping[str, Property] = PROPERTIES,
    ) -> Self:
        """Fit to (n, p) labels, NaN where missing; every column needs one label.

        Parameters
        ----------
        known
            What the properties are.
        """
        low, high = np.zeros(len(properties)), np.ones(len(properties))
        transforms = transforms_of(properties, known)
        for column, transformed in enumerate(_transformed(values, transforms).T):
            low[column], high[column] = np.quantile(
                transformed[np.isfinite(transformed)], QUANTILES
            )
            if high[column] - low[column] < 1e-6:
                low[column], high[column] = low[column] - 0.5, high[column] + 0.5
        return cls(tuple(properties), low, high, transforms)

    def scale(self, values: Array) -> NDArray[np.float32]:
        """(n, p) labels on the sigmoid's scale; NaN stays NaN."""
        unit = (_transformed(values, self.transforms) - self.low) / (self.high - self.low)
        return np.clip(MARGIN + (1 - 2 * MARGIN) * unit, SMALLEST, LARGEST).astype(np.float32)

    def unscale(self, outputs: NDArray[np.floating]) -> Array:
        """(n, p) values in the properties' units."""
        unit = (np.asarray(outputs, dtype=np.float64) - MARGIN) / (1 - 2 * MARGIN)
        values = self.low + unit * (self.high - self.low)
        for column, transform in enumerate(self.transforms):
            values[:, column] = backward(values[:, column], transform)
        return values


def _transformed(values: Array, transforms: Sequence[Transform]) -> Array:
    out = np.array(values, dtype=np.float64).reshape(-1, len(transforms))
    for column, transform in enumerate(transforms):
        out[:, column] = forward(out[:, column], transform)
    return out


class MatrixScaler(Protocol):
    """FTCP matrices to what networks read; fitted on the training part only."""

    @classmethod
    def fit(cls, representation: FTCP, chunks: Iterable[NDArray[np.float32]]) -> Self:
        """Fit to matrices of the training part, given in (n, rows, columns) chunks."""
        ...

    def scale(self, representation: FTCP, matrices: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale (n, rows, columns) matrices in place, and return them."""
        ...

    def arrays(self) -> dict[str, Array]:
        """Fields by name, to be stored."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Inverse of `arrays`; KeyError if one is missing."""
        ...


@dataclass(frozen=True, eq=False)
class StoredFields:
    """Storing of a dataclass whose fields are arrays of numbers."""

    def arrays(self) -> dict[str, Array]:
        """See `MatrixScaler.arrays`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """See `MatrixScaler.from_arrays`."""
        return cls(
            **{
                field.name: np.asarray(arrays[field.name], dtype=np.float64)
                for field in fields(cls)
            }
        )


@dataclass(frozen=True, eq=False)
class ReciprocalScaler(StoredFields):
    """Leaves the real-space part as it is and gives the reciprocal part unit spread.

    A `MatrixScaler`.

    Parameters
    ----------
    g_std, factor_std
        (1,) spread of abs(g) and of the structure factors.
    """

    g_std: Array
    factor_std: Array

    @classmethod
    def fit(cls, representation: FTCP, chunks: Iterable[NDArray[np.float32]]) -> Self:
        """See `MatrixScaler.fit`."""
        columns = slice(representation.real_columns, None)
        rows = (slice(representation.g_row, representation.g_row + 1), representation.property_rows)
        sums = np.zeros((2, 3))
        for matrices in chunks:
            for place, part in enumerate(rows):
                values = matrices[:, part, columns].astype(np.float64)
                sums[place] += values.size, values.sum(), (values**2).sum()
        number, total, squares = np.maximum(sums, 1e-12).T
        spread = np.sqrt(np.maximum(squares / number - (total / number) ** 2, 1e-6))
        return cls(spread[:1], spread[1:])

    def scale(self, representation: FTCP, matrices: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `MatrixScaler.scale`."""
        columns = slice(representation.real_columns, None)
        matrices[:, representation.g_row, columns] /= self.g_std
        matrices[:, representation.property_rows, columns] /= self.factor_std
        return matrices
