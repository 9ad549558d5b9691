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
from gen2dft.transport.coefficients import Coefficients
from gen2dft.transport.compute import Selection, TransportSettings
from gen2dft.transport.distribution import Bins, Distribution

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
    equivalences = sphere.get_equivalences(
        _atoms(structure), None, settings.stars_per_kpoint * len(bands.kpoints)
    )
    lattice = structure.lattice.matrix.T * units.Angstrom
    data = _Data(bands.kpoints, selection.energies * units.eV, lattice)
    with np.errstate(all="ignore"):  # its matrix products raise spurious floating-point flags
        series = fite.fitde3D(data, equivalences)
    energies, vv, curvatures = fite.getBTPbands(
        equivalences, series, lattice, curvature=settings.hall
    )
    erange = (bins.low * units.eV, bins.high * units.eV)
    eps, dos, vvdos, cdos = bandlib.BTPDOS(
        energies, vv, cband=curvatures, erange=erange, npts=bins.count
    )
    per_vv = units.eV * units.Angstrom**2  # eV^2 Angstrom^2 / eV
    per_curvature = units.eV**2 * units.Angstrom**4
    return Distribution(
        eps / units.eV,
        dos * units.eV,
        vvdos / per_vv,
        None if cdos is None else cdos / per_curvature,
        bands.degeneracy,
        selection.electrons,
        float(structure.volume),
    )


def coefficients_at(
    found: Distribution, potentials: FloatArray, temperature: float
) -> Coefficients:
    """Fermi integrals and coefficients by BoltzTraP2 at chemical potentials (n,), eV, and one
    temperature, K.
    """
    from BoltzTraP2 import bandlib, units

    per_curvature = units.eV**2 * units.Angstrom**4
    curvatures = None if found.curvatures is None else found.curvatures * per_curvature
    mu, t = potentials * units.eV, np.array([temperature])
    eps, dos = found.energies * units.eV, found.states / units.eV
    vvdos = found.velocities * units.eV * units.Angstrom**2
    integrals = bandlib.fermiintegrals(
        eps, dos, vvdos, mur=mu, Tr=t, dosweight=found.degeneracy, cdos=curvatures
    )
    volume = found.volume * units.Angstrom**3
    sigma, seebeck, kappa, hall = bandlib.calc_Onsager_coefficients(
        *integrals[1:4], mu, t, volume, Lm11=integrals[4]
    )
    mean = np.full(len(potentials), np.nan)
    if hall is not None:
        # In its units of the charge, metre and tesla; cf. pymatgen.electronic_structure.boltztrap2.
        mean = (hall[0, :, 0, 1, 2] + hall[0, :, 2, 0, 1] + hall[0, :, 1, 2, 0]) / 3.0
    return Coefficients(seebeck[0], sigma[0], kappa[0], mean)


def chemical_potential(found: Distribution, electrons: float, temperature: float) -> float:
    """BoltzTraP2's own search, eV; exact to some 1e-5 Hartree."""
    from BoltzTraP2 import bandlib, units

    eps, dos = found.energies * units.eV, found.states / units.eV
    mu = bandlib.solve_for_mu(eps, dos, electrons, temperature, found.degeneracy, refine=True)
    return float(mu) / units.eV


def _atoms(structure: Any) -> Any:
    from ase import Atoms

    return Atoms(
        numbers=list(structure.atomic_numbers),
        cell=structure.lattice.matrix,
        scaled_positions=structure.frac_coords,
        pbc=True,
    )
