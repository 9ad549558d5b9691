"""TransportTables: Seebeck and conductivity tensors of one crystal, read at any temperature and
doping within those computed.

At points that were computed the computed tensors come back. Between them S and sigma / n are cubic
splines over the logarithms of temperature and doping: both change slowly there, while sigma itself
goes over decades.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gen2dft.errors import CampaignError
from gen2dft.transport.document import Carrier, TransportDoc

FloatArray = NDArray[np.float64]
CUBIC = 3


class CarrierTables(NamedTuple):
    """Tensors for one kind of carriers, (n_temperatures, n_dopings, 3, 3).

    Where too few bands were computed for a doping they are NaN.
    """

    seebeck: FloatArray  # uV/K
    conductivity: FloatArray  # over the relaxation time, S m^-1 s^-1


class Tensors(NamedTuple):
    """Tensors (n, 3, 3) at one temperature and n dopings."""

    seebeck: FloatArray
    conductivity: FloatArray


@dataclass(frozen=True, eq=False)
class TransportTables:
    """Transport of one crystal by carriers, temperature and doping.

    Parameters
    ----------
    name
        Of the crystal, for messages.
    temperatures
        (n_temperatures,) K, ascending.
    dopings
        (n_dopings,) carriers per cm^3, ascending.
    carriers
        Tensors by kind of carriers.
    """

    name: str
    temperatures: FloatArray
    dopings: FloatArray
    carriers: Mapping[Carrier, CarrierTables]

    @classmethod
    def of(cls, doc: TransportDoc) -> TransportTables:
        """The tables of a document."""
        rows = np.argsort(doc.temperatures)
        columns = np.argsort(doc.dopings)
        carriers: dict[Carrier, CarrierTables] = {}
        for carrier in ("p", "n"):
            tables = (doc.table(carrier, "seebeck"), doc.table(carrier, "conductivity_per_tau"))
            ordered = [table[rows][:, columns] for table in tables]
            carriers[carrier] = CarrierTables(*ordered)
        temperatures = np.array(doc.temperatures)[rows]
        dopings = np.array(doc.dopings)[columns]
        return cls(doc.formula, temperatures, dopings, carriers)

    def computed(self, carrier: Carrier) -> FloatArray:
        """(n,) the dopings that were computed for a kind of carriers, cm^-3."""
        known = np.isfinite(self.carriers[carrier].conductivity).all(axis=(0, 2, 3))
        found: FloatArray = self.dopings[known]
        return found

    def holds(self, temperature: float, dopings: ArrayLike) -> bool:
        """Whether a temperature (K) and dopings (cm^-3) are among those computed."""
        wanted = np.atleast_1d(np.asarray(dopings, dtype=np.float64))
        is_known = [bool(np.isclose(self.dopings, doping).any()) for doping in wanted]
        return bool(np.isclose(self.temperatures, temperature).any()) and all(is_known)

    def at(self, carrier: Carrier, temperature: float, dopings: ArrayLike) -> Tensors:
        """Tensors at one temperature (K) and dopings (n,), cm^-3, interpolated if need be.

        Raises
        ------
        CampaignError
            Outside the temperatures and dopings that were computed, which it names.
        """
        wanted = np.atleast_1d(np.asarray(dopings, dtype=np.float64))
        known = np.isfinite(self.carriers[carrier].conductivity).all(axis=(0, 2, 3))
        grid = self.dopings[known]
        self._must_hold("temperature", np.array([temperature]), self.temperatures, "K")
        self._must_hold(f"{carrier}-type doping", wanted, grid, "carriers per cm^3")
        seebeck, conductivity = (table[:, known] for table in self.carriers[carrier])
        per_carrier = conductivity / grid[:, None, None]
        found = []
        for table in (seebeck, per_carrier):
            row = _between(self.temperatures, table, np.array([temperature]))[0]
            found.append(_between(grid, row, wanted))
        return Tensors(found[0], found[1] * wanted[:, None, None])

    def _must_hold(self, what: str, wanted: FloatArray, grid: FloatArray, unit: str) -> None:
        if not len(grid):
            raise CampaignError(f"{self.name}: no {what} was computed")
        low, high = grid[0], grid[-1]
        slack = 1e-6
        inside = (wanted >= low * (1 - slack)) & (wanted <= high * (1 + slack))
        if not inside.all():
            first = wanted[~inside][0]
            raise CampaignError(
                f"{self.name}: {what} {first:.4g} is outside {low:.4g} to {high:.4g} {unit}, for "
                "which transport was computed: ask within, or compute bands for it anew"
            )


def _between(grid: FloatArray, values: FloatArray, wanted: FloatArray) -> FloatArray:
    """Values (n, ...) on a grid (n,) at points (m,) within it: exact on it, else by cubic splines
    over the logarithm of the grid.
    """
    places = np.abs(np.log(wanted[:, None] / grid)).argmin(axis=1)
    if np.allclose(grid[places], wanted):
        return values[places]
    from scipy.interpolate import make_interp_spline

    degree = min(CUBIC, len(grid) - 1)
    spline = make_interp_spline(np.log(grid), values, k=degree)
    found: FloatArray = spline(np.log(wanted))
    return found
