"""The warnings of a TransportDoc: conditions under which its numbers are rough."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gen2dft.transport.bands import UniformBands
from gen2dft.transport.constants import ANGSTROM, BOLTZMANN, E_CHARGE, ELECTRON_MASS, HBAR
from gen2dft.transport.document import Carrier, CarrierTransport
from gen2dft.transport.interpolation import Interpolation
from gen2dft.transport.selection import Selection
from gen2dft.transport.settings import TransportSettings

# Mesh spacings (1/Angstrom) below which power factors were within 2 and 10 % of those of finer
# meshes.
FINE, USABLE = 0.12, 0.15
# hbar^2 / m_e in eV Angstrom^2.
HBAR2_M = HBAR**2 / ELECTRON_MASS / ANGSTROM**2 / E_CHARGE


def bands_warnings(
    bands: UniformBands, selection: Selection, settings: TransportSettings
) -> list[str]:
    """Warnings about the bands that went in."""
    said: list[str] = []
    if bands.spacing > FINE:
        percent = 10 if bands.spacing <= USABLE else 30
        said.append(
            f"mesh spacing {bands.spacing:.3f} 1/Angstrom is above {FINE:g}: power factors may be "
            f"off by {percent} %"
        )
    gap = selection.edges.gap
    hottest = settings.hottest
    if gap < 5 * BOLTZMANN * hottest:
        said.append(
            f"the gap of {gap:.3f} eV is below 5 kT at {hottest:g} K: carriers of both kinds, "
            "whatever the doping"
        )
    if any(bands.mesh.shift):
        said.append("the mesh does not hold Gamma: band edges there are interpolated, not computed")
    return said


def grid_warnings(
    series: Interpolation,
    grid: NDArray[np.int64],
    carriers: Mapping[Carrier, CarrierTransport],
    settings: TransportSettings,
) -> list[str]:
    """Warning about light carriers at low temperature, which the grid does not resolve."""
    masses = [_lightest(kind, settings) for kind in carriers.values()]
    mass = min(masses)
    spacings = series.reciprocal_lengths / grid
    limit = resolved_above(mass, float(spacings.max()))
    if limit <= settings.coldest:
        return []
    said = (
        f"below {limit:.0f} K the summation grid is too coarse for the lightest carriers (mass "
        f"{mass:.2f}): numbers there are rough; a smaller grid_spacing helps"
    )
    return [said]


def _lightest(carriers: CarrierTransport, settings: TransportSettings) -> float:
    """Mass of the carriers along their lightest axis, electron masses.

    At the lowest temperature and a middling doping there are carriers of one kind only, which gives
    their mass.
    """
    middling = len(settings.dopings) // 2
    coldest = carriers.effective_mass[0]
    along_axes = np.linalg.eigvalsh(coldest[middling])
    return float(along_axes.min())


def resolved_above(mass: float, spacing: float) -> float:
    """Temperature (K) above which a grid of that spacing (1/Angstrom) sums a parabolic band to some
    1 %.

    The sum over a grid of exp(-a k^2), a = hbar^2 / (2 m kT), is off by 6 exp(-pi^2 / (a
    spacing^2)) (Poisson's formula), which is 0.01 at a spacing^2 = 1.5.
    """
    return HBAR2_M * spacing**2 / (3.0 * mass * BOLTZMANN)
