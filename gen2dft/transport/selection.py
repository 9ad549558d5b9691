"""The bands that carry current: which matter at the asked temperatures and dopings, and whether
enough were computed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import CalculationFailed
from gen2dft.transport.bands import BandEdges, UniformBands
from gen2dft.transport.coefficients import carriers_per_cell
from gen2dft.transport.constants import BOLTZMANN
from gen2dft.transport.settings import TransportSettings

FloatArray = NDArray[np.float64]
# Occupations still change this many kT away from the chemical potential: (x^2 + 2x + 2) exp(-x) is
# 0.03 of kappa.
MARGIN = 8.0
# Energies this far below a band edge still count as at the edge, eV: rounding.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Selection:
    """The bands that carry current at the asked temperatures and dopings.

    Parameters
    ----------
    energies
        (n_bands, n_k) eV, of both spins one after the other.
    electrons
        Electrons in these bands.
    edges
        Band edges, eV.
    """

    energies: FloatArray
    electrons: float
    edges: BandEdges


def check_spacing(bands: UniformBands, settings: TransportSettings) -> None:
    """Refuse a mesh that is too coarse to interpolate.

    CalculationFailed names the mesh that would do.
    """
    if bands.spacing <= settings.max_spacing:
        return
    least = np.ceil(bands.reciprocal_lengths / settings.max_spacing)
    enough = _times(least.astype(int))
    mesh = _times(bands.mesh.size)
    detail = (
        f"{bands.source}: the mesh {mesh} has a spacing of {bands.spacing:.3f} 1/Angstrom, more "
        f"than {settings.max_spacing:g}; compute at least {enough} k-points"
    )
    raise CalculationFailed("mesh_too_coarse", detail)


def _times(sizes: Iterable[int]) -> str:
    """`8 x 8 x 6`."""
    return " x ".join(map(str, sizes))


def select_bands(bands: UniformBands, settings: TransportSettings) -> Selection:
    """Leave out bands that are full or empty at all temperatures and dopings.

    Raises
    ------
    CalculationFailed
        `metal`, or `too_few_bands` if the highest doping reaches into bands that were not computed.
    """
    edges = bands.edges()
    energies = bands.one_by_one
    carriers = carriers_per_cell(settings.highest_doping, bands.structure.volume)
    below_valence = edges.valence - energies
    above_conduction = energies - edges.conduction
    holes_reach = _reach(bands, below_valence, carriers)
    electrons_reach = _reach(bands, above_conduction, carriers)
    margin = MARGIN * BOLTZMANN * settings.hottest
    low = edges.valence - holes_reach - margin
    high = edges.conduction + electrons_reach + margin
    if high > bands.complete_below:
        raise _too_few_bands(bands, edges, high, settings)
    full = energies.max(axis=1) < low
    begun = energies.min(axis=1) < high
    kept = energies[~full & begun]
    in_full_bands = bands.degeneracy * int(full.sum())
    return Selection(kept, bands.electrons - in_full_bands, edges)


def _reach(bands: UniformBands, depth: FloatArray, carriers: float) -> float:
    """How far into the bands so many carriers per cell reach at 0 K, eV.

    Parameters
    ----------
    depth
        (n_bands, n_k) distance of every state from the band edge, eV, positive within the bands.
    """
    inside = depth > -ROUNDING
    depths = depth[inside]
    order = np.argsort(depths)
    per_kpoint = bands.mesh.weights * bands.degeneracy
    electrons = np.broadcast_to(per_kpoint, depth.shape)
    held = np.cumsum(electrons[inside][order])
    if held[-1] < carriers:
        return np.inf
    last_filled = np.searchsorted(held, carriers)
    return float(depths[order][last_filled])


def _too_few_bands(
    bands: UniformBands, edges: BandEdges, high: float, settings: TransportSettings
) -> CalculationFailed:
    """The failure `too_few_bands`: electrons reach up to `high` eV, where bands are missing."""
    reach = high - edges.conduction
    where = f"{reach:.2f} eV into" if np.isfinite(reach) else "beyond all of"
    doping = settings.highest_doping
    hottest = settings.hottest
    complete = bands.complete_below - edges.conduction
    _, computed, _ = bands.energies.shape
    detail = (
        f"{bands.source}: {doping:.0e} electrons per cm^3 at {hottest:g} K reach {where} the "
        f"conduction bands, but the {computed} bands are complete only up to {complete:.2f} eV; "
        "compute more bands (NBANDS in VASP, nbands in GPAW), or ask for lower dopings and "
        "temperatures"
    )
    return CalculationFailed("too_few_bands", detail)
