"""From bands to a TransportDoc: select, interpolate, sum up, integrate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import CalculationFailed
from gen2dft.transport import coefficients as co
from gen2dft.transport.bands import UniformBands
from gen2dft.transport.distribution import Distribution
from gen2dft.transport.document import Carrier, CarrierTransport, Interpolated, TransportDoc
from gen2dft.transport.interpolation import Interpolation, fit, star_functions
from gen2dft.transport.path import band_path
from gen2dft.transport.programs import program_of
from gen2dft.transport.remarks import bands_warnings, grid_warnings
from gen2dft.transport.scissor import opened
from gen2dft.transport.selection import Selection, check_spacing, select_bands
from gen2dft.transport.settings import DEFAULT, TransportSettings
from gen2dft.transport.stars import find_stars

FloatArray = NDArray[np.float64]
PUBLISHED_DOPING = 1e19  # carriers per cm^3: the highest of the published label definitions
LEFT_OUT = 10  # every tenth k-point is left out to measure the interpolation


def compute_transport(bands: UniformBands, settings: TransportSettings = DEFAULT) -> TransportDoc:
    """Transport coefficients in the constant-relaxation-time approximation.

    Raises
    ------
    CalculationFailed
        `metal`, `mesh_too_coarse` or `too_few_bands`, `program_missing` or `program_failed`; the
        message says what would help.
    """
    program = program_of(settings)
    check_spacing(bands, settings)
    bands, scissor = opened(bands, settings.gap)
    selection = select_bands(bands, settings)
    series, quality = interpolate(bands, selection, settings)
    grid = choose_grid(series, settings.grid_spacing)
    distribution = program.distribute(bands, selection, series, grid, settings)
    holes = _carriers(distribution, selection, -1, settings)
    electrons = _carriers(distribution, selection, 1, settings)
    carriers: dict[Carrier, CarrierTransport] = {"p": holes, "n": electrons}
    warnings = bands_warnings(bands, selection, settings)
    warnings += grid_warnings(series, grid, carriers, settings)
    size = tuple(grid.tolist())
    interpolated = Interpolated(grid=size, bin_width=distribution.width, **quality)
    edges = selection.edges
    said = tuple(warnings)
    computed_gap = edges.gap - scissor
    document = TransportDoc.of(bands, computed_gap, settings, carriers, interpolated, said)
    path = band_path(series, edges.valence)
    found = {"path": path, "scissor": scissor, "program_version": program.version()}
    return document.model_copy(update=found)


def transport_within_bands(
    bands: UniformBands, settings: TransportSettings = DEFAULT, needed: float = PUBLISHED_DOPING
) -> TransportDoc:
    """Transport up to the highest doping that the computed bands allow, at least up to the one that
    is needed.

    Parameters
    ----------
    needed
        Carriers per cm^3.

    Raises
    ------
    CalculationFailed
        As `compute_transport`; `too_few_bands` only if they are too few for the doping that is
        needed.
    """
    try:
        return compute_transport(bands, settings)
    except CalculationFailed as failure:
        *fewer, highest = sorted(settings.dopings)
        allowed = max(fewer, default=-np.inf)
        if failure.reason != "too_few_bands" or allowed < needed:
            raise
        milder = replace(settings, dopings=tuple(fewer))
        doc = transport_within_bands(bands, milder, needed)
        left_out = f"{highest:.0e} carriers per cm^3 were left out: too few bands were computed"
        warnings = (*doc.warnings, left_out)
        return doc.model_copy(update={"warnings": warnings})


def interpolate(
    bands: UniformBands, selection: Selection, settings: TransportSettings
) -> tuple[Interpolation, dict[str, Any]]:
    """The Fourier series of the selected bands, and its quality: root mean square deviations in
    eV.
    """
    lattice = bands.structure.lattice.matrix
    count = settings.stars_per_kpoint * len(bands.kpoints)
    stars = find_stars(lattice, bands.rotations, count)
    functions = star_functions(bands.kpoints, stars)
    program = program_of(settings)
    series = program.fit(bands, stars, functions, selection.energies)
    return series, _quality(series, functions, selection.energies)


def _quality(series: Interpolation, functions: FloatArray, energies: FloatArray) -> dict[str, Any]:
    """Size and errors of a series through energies (n_bands, n_k), by field of the document."""
    bands, stars = series.coefficients.shape
    rms_deviation = _rms_deviation(series, functions, energies)
    rms_left_out = _left_out(series, functions, energies)
    return {
        "bands": bands,
        "stars": stars,
        "rms_deviation": rms_deviation,
        "rms_left_out": rms_left_out,
    }


def _rms_deviation(series: Interpolation, functions: FloatArray, energies: FloatArray) -> float:
    """Root mean square deviation of a series from energies (n_bands, n_k), eV."""
    deviation = series.coefficients @ functions.T - energies
    mean_square = (deviation**2).mean()
    return float(np.sqrt(mean_square))


def _left_out(series: Interpolation, functions: FloatArray, energies: FloatArray) -> float | None:
    """Deviation at every tenth k-point of a series fitted without them.

    The series itself passes through all. Whichever program fitted it, this one is gen2dft's: it
    tells how well such stars serve, on which the programs agree.
    """
    numbers = np.arange(len(functions))
    out = numbers % LEFT_OUT == LEFT_OUT // 2
    if not out.any():
        return None
    kept = ~out
    without = fit(series.lattice, series.stars, functions[kept], energies[:, kept])
    left_out = energies[:, out]
    return _rms_deviation(without, functions[out], left_out)


def choose_grid(series: Interpolation, spacing: float) -> NDArray[np.int64]:
    """(3,) the grid on which bands are summed up: dense enough, and of sizes that FFTs like."""
    from scipy.fft import next_fast_len

    dense_enough = np.ceil(series.reciprocal_lengths / spacing)
    sizes = np.maximum(series.smallest_grid(), dense_enough)
    fast = [next_fast_len(int(size), real=True) for size in sizes]
    return np.array(fast)


def _carriers(
    distribution: Distribution, selection: Selection, sign: int, settings: TransportSettings
) -> CarrierTransport:
    """Coefficients at all temperatures and dopings.

    `sign` is 1 for added electrons, -1 for holes.
    """
    volume = distribution.volume
    added = [sign * co.carriers_per_cell(doping, volume) for doping in settings.dopings]
    program = program_of(settings)
    tables = defaultdict(list)
    for temperature in settings.temperatures:
        potentials = _potentials(distribution, added, temperature)
        found = program.coefficients_at(distribution, potentials, temperature)
        row = _quantities(found, settings)
        row["chemical_potential"] = potentials - selection.edges.valence
        for name, values in row.items():
            tables[name].append(values.tolist())
    return CarrierTransport(**tables)


def _potentials(
    distribution: Distribution, added: Sequence[float], temperature: float
) -> FloatArray:
    """(n,) chemical potentials, eV, with so many electrons per cell added to the distribution's."""
    potentials = []
    for count in added:
        electrons = distribution.electrons + count
        potential = co.chemical_potential(distribution, electrons, temperature)
        potentials.append(potential)
    return np.array(potentials)


def _quantities(found: co.Coefficients, settings: TransportSettings) -> dict[str, FloatArray]:
    """Coefficients in the units of the document, by field name."""
    masses = []
    for conductivity, doping in zip(found.conductivity, settings.dopings, strict=True):
        mass = co.effective_mass(conductivity, doping)
        masses.append(mass)
    per_tau = co.power_factor(found.seebeck, found.conductivity)
    factor = per_tau * settings.relaxation_time
    tensors = {
        "seebeck": found.seebeck * 1e6,
        "conductivity_per_tau": found.conductivity,
        "power_factor_per_tau": per_tau,
        "power_factor": factor * 1e4,  # W m^-1 K^-2 is 1e4 uW cm^-1 K^-2
        "thermal_conductivity_per_tau": found.thermal,
        "effective_mass": np.array(masses),
    }
    quantities = dict(tensors)
    for name, values in tensors.items():
        quantities[f"{name}_mean"] = co.mean(values)
    quantities["hall_concentration"] = co.hall_concentration(found.hall)
    return quantities
