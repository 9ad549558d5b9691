"""Transport distributions: density of states, and velocities and curvatures summed over states of
equal energy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.transport.interpolation import PAIRS, GridBand

FloatArray = NDArray[np.float64]
Vector = tuple[FloatArray, FloatArray, FloatArray]
# Place in PAIRS of each element of a symmetric tensor.
FULL = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])


@dataclass(frozen=True, eq=False)
class Distribution:
    """Per cell and per state that one electron can take, in bins of energy.

    Parameters
    ----------
    energies
        (n,) middles of the bins, eV.
    states
        (n,) density of states, 1/eV.
    velocities
        (3, 3, n) density of v_a v_b, eV^2 Angstrom^2 / eV, v being hbar times the velocity.
    curvatures
        (3, 3, 3, n) density of v_a (v x M_b)_c with M_b row b of d2E/dk2, eV^3 Angstrom^4 / eV;
        None if not computed.
    degeneracy
        Electrons per state.
    electrons
        Electrons per cell in these bands.
    volume
        Of the cell, Angstrom^3.
    """

    energies: FloatArray
    states: FloatArray
    velocities: FloatArray
    curvatures: FloatArray | None
    degeneracy: int
    electrons: float
    volume: float

    @property
    def width(self) -> float:
        """Width of a bin, eV."""
        first, second = self.energies[:2]
        return float(second - first)


@dataclass(frozen=True)
class Bins:
    """Equal bins of energy, eV."""

    low: float
    high: float
    count: int

    @classmethod
    def around(cls, energies: FloatArray, width: float) -> Bins:
        """Bins of at most this width (eV) that hold the interpolated bands, too."""
        low = float(energies.min())
        high = float(energies.max())
        span = high - low
        slack = 0.05 * span + 0.1  # a series overshoots between the points it passes through
        whole = span + 2 * slack
        count = int(np.ceil(whole / width))
        return cls(low - slack, high + slack, count)

    @property
    def width(self) -> float:
        """Width of one bin, eV."""
        return (self.high - self.low) / self.count

    @property
    def middles(self) -> FloatArray:
        """(count,) energy in the middle of each bin, eV."""
        numbers = np.arange(self.count, dtype=np.float64)
        return self.low + self.width * (numbers + 0.5)

    def of(self, energies: FloatArray) -> NDArray[np.int64]:
        """The bin of each energy; energies outside go into the outermost ones."""
        steps = (energies - self.low) / self.width
        numbers = steps.astype(np.int64)
        return np.clip(numbers, 0, self.count - 1)


def accumulate(
    bands: Iterable[GridBand],
    weights: FloatArray,
    bins: Bins,
    degeneracy: int,
    electrons: float,
    volume: float,
) -> Distribution:
    """Sum bands into a distribution, one at a time, so that memory does not grow with their number.

    Parameters
    ----------
    weights
        (n,) number of k-points that each point of a band stands for, from
        `interpolation.grid_weights`.
    bins
        Bins that hold all energies.
    """
    sums = _Sums(bins.count)
    for band in bands:
        place = bins.of(band.energies)
        sums.add(band, weights, place)
    norm = weights.sum() * bins.width
    states = sums.states / norm
    velocities = sums.velocities[FULL] / norm
    curvatures = sums.curvatures
    if curvatures is not None:
        curvatures = curvatures / norm
    middles = bins.middles
    return Distribution(middles, states, velocities, curvatures, degeneracy, electrons, volume)


class _Sums:
    """States, velocities and curvatures, summed in bins band by band."""

    def __init__(self, count: int) -> None:
        self.states = np.zeros(count)
        self.velocities = np.zeros((len(PAIRS), count))
        self.curvatures: FloatArray | None = None

    def add(self, band: GridBand, weights: FloatArray, place: NDArray[np.int64]) -> None:
        """Add one band; `place` (n,) is the bin of each of its points."""
        count = len(self.states)
        v = band.velocities
        vv = [weights * v[a] * v[b] for a, b in PAIRS]
        self.states += np.bincount(place, weights, count)
        for total, values in zip(self.velocities, vv, strict=True):
            total += np.bincount(place, values, count)
        if band.curvatures is None:
            return
        if self.curvatures is None:
            self.curvatures = np.zeros((3, 3, 3, count))
        _add_curvatures(self.curvatures, vv, band.curvatures, place)


def _add_curvatures(
    total: FloatArray, vv: Sequence[FloatArray], m: FloatArray, place: NDArray[np.int64]
) -> None:
    """Add v_a (v x M_b)_c = (v_a v x M_b)_c.

    Parameters
    ----------
    vv, m
        Six (n,) arrays each, in the order of `PAIRS`: weighted products of velocities, and second
        derivatives.
    place
        (n,) bins.
    """
    count = total.shape[-1]
    for a, b in itertools.product(range(3), repeat=2):
        vv_a = _row(vv, a)
        m_b = _row(m, b)
        crossed = _cross(vv_a, m_b)
        for sums, values in zip(total[a, b], crossed, strict=True):
            sums += np.bincount(place, values, count)


def _row(tensor: Sequence[FloatArray] | FloatArray, row: int) -> Vector:
    """One row of a symmetric tensor of six elements."""
    first, second, third = FULL[row]
    return tensor[first], tensor[second], tensor[third]


def _cross(first: Vector, second: Vector) -> Iterator[FloatArray]:
    """Components of a cross product in turn; each is made when asked for, to save memory."""
    x, y, z = first
    u, v, w = second
    yield y * w - z * v
    yield z * u - x * w
    yield x * v - y * u
