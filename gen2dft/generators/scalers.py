"""Scalers between physical values and what networks read and write; fitted on the training part only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.properties import PROPERTIES
from gen2dft.representations.ftcp import FTCP

Array = NDArray[np.float64]
# Labels between their 0.5 % and 99.5 % quantiles are laid over [0.1, 0.9] of the sigmoid, where it has slope; single
# outliers do not squeeze the rest, and values somewhat beyond the known ones can be predicted.
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
    """

    properties: tuple[str, ...]
    low: Array
    high: Array

    @classmethod
    def fit(cls, values: Array, properties: Sequence[str]) -> Self:
        """Fit to (n, p) labels, NaN where missing; every column needs one label."""
        low, high = np.zeros(len(properties)), np.ones(len(properties))
        for column, transformed in enumerate(_transformed(values, properties).T):
            low[column], high[column] = np.quantile(transformed[np.isfinite(transformed)], QUANTILES)
            if high[column] - low[column] < 1e-6:
                low[column], high[column] = low[column] - 0.5, high[column] + 0.5
        return cls(tuple(properties), low, high)

    def scale(self, values: Array) -> NDArray[np.float32]:
        """(n, p) labels on the sigmoid's scale; NaN stays NaN."""
        unit = (_transformed(values, self.properties) - self.low) / (self.high - self.low)
        return np.clip(MARGIN + (1 - 2 * MARGIN) * unit, SMALLEST, LARGEST).astype(np.float32)

    def unscale(self, outputs: NDArray[np.floating]) -> Array:
        """(n, p) values in the properties' units."""
        unit = (np.asarray(outputs, dtype=np.float64) - MARGIN) / (1 - 2 * MARGIN)
        values = self.low + unit * (self.high - self.low)
        for column, name in enumerate(self.properties):
            if PROPERTIES[name].transform == "log1p":
                values[:, column] = np.maximum(np.expm1(values[:, column]), 0.0)
        return values


def _transformed(values: Array, properties: Sequence[str]) -> Array:
    out = np.array(values, dtype=np.float64).reshape(-1, len(properties))
    for column, name in enumerate(properties):
        if PROPERTIES[name].transform == "log1p":
            out[:, column] = np.log1p(np.maximum(out[:, column], 0.0))
    return out


@dataclass(frozen=True, eq=False)
class MatrixScaler:
    """FTCP matrices to network scale and back.

    The one-hot blocks, the property vectors and the coordinates have a natural scale already.

    Parameters
    ----------
    lattice_mean, lattice_std
        (2,) of log lengths (log Angstrom) and of angles (degree).
    g_std, factor_std
        (1,) spread of abs(g) and of the structure factors.
    """

    lattice_mean: Array
    lattice_std: Array
    g_std: Array
    factor_std: Array

    @classmethod
    def fit(cls, representation: FTCP, matrices: NDArray[np.float32]) -> Self:
        """Fit to (n, rows, columns) matrices of the training part."""
        lattice = _log_lengths(matrices[:, representation.lattice_rows, :3])
        real = representation.real_columns
        return cls(
            lattice.mean(axis=(0, 2)),
            np.maximum(lattice.std(axis=(0, 2)), [0.05, 2.0]),  # data of one cell shape
            _spread(matrices[:, representation.g_row, real:]),
            _spread(matrices[:, representation.property_rows, real:]),
        )

    def scale(self, representation: FTCP, matrices: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale (n, rows, columns) matrices in place, and return them."""
        real = representation.real_columns
        lattice = _log_lengths(matrices[:, representation.lattice_rows, :3])
        matrices[:, representation.lattice_rows, :3] = (
            (lattice - self.lattice_mean[:, None]) / self.lattice_std[:, None]
        )  # fmt: skip
        matrices[:, representation.g_row, real:] /= self.g_std
        matrices[:, representation.property_rows, real:] /= self.factor_std
        return matrices

    def unscale(self, representation: FTCP, outputs: NDArray[np.floating]) -> NDArray[np.float32]:
        """Matrices of a decoder's outputs: class scores become probabilities; the reciprocal part is left at 0.

        The class "empty" has the score 0, which is what `FTCP.decode` reads as 1 minus the sum of the others.
        """
        real = representation.real_columns
        columns = slice(0, representation.max_elements)
        out = np.zeros(outputs.shape, dtype=np.float32)
        rows = representation.element_rows
        out[:, rows, columns] = _softmax_with_empty(outputs[:, rows, columns], axis=1)
        rows = representation.occupancy_rows
        out[:, rows, columns] = _softmax_with_empty(outputs[:, rows, columns], axis=2)
        out[:, representation.coordinate_rows, :real] = outputs[:, representation.coordinate_rows, :real]
        lattice = outputs[:, representation.lattice_rows, :3] * self.lattice_std[:, None] + self.lattice_mean[:, None]
        lattice[:, 0] = np.exp(np.minimum(lattice[:, 0], 10.0))  # e^10 Angstrom is refused as a cell
        out[:, representation.lattice_rows, :3] = lattice
        return out

    def arrays(self) -> dict[str, Array]:
        """Fields by name, to be stored."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Inverse of `arrays`; KeyError if one is missing."""
        return cls(**{field.name: np.asarray(arrays[field.name], dtype=np.float64) for field in fields(cls)})


def _log_lengths(lattice: NDArray[np.floating]) -> Array:
    out = np.array(lattice, dtype=np.float64)
    out[:, 0] = np.log(out[:, 0])
    return out


def _spread(values: NDArray[np.floating]) -> Array:
    return np.array([max(float(values.std(dtype=np.float64)), 1e-3)])


def _softmax_with_empty(scores: NDArray[np.floating], axis: int) -> NDArray[np.float32]:
    """Softmax over an axis and one more class of score 0, which is left out of the result."""
    top = np.maximum(scores.max(axis=axis, keepdims=True), 0.0)
    weights = np.exp(scores - top)
    return weights / (weights.sum(axis=axis, keepdims=True) + np.exp(-top))
