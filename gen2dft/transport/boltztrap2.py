"""The same calculation by BoltzTraP2 itself, if it is installed: what tests and benchmark compare
this package with.

Nothing else needs BoltzTraP2. Energies are converted to its Hartree and bohr and back here only.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.transport.bands import UniformBands
from gen2dft.transport.coefficients import Coefficients, cyclic_mean
from gen2dft.transport.distribution import Bins, Distribution
from gen2dft.transport.selection import Selection
from gen2dft.transport.settings import TransportSettings

FloatArray = NDArray[np.float64]


@dataclass
class _Data:
    """What BoltzTraP2's functions ask of a loader."""

    kpoints: FloatArray
    ebands: FloatArray
    lattice: FloatArray
    mommat: None = None

    def get_lattvec(self) -> FloatArray:
        """Lattice vectors as columns, bohr."""
        return self.lattice


def distribution(
    bands: UniformBands, selection: Selection, settings: TransportSettings, bins: Bins
) -> Distribution:
    """Interpolate and sum up with BoltzTraP2: sphere, fitde3D, getBTPbands, BTPDOS, on its own
    grid.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        from BoltzTraP2 import bandlib, fite, sphere, units

    structure = bands.structure
    stars = settings.stars_per_kpoint * len(bands.kpoints)
    equivalences = sphere.get_equivalences(_atoms(structure), None, stars)
    lattice = structure.lattice.matrix.T * units.Angstrom
    energies = selection.energies * units.eV
    data = _Data(bands.kpoints, energies, lattice)
    with np.errstate(all="ignore"):  # its matrix products raise spurious floating-point flags
        series = fite.fitde3D(data, equivalences)
    energies, velocities, curvatures = fite.getBTPbands(
        equivalences, series, lattice, curvature=settings.hall
    )
    low = bins.low * units.eV
    high = bins.high * units.eV
    summed = bandlib.BTPDOS(
        energies, velocities, cband=curvatures, erange=(low, high), npts=bins.count
    )
    return _in_our_units(summed, bands, selection)


def _in_our_units(summed: Any, bands: UniformBands, selection: Selection) -> Distribution:
    """Energies, states, velocities and curvatures of BTPDOS as a Distribution."""
    from BoltzTraP2 import units

    energies, states, velocities, curvatures = summed
    energies = energies / units.eV
    states = states * units.eV
    velocities = velocities / (units.eV * units.Angstrom**2)  # eV^2 Angstrom^2 / eV
    if curvatures is not None:
        curvatures = curvatures / _curvature_unit()
    volume = float(bands.structure.volume)
    electrons = selection.electrons
    return Distribution(
        energies, states, velocities, curvatures, bands.degeneracy, electrons, volume
    )


def _curvature_unit() -> float:
    """eV^3 Angstrom^4 / eV in atomic units."""
    from BoltzTraP2 import units

    return float(units.eV**2 * units.Angstrom**4)


def coefficients_at(
    found: Distribution, potentials: FloatArray, temperature: float
) -> Coefficients:
    """Fermi integrals and coefficients by BoltzTraP2 at chemical potentials (n,), eV, and one
    temperature, K.
    """
    from BoltzTraP2 import bandlib, units

    mu = potentials * units.eV
    t = np.array([temperature])
    integrals = _fermi_integrals(found, mu, t)
    _, l0, l1, l2, magnetic = integrals
    volume = found.volume * units.Angstrom**3
    found_at = bandlib.calc_Onsager_coefficients(l0, l1, l2, mu, t, volume, Lm11=magnetic)
    sigma, seebeck, kappa, hall = found_at
    mean = np.full(len(potentials), np.nan)
    if hall is not None:
        # In its units of the charge, metre and tesla; cf. pymatgen.electronic_structure.boltztrap2.
        mean = cyclic_mean(hall[0])
    return Coefficients(seebeck[0], sigma[0], kappa[0], mean)


def _fermi_integrals(found: Distribution, mu: FloatArray, t: FloatArray) -> Any:
    """BoltzTraP2's integrals of a distribution, all in its units: number, L0, L1, L2, L11."""
    from BoltzTraP2 import bandlib, units

    energies = found.energies * units.eV
    states = found.states / units.eV
    velocities = found.velocities * units.eV * units.Angstrom**2
    curvatures = found.curvatures
    if curvatures is not None:
        curvatures = curvatures * _curvature_unit()
    return bandlib.fermiintegrals(
        energies, states, velocities, mur=mu, Tr=t, dosweight=found.degeneracy, cdos=curvatures
    )


def chemical_potential(found: Distribution, electrons: float, temperature: float) -> float:
    """BoltzTraP2's own search, eV; exact to some 1e-5 Hartree."""
    from BoltzTraP2 import bandlib, units

    energies = found.energies * units.eV
    states = found.states / units.eV
    potential = bandlib.solve_for_mu(
        energies, states, electrons, temperature, found.degeneracy, refine=True
    )
    return float(potential) / units.eV


def _atoms(structure: Any) -> Any:
    from ase import Atoms

    return Atoms(
        numbers=list(structure.atomic_numbers),
        cell=structure.lattice.matrix,
        scaled_positions=structure.frac_coords,
        pbc=True,
    )
