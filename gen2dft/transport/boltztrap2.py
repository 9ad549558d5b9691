"""BoltzTraP2 as the program that turns bands into transport; `make transport` installs it.

BoltzTraP2 fits the Fourier series, evaluates it on the grid, sums up the distribution and computes
the coefficients. From gen2dft are the stars, because they follow the symmetry that magnetic moments
leave, and the grid: the spacing of its points is a setting, where BoltzTraP2's own grid is the
smallest one that holds the series, which is too coarse for light carriers (docs/transport.md).

Energies are converted to BoltzTraP2's Hartree and bohr and back in this module only.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Queue
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import CalculationFailed, PluginMissing
from gen2dft.transport.bands import UniformBands
from gen2dft.transport.coefficients import Coefficients, cyclic_mean
from gen2dft.transport.distribution import Bins, Distribution
from gen2dft.transport.interpolation import Interpolation
from gen2dft.transport.selection import Selection
from gen2dft.transport.settings import TransportSettings
from gen2dft.transport.stars import Stars

FloatArray = NDArray[np.float64]
PACKAGE = "BoltzTraP2"
PROGRAM_FAILED = "program_failed"
REMEDY = (
    "install it wherever transport is computed with `make transport` in a checkout, or with pip "
    "install 'gen2dft[transport]', or use gen2dft's own program (transport.program: gen2dft, "
    "--program gen2dft)"
)


def version() -> str | None:
    """Installed version of BoltzTraP2, None if it is not there; nothing is imported."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(PACKAGE)
    return None


def check_installed() -> None:
    """PluginMissing, with the remedy, if BoltzTraP2 is missing or cannot be imported."""
    try:
        _load()
    except ImportError as err:
        problem = "is not installed here" if version() is None else f"cannot be imported: {err}"
        raise PluginMissing(
            f"program 'boltztrap2' needs BoltzTraP2, which {problem}: {REMEDY}"
        ) from err


class _Modules(NamedTuple):
    """The modules of BoltzTraP2 that are used."""

    bandlib: Any
    fite: Any
    units: Any


def _load() -> _Modules:
    # It would recommend PyFFTW on standard error at every start.
    logging.getLogger("BoltzTraP2.misc").setLevel(logging.ERROR)
    from BoltzTraP2 import bandlib, fite, units

    return _Modules(bandlib, fite, units)


@contextlib.contextmanager
def _failures(step: str) -> Iterator[None]:
    """CalculationFailed `program_failed` instead of what BoltzTraP2 raises when it gives up.

    Some of its functions end the whole program (`sys.exit`).
    """
    try:
        # Its matrix products raise spurious floating-point flags.
        with np.errstate(all="ignore"):
            yield
    except (SystemExit, ArithmeticError, LookupError, ValueError) as err:
        detail = f"{PACKAGE} {version()}, {step}: {type(err).__name__}: {err}"
        raise CalculationFailed(PROGRAM_FAILED, detail) from err


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


def fit(
    bands: UniformBands, stars: Stars, functions: FloatArray, energies: FloatArray
) -> Interpolation:
    """The series of these stars through energies (n_bands, n_k), eV, by `fitde3D`.

    Raises
    ------
    CalculationFailed
        `program_failed`: BoltzTraP2 gave up, or gave NaN.
    """
    del functions  # BoltzTraP2 computes them itself
    _, fite, units = _load()
    lattice = bands.structure.lattice.matrix
    data = _Data(bands.kpoints, energies * units.eV, lattice.T * units.Angstrom)
    with _failures("fit"):
        coefficients = fite.fitde3D(data, _equivalences(stars))
    # Each star holds -R with R, so what is imaginary is rounding.
    series = Interpolation(lattice, stars, coefficients.real / units.eV)
    if not np.isfinite(series.coefficients).all():
        detail = f"{PACKAGE} {version()}, fit: the Fourier series of {bands.source} holds NaN"
        raise CalculationFailed(PROGRAM_FAILED, detail)
    return series


def _equivalences(stars: Stars) -> list[NDArray[np.int64]]:
    """Stars in BoltzTraP2's form: one array (n, 3) of lattice vectors for each."""
    return np.split(stars.vectors, stars.starts[1:])


def distribute(
    bands: UniformBands,
    selection: Selection,
    series: Interpolation,
    grid: NDArray[np.int64],
    settings: TransportSettings,
) -> Distribution:
    """Sum the bands of a series up on a grid of k-points, by `BTPDOS`.

    Parameters
    ----------
    grid
        (3,) points along each reciprocal axis, at least `series.smallest_grid()`.

    Raises
    ------
    CalculationFailed
        `program_failed`.
    """
    bins = Bins.around(selection.energies, settings.bin_width)
    total: list[FloatArray] = []
    with _failures("bands on the grid"):
        for summed in _sums_by_band(series, grid, bins, settings.hall):
            # One band at a time, so that memory does not grow with their number.
            total = [a + b for a, b in zip(total, summed, strict=True)] if total else summed
    return _in_our_units(total, bins, bands, selection)


def _sums_by_band(
    series: Interpolation, grid: NDArray[np.int64], bins: Bins, curvature: bool
) -> Iterator[list[FloatArray]]:
    """States, velocities and, if asked for, curvatures of each band in bins, all in BoltzTraP2's
    units.
    """
    bandlib, _, units = _load()
    edges = (bins.low * units.eV, bins.high * units.eV)
    for energies, velocities, curvatures in _on_grid(series, grid, curvature):
        # States outside count in the outermost bins: electrons must not be lost.
        inside = np.clip(energies, *edges)[None]
        cband = curvatures[None] if curvature else None
        _, *summed = bandlib.BTPDOS(
            inside, velocities[None], cband=cband, erange=edges, npts=bins.count
        )
        yield summed if curvature else summed[:2]


def _on_grid(
    series: Interpolation, grid: NDArray[np.int64], curvature: bool
) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
    """Energies, products of velocities and curvatures of each band on a grid."""
    _, fite, units = _load()
    equivalences = _equivalences(series.stars)
    lattice = series.lattice * units.Angstrom
    vectors = np.ascontiguousarray(series.stars.vectors @ lattice)
    shared = vectors.tobytes()
    for coefficients in series.coefficients * units.eV:
        # Its `getBTPbands` chooses the grid itself and starts processes; their work is this.
        tasks: Queue[Any] = Queue()
        results: Queue[Any] = Queue()
        tasks.put((0, coefficients))
        tasks.put(None)
        fite.fft_worker(equivalences, shared, grid, tasks, results, curvature)
        _, energies, velocities, curvatures = results.get()
        yield energies, velocities, curvatures


def _in_our_units(
    summed: list[FloatArray], bins: Bins, bands: UniformBands, selection: Selection
) -> Distribution:
    """Sums of BTPDOS as a Distribution."""
    units = _load().units
    states, velocities, *rest = summed
    curvatures = rest[0] / _curvature_unit() if rest else None
    return Distribution(
        bins.middles,
        states * units.eV,
        velocities / (units.eV * units.Angstrom**2),  # eV^2 Angstrom^2 / eV
        curvatures,
        bands.degeneracy,
        selection.electrons,
        float(bands.structure.volume),
    )


def _curvature_unit() -> float:
    """eV^3 Angstrom^4 / eV in atomic units."""
    units = _load().units
    return float(units.eV**2 * units.Angstrom**4)


def coefficients_at(
    found: Distribution, potentials: FloatArray, temperature: float
) -> Coefficients:
    """Fermi integrals and coefficients by BoltzTraP2 at chemical potentials (n,), eV, and one
    temperature, K.

    Raises
    ------
    CalculationFailed
        `program_failed`.
    """
    bandlib, _, units = _load()
    mu = potentials * units.eV
    t = np.array([temperature])
    volume = found.volume * units.Angstrom**3
    with _failures("coefficients"):
        _, l0, l1, l2, magnetic = _fermi_integrals(found, mu, t)
        sigma, seebeck, kappa, hall = bandlib.calc_Onsager_coefficients(
            l0, l1, l2, mu, t, volume, Lm11=magnetic
        )
    mean = np.full(len(potentials), np.nan)
    if hall is not None:
        # In its units of the charge, metre and tesla; cf. pymatgen.electronic_structure.boltztrap2.
        mean = cyclic_mean(hall[0])
    return Coefficients(seebeck[0], sigma[0], kappa[0], mean)


def _fermi_integrals(found: Distribution, mu: FloatArray, t: FloatArray) -> Any:
    """BoltzTraP2's integrals of a distribution, all in its units: number, L0, L1, L2, L11."""
    bandlib, _, units = _load()
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
    """BoltzTraP2's own search, eV; exact to some 1e-5 Hartree, so that only tests and benchmark use
    it.
    """
    bandlib, _, units = _load()
    energies = found.energies * units.eV
    states = found.states / units.eV
    potential = bandlib.solve_for_mu(
        energies, states, electrons, temperature, found.degeneracy, refine=True
    )
    return float(potential) / units.eV
