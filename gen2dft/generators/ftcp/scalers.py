"""Scalers between physical values and the numbers that networks read and write; fitted on the
training part only.
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
LEAST_RANGE = 1e-6  # of labels that are not all the same


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
        count = len(properties)
        low, high = np.zeros(count), np.ones(count)
        transforms = transforms_of(properties, known)
        transformed = _transformed(values, transforms)
        for column, labels in enumerate(transformed.T):
            there = labels[np.isfinite(labels)]
            low[column], high[column] = np.quantile(there, QUANTILES)
        is_constant = high - low < LEAST_RANGE
        low[is_constant] -= 0.5
        high[is_constant] += 0.5
        return cls(tuple(properties), low, high, transforms)

    def scale(self, values: Array) -> NDArray[np.float32]:
        """(n, p) labels on the sigmoid's scale; NaN stays NaN."""
        transformed = _transformed(values, self.transforms)
        span = self.high - self.low
        unit = (transformed - self.low) / span
        scaled = MARGIN + (1 - 2 * MARGIN) * unit
        clipped = np.clip(scaled, SMALLEST, LARGEST)
        return clipped.astype(np.float32)

    def unscale(self, outputs: NDArray[np.floating]) -> Array:
        """(n, p) values in the properties' units."""
        scaled = np.asarray(outputs, dtype=np.float64)
        unit = (scaled - MARGIN) / (1 - 2 * MARGIN)
        span = self.high - self.low
        values = self.low + unit * span
        for column, transform in enumerate(self.transforms):
            values[:, column] = backward(values[:, column], transform)
        return values


def _transformed(values: Array, transforms: Sequence[Transform]) -> Array:
    out = np.array(values, dtype=np.float64)
    out = out.reshape(-1, len(transforms))
    for column, transform in enumerate(transforms):
        out[:, column] = forward(out[:, column], transform)
    return out


class MatrixScaler(Protocol):
    """From FTCP matrices to the input of networks; fitted on the training part only."""

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
    """Storage of a dataclass whose fields are arrays of numbers."""

    def arrays(self) -> dict[str, Array]:
        """See `MatrixScaler.arrays`."""
        names = [field.name for field in fields(self)]
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """See `MatrixScaler.from_arrays`."""
        own = {}
        for field in fields(cls):
            stored = arrays[field.name]
            own[field.name] = np.asarray(stored, dtype=np.float64)
        return cls(**own)


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
        g, factors = _Moments(), _Moments()
        for matrices in chunks:
            g.add(representation.g_lengths(matrices))
            factors.add(representation.structure_factors(matrices))
        return cls(g.spread(), factors.spread())

    def scale(self, representation: FTCP, matrices: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `MatrixScaler.scale`."""
        g = representation.g_lengths(matrices)
        g /= self.g_std
        factors = representation.structure_factors(matrices)
        factors /= self.factor_std
        return matrices


class _Moments:
    """Number, sum and sum of squares of values that come in chunks."""

    def __init__(self) -> None:
        self.sums = np.zeros((3, 1))

    def add(self, values: NDArray[np.float32]) -> None:
        precise = values.astype(np.float64)
        squares = precise**2
        moments = (precise.size, precise.sum(), squares.sum())
        self.sums[:, 0] += moments

    def spread(self) -> Array:
        """(1,) standard deviation, at least a thousandth."""
        number, total, squares = np.maximum(self.sums, 1e-12)
        mean = total / number
        variance = squares / number - mean**2
        return np.sqrt(np.maximum(variance, 1e-6))
