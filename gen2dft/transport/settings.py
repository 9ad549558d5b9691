"""TransportSettings: temperatures and dopings to compute, and the resolution."""

from __future__ import annotations

from dataclasses import dataclass

from gen2dft.transport.constants import RELAXATION_TIME


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
        power factors within some 2 % of the converged ones, 0.15 within some 10 %.
    hall
        Whether curvatures and with them the Hall effect are computed; they take half of the time.
    program
        `gen2dft` or `boltztrap2`, see `gen2dft.transport.programs`.
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


DEFAULT = TransportSettings()
