"""The gap between the bands of a self-consistent GPAW calculation, on its own k-points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.engines.guard import NOT_FINITE
from gen2dft.errors import CalculationFailed

WHOLE = 1e-3  # electrons, within which they count as a whole number
# Overlap, eV, from which a density on few k-points leaves no doubt. Of 34 candidates none with a
# gap on the whole mesh overlapped at all on the halved one; the narrowest metal did by 0.07.
SURE_OVERLAP = 0.05
# With spin moments may settle otherwise on few points.
SURE_OVERLAP_WITH_SPIN = 0.3


def gap_on_mesh(calculator: Any) -> float:
    """Gap on the calculation's own mesh, eV; 0 for a metal; see `opening_on_mesh`."""
    return max(0.0, opening_on_mesh(calculator))


def is_metal_however_rough(calculator: Any) -> bool:
    """Whether bands overlap so far that no finer mesh could open a gap."""
    with_spin = calculator.get_number_of_spins() == 2
    sure = SURE_OVERLAP_WITH_SPIN if with_spin else SURE_OVERLAP
    return opening_on_mesh(calculator) < -sure


def opening_on_mesh(calculator: Any) -> float:
    """Lowest empty state less the highest filled one, eV: negative where bands overlap, -infinity
    where a band is filled in part whatever its shape.

    In an insulator the same number of states lies below the gap at every k-point, both spins
    counted together.

    Raises
    ------
    CalculationFailed
        `not_finite`: an eigenvalue is NaN or infinite. `too_few_bands`: none is empty.
    """
    spins = calculator.get_number_of_spins()
    filled = calculator.get_number_of_electrons() * spins / 2
    whole = round(filled)
    if abs(filled - whole) > WHOLE:
        return -np.inf
    states = _states(calculator, spins)
    if whole >= states.shape[1]:
        detail = f"all {states.shape[1]} bands are occupied, so that there is no gap to find"
        raise CalculationFailed("too_few_bands", detail)
    highest_filled = states[:, whole - 1].max()
    lowest_empty = states[:, whole].min()
    return float(lowest_empty - highest_filled)


def _states(calculator: Any, spins: int) -> NDArray[np.float64]:
    """(n_k, n_spins n_bands) energies in ascending order, eV."""
    points = range(len(calculator.get_ibz_k_points()))
    at = calculator.get_eigenvalues
    energies = np.array([at(kpt=k, spin=spin) for k in points for spin in range(spins)])
    if not np.isfinite(energies).all():
        # A comparison with NaN is false, so that such a crystal would pass for a metal.
        raise CalculationFailed(NOT_FINITE, "GPAW gave eigenvalues that are NaN or infinite")
    return np.sort(energies.reshape(len(points), -1), axis=1)
