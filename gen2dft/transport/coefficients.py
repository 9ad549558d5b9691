"""Transport coefficients of a distribution: chemical potential, Onsager coefficients, Hall effect,
masses.

Constant-relaxation-time approximation: tau is a number that comes out of every integral, so
conductivities are given over tau, and Seebeck coefficient and Hall concentration do not depend on
it.

Source: Madsen, Carrete and Verstraete, Comput. Phys. Commun. 231, 140 (2018), eqs. 9 to 16.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import CalculationFailed
from gen2dft.transport.constants import (
    ANGSTROM,
    BOLTZMANN,
    CM3_PER_A3,
    E_CHARGE,
    ELECTRON_MASS,
    HBAR,
)
from gen2dft.transport.distribution import Distribution

FloatArray = NDArray[np.float64]
# BoltzTraP2 takes an occupation below 1e-8 as none, and the derivative there as zero; so do we, to
# give its numbers. At 1e16 carriers per cm^3 this costs up to 5e-4 of the conductivity, from 1e18
# on less than 1e-5.
WINDOW = float(np.log(1e8 - 1.0))  # kT on either side of the chemical potential

# sigma/tau = e^2/hbar^2 L0/V with L0 in eV^2 Angstrom^2 / eV and V in Angstrom^3, to S m^-1 s^-1.
SIGMA = E_CHARGE**2 / HBAR**2 * E_CHARGE / ANGSTROM
# sigma_H/tau^2 = e^3/hbar^4 C/V with C in eV^3 Angstrom^4 / eV, to S m^-1 T^-1 s^-2.
SIGMA_HALL = E_CHARGE**3 / HBAR**4 * E_CHARGE**2 * ANGSTROM


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Transport at some chemical potentials and one temperature; tensors in Cartesian axes.

    Parameters
    ----------
    seebeck
        (n, 3, 3) V/K.
    conductivity
        (n, 3, 3) over tau, S m^-1 s^-1.
    thermal
        (n, 3, 3) electronic thermal conductivity at zero current over tau, W m^-1 K^-1 s^-1.
    hall
        (n,) mean Hall coefficient, m^3/C; NaN if curvatures were not computed.
    """

    seebeck: FloatArray
    conductivity: FloatArray
    thermal: FloatArray
    hall: FloatArray


def electrons_at(distribution: Distribution, potential: float, temperature: float) -> float:
    """Electrons per cell at a chemical potential (eV) and temperature (K): the sum of occupied
    states.
    """
    low, high = _window(distribution, potential, temperature)
    full = distribution.states[:low].sum()
    window = slice(low, high)
    relative = distribution.energies[window] - potential
    # f = 1 / (exp(x) + 1) with x = (E - mu) / kT
    x = relative / (BOLTZMANN * temperature)
    inverse_f = np.exp(x) + 1.0
    occupied = distribution.states[window] / inverse_f
    partly = occupied.sum()
    electrons = float(full + partly) * distribution.degeneracy
    return electrons * distribution.width


def chemical_potential(distribution: Distribution, electrons: float, temperature: float) -> float:
    """The chemical potential (eV) at which the cell holds so many electrons, by bracketing.

    Raises
    ------
    CalculationFailed
        `too_few_bands`: the bands cannot hold them.
    """
    from scipy.optimize import brentq

    bottom = float(distribution.energies[0])
    top = float(distribution.energies[-1])

    def excess(potential: float) -> float:
        return electrons_at(distribution, potential, temperature) - electrons

    if excess(bottom) > 0 or excess(top) < 0:
        detail = (
            f"{electrons:.6g} electrons do not fit into the bands from {bottom:.2f} to {top:.2f} eV"
        )
        raise CalculationFailed("too_few_bands", detail)
    potential = brentq(excess, bottom, top, xtol=1e-13, rtol=8.9e-16)
    return float(potential)


def _window(distribution: Distribution, potential: float, temperature: float) -> tuple[int, int]:
    """Bins whose occupation is neither 0 nor 1."""
    reach = WINDOW * BOLTZMANN * temperature
    edges = (potential - reach, potential + reach)
    low, high = np.searchsorted(distribution.energies, edges)
    return int(low), int(high)


def coefficients_at(
    distribution: Distribution, potentials: FloatArray, temperature: float
) -> Coefficients:
    """Transport coefficients at chemical potentials (n,), eV, and one temperature, K."""
    count = len(potentials)
    moments = np.empty((3, count, 3, 3))
    magnetic = np.full((count, 3, 3, 3), np.nan)
    per_bin = distribution.degeneracy * distribution.width
    for index, potential in enumerate(potentials):
        window = slice(*_window(distribution, potential, temperature))
        relative = distribution.energies[window] - potential
        slope = minus_slope(relative, temperature) * per_bin
        velocities = distribution.velocities[..., window]
        for power in range(3):
            weights = slope * relative**power
            moments[power, index] = velocities @ weights
        if distribution.curvatures is not None:
            magnetic[index] = distribution.curvatures[..., window] @ slope
    volume = distribution.volume
    return onsager(moments / volume, magnetic / volume, temperature)


def minus_slope(relative: FloatArray, temperature: float) -> FloatArray:
    """-df/dE = 1 / (4 kT cosh^2(x/2)), 1/eV, at energies relative to the chemical potential, eV."""
    kt = BOLTZMANN * temperature
    cosh = np.cosh(0.5 * relative / kt)
    slope: FloatArray = 0.25 / kt / cosh**2
    return slope


def onsager(moments: FloatArray, magnetic: FloatArray, temperature: float) -> Coefficients:
    """Coefficients from the moments of the distribution.

    Parameters
    ----------
    moments
        (3, n, 3, 3) L0, L1, L2 over the volume: integral of velocities (E - mu)^i (-df/dE) dE.
    magnetic
        (n, 3, 3, 3) the same integral over curvatures, i = 0.

    Notes
    -----
    sigma = e^2 L0; S = -L1 L0^-1 / (e T); kappa = L2 / T - T sigma S S.
    """
    l0, l1, l2 = moments
    inverse = np.linalg.pinv(l0, hermitian=True)
    seebeck = -inverse @ l1 / temperature  # energies are in eV, so this is in V/K
    conductivity = SIGMA * l0
    at_zero_field = SIGMA * l2 / temperature
    carried_by_current = temperature * conductivity @ seebeck @ seebeck
    thermal = at_zero_field - carried_by_current
    resistivity = inverse / SIGMA
    hall = _mean_hall(resistivity, -SIGMA_HALL * magnetic)
    return Coefficients(seebeck, conductivity, thermal, hall)


def _mean_hall(resistivity: FloatArray, magnetic: FloatArray) -> FloatArray:
    """(n,) mean of the Hall coefficient R_ijk = sum over a and b of rho_ia sigma_abk rho_bj.

    Parameters
    ----------
    resistivity
        (n, 3, 3) times tau.
    magnetic
        (n, 3, 3, 3) conductivity per magnetic field, over tau^2.
    """
    hall = np.einsum("nia,nabk,nbj->nijk", resistivity, magnetic, resistivity)
    return cyclic_mean(hall)


def cyclic_mean(hall: FloatArray) -> FloatArray:
    """(n,) mean of R_xyz, R_zxy and R_yzx of tensors R (n, 3, 3, 3)."""
    xyz = hall[:, 0, 1, 2]
    zxy = hall[:, 2, 0, 1]
    yzx = hall[:, 1, 2, 0]
    total: FloatArray = xyz + zxy + yzx
    return total / 3.0


def power_factor(seebeck: FloatArray, conductivity: FloatArray) -> FloatArray:
    """S^2 sigma as a tensor, (..., 3, 3)."""
    return seebeck @ seebeck @ conductivity


def effective_mass(conductivity: FloatArray, concentration: float) -> FloatArray:
    """Conductivity mass n e^2 (sigma/tau)^-1 in electron masses, (..., 3, 3), for n carriers per
    cm^3.
    """
    n = concentration * 1e6  # 1/m^3
    mobile = n * E_CHARGE**2
    inverse = np.linalg.pinv(conductivity, hermitian=True)
    resistivity = np.asarray(inverse, dtype=np.float64)
    return mobile / ELECTRON_MASS * resistivity


def hall_concentration(hall: FloatArray) -> FloatArray:
    """1 / (e R_H), cm^-3: positive for holes, negative for electrons."""
    return 1e-6 / (E_CHARGE * hall)


def mean(tensors: FloatArray) -> FloatArray:
    """Mean of the three eigenvalues of tensors (..., 3, 3)."""
    return np.trace(tensors, axis1=-2, axis2=-1) / 3.0


def carriers_per_cell(concentration: float, volume: float) -> float:
    """Carriers in a cell of so many Angstrom^3 at so many per cm^3."""
    return concentration * volume * CM3_PER_A3
