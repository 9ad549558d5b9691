"""TransportSettings: temperatures and dopings to compute, and the resolution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from gen2dft.properties import TransportDefinition
from gen2dft.transport.constants import RELAXATION_TIME

# Dopings computed per decade of a range in which the best is sought.
STEPS_PER_DECADE = 4


@dataclass(frozen=True)
class TransportSettings:
    """Temperatures and dopings to compute, and the resolution.

    Parameters
    ----------
    temperatures
        K.
    dopings
        Carriers per cm^3, of both kinds.
    relaxation_time
        The constant relaxation time, s.
    stars_per_kpoint
        Terms of the Fourier series for each irreducible k-point.
    grid_spacing
        Distance of neighbouring points of the grid on which bands are summed up, 1/Angstrom, with 2
        pi.
    bin_width
        Of energies, eV.
    max_spacing
        Coarsest mesh of k-points that is accepted, 1/Angstrom, with 2 pi. A spacing of 0.12 gives
        power factors within some 2 % of the converged ones, 0.15 within some 10 % in most crystals
        and 20 to 30 % in one of ten.
    hall
        Whether curvatures and with them the Hall effect are computed; they take half of the time.
    program
        `gen2dft` or `boltztrap2`, see `gen2dft.transport.programs`.
    gap
        eV: conduction bands are raised until the gap is as wide; None: bands are taken as they are.
    """

    temperatures: tuple[float, ...] = tuple(float(t) for t in range(100, 1301, 100))
    dopings: tuple[float, ...] = tuple(10.0**power for power in range(16, 23))
    relaxation_time: float = RELAXATION_TIME
    stars_per_kpoint: int = 5
    grid_spacing: float = 0.025
    bin_width: float = 0.001
    max_spacing: float = 0.2
    hall: bool = True
    program: str = "gen2dft"
    gap: float | None = None

    @property
    def hottest(self) -> float:
        """Highest temperature, K."""
        return max(self.temperatures)

    @property
    def coldest(self) -> float:
        """Lowest temperature, K."""
        return min(self.temperatures)

    @property
    def highest_doping(self) -> float:
        """Most carriers per cm^3."""
        return max(self.dopings)

    def serving(self, definition: TransportDefinition) -> TransportSettings:
        """The same for one definition: its temperature, dopings and gap are computed too.

        Half decades of doping besides, so that other definitions can be read between them later.
        """
        temperatures = sorted({*self.temperatures, definition.temperature})
        low, high = definition.dopings
        steps = round(STEPS_PER_DECADE * np.log10(high / low))
        sought = np.geomspace(low, high, steps + 1)
        halves = np.sqrt(10.0) * np.array(self.dopings)
        below_highest = halves[halves < self.highest_doping]
        dopings = _distinct(self.dopings, sought, below_highest)
        return replace(self, temperatures=tuple(temperatures), dopings=dopings, gap=definition.gap)


def _distinct(*groups: Iterable[float]) -> tuple[float, ...]:
    """Dopings of all groups, ascending, each once; of two that rounding tells apart the first
    counts.
    """
    found: list[float] = []
    for doping in chain(*groups):
        if not np.isclose(found, doping, rtol=1e-6).any():
            found.append(float(doping))
    return tuple(sorted(found))


DEFAULT = TransportSettings()
