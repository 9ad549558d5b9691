"""The programs that turn bands into transport coefficients: gen2dft's own, and BoltzTraP2.

Both fit the same Fourier series to the same bands, sum it up on the same grid and give the same
numbers (docs/transport.md). The rest, from the choice of bands to the document, is shared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import gen2dft
from gen2dft.errors import CalculationFailed, CampaignError, PluginMissing, not_one_of
from gen2dft.transport import boltztrap2, coefficients, interpolation
from gen2dft.transport.bands import UniformBands
from gen2dft.transport.coefficients import Coefficients
from gen2dft.transport.distribution import Bins, Distribution, accumulate
from gen2dft.transport.interpolation import Interpolation, bands_on_grid, grid_weights
from gen2dft.transport.selection import Selection
from gen2dft.transport.settings import TransportSettings
from gen2dft.transport.stars import Stars

FloatArray = NDArray[np.float64]
Grid = NDArray[np.int64]
PROGRAM_MISSING = "program_missing"


@dataclass(frozen=True)
class Program:
    """One program.

    Parameters
    ----------
    name
        As settings and documents give it.
    version
        Its version, None if it is not installed.
    check
        Raises PluginMissing, with the remedy, if it cannot be used here.
    fit
        The series of some stars through the energies (n_bands, n_k), eV, of bands; `functions` are
        the `star_functions` at the k-points.
    distribute
        Sum the interpolated bands up in bins of energy on a grid of k-points (3,).
    coefficients_at
        Coefficients of a distribution at chemical potentials (n,), eV, and one temperature, K.
    """

    name: str
    version: Callable[[], str | None]
    check: Callable[[], None]
    fit: Callable[[UniformBands, Stars, FloatArray, FloatArray], Interpolation]
    distribute: Callable[
        [UniformBands, Selection, Interpolation, Grid, TransportSettings], Distribution
    ]
    coefficients_at: Callable[[Distribution, FloatArray, float], Coefficients]


def fit(
    bands: UniformBands, stars: Stars, functions: FloatArray, energies: FloatArray
) -> Interpolation:
    """gen2dft's own fit."""
    lattice = bands.structure.lattice.matrix
    return interpolation.fit(lattice, stars, functions, energies)


def distribute(
    bands: UniformBands,
    selection: Selection,
    series: Interpolation,
    grid: Grid,
    settings: TransportSettings,
) -> Distribution:
    """Sum the interpolated bands up in bins of energy, with gen2dft's own FFT and sums."""
    bins = Bins.around(selection.energies, settings.bin_width)
    on_grid = bands_on_grid(series, grid, settings.hall)
    weights = grid_weights(grid)
    volume = float(bands.structure.volume)
    return accumulate(on_grid, weights, bins, bands.degeneracy, selection.electrons, volume)


OWN = Program(
    name="gen2dft",
    version=lambda: gen2dft.__version__,
    check=lambda: None,
    fit=fit,
    distribute=distribute,
    coefficients_at=coefficients.coefficients_at,
)
BOLTZTRAP2 = Program(
    name="boltztrap2",
    version=boltztrap2.version,
    check=boltztrap2.check_installed,
    fit=boltztrap2.fit,
    distribute=boltztrap2.distribute,
    coefficients_at=boltztrap2.coefficients_at,
)
PROGRAMS = {program.name: program for program in (OWN, BOLTZTRAP2)}


def check_program(name: str) -> Program:
    """The program of that name, usable here.

    Raises
    ------
    CampaignError
        If there is no such program; it names the choices.
    PluginMissing
        If it is not installed here.
    """
    if name not in PROGRAMS:
        raise CampaignError(not_one_of("transport program", name, PROGRAMS))
    program = PROGRAMS[name]
    program.check()
    return program


def program_of(settings: TransportSettings) -> Program:
    """The program that settings name, in the middle of a calculation.

    Raises
    ------
    CalculationFailed
        `program_missing`: it is not installed on this worker.
    """
    try:
        return check_program(settings.program)
    except PluginMissing as lack:
        raise CalculationFailed(PROGRAM_MISSING, str(lack)) from lack
