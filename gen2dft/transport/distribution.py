"""Transport distributions: density of states, and velocities and curvatures summed over states of
equal energy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.transport.interpolation import PAIRS, GridBand

FloatArray = NDArray[np.float64]
# (a, b) to its place in PAIRS.
PLACE = {pair: index for index, ab in enumerate(PAIRS) for pair in (ab, ab[::-1])}


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
        return float(self.energies[1] - self.energies[0])


@dataclass(frozen=True)
class Bins:
    """Equal bins of energy, eV."""

    low: float
    high: float
    count: int

    @property
    def width(self) -> float:
        """Width of one bin, eV."""
        return (self.high - self.low) / self.count

    @property
    def middles(self) -> FloatArray:
        """(count,) energy in the middle of each bin, eV."""
        return self.low + self.width * (np.arange(self.count, dtype=np.float64) + 0.5)

    def of(self, energies: FloatArray) -> NDArray[np.int64]:
        """The bin of each energy; energies outside go into the outermost ones."""
        return np.clip(((energies - self.low) / self.width).astype(np.int64), 0, self.count - 1)


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
    states = np.zeros(bins.count)
    velocities = np.zeros((len(PAIRS), bins.count))
    curvatures: FloatArray | None = None
    for band in bands:
        place = bins.of(band.energies)
        states += np.bincount(place, weights, bins.count)
        v = band.velocities
        weighted = [weights * v[a] * v[b] for a, b in PAIRS]
        for index, values in enumerate(weighted):
            velocities[index] += np.bincount(place, values, bins.count)
        if band.curvatures is not None:
            if curvatures is None:
                curvatures = np.zeros((3, 3, 3, bins.count))
            _add_curvatures(curvatures, weighted, band.curvatures, place)
    norm = weights.sum() * bins.width
    full = np.stack([velocities[PLACE[a, b]] for a in range(3) for b in range(3)]).reshape(3, 3, -1)
    hall = None if curvatures is None else curvatures / norm
    return Distribution(
        bins.middles, states / norm, full / norm, hall, degeneracy, electrons, volume
    )


def _add_curvatures(
    total: FloatArray, vv: list[FloatArray], m: FloatArray, place: NDArray[np.int64]
) -> None:
    """Add v_a (v x M_b)_c, the cross product written out."""
    for a in range(3):
        for b in range(3):
            for c in range(3):
                d, e = (c + 1) % 3, (c + 2) % 3
                values = vv[PLACE[a, d]] * m[PLACE[b, e]] - vv[PLACE[a, e]] * m[PLACE[b, d]]
                total[a, b, c] += np.bincount(place, values, total.shape[-1])
