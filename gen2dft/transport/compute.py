"""From bands to a TransportDoc: select, interpolate, sum up, integrate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import CalculationFailed
from gen2dft.transport import coefficients as co
from gen2dft.transport.bands import BandEdges, UniformBands
from gen2dft.transport.constants import (
    ANGSTROM,
    BOLTZMANN,
    E_CHARGE,
    ELECTRON_MASS,
    HBAR,
    RELAXATION_TIME,
)
from gen2dft.transport.distribution import Bins, Distribution, accumulate
from gen2dft.transport.document import Carrier, CarrierTransport, Interpolated, TransportDoc
from gen2dft.transport.interpolation import (
    Interpolation,
    bands_on_grid,
    fit,
    grid_weights,
    star_functions,
)
from gen2dft.transport.path import band_path
from gen2dft.transport.stars import find_stars

FloatArray = NDArray[np.float64]
# Occupations still change this many kT away from the chemical potential: (x^2 + 2x + 2) exp(-x) is
# 0.03 of kappa.
MARGIN = 8.0
# Mesh spacings (1/Angstrom) below which power factors were within 2 and 10 % of those of finer
# meshes.
FINE, USABLE = 0.12, 0.15
LEFT_OUT = 10  # every tenth k-point is left out to measure the interpolation


@dataclass(frozen=True)
class TransportSettings:
    """What is computed, and how finely.

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
    """

    temperatures: tuple[float, ...] = tuple(float(t) for t in range(100, 1301, 100))
    dopings: tuple[float, ...] = tuple(10.0**power for power in range(16, 23))
    relaxation_time: float = RELAXATION_TIME
    stars_per_kpoint: int = 5
    grid_spacing: float = 0.025
    bin_width: float = 0.001
    max_spacing: float = 0.2
    hall: bool = True


DEFAULT = TransportSettings()


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


def compute_transport(bands: UniformBands, settings: TransportSettings = DEFAULT) -> TransportDoc:
    """Transport coefficients in the constant-relaxation-time approximation.

    Raises
    ------
    CalculationFailed
        `metal`, `mesh_too_coarse` or `too_few_bands`; the message says what would help.
    """
    check_spacing(bands, settings)
    selection = select_bands(bands, settings)
    series, quality = interpolate(bands, selection, settings)
    grid = choose_grid(series, settings.grid_spacing)
    distribution = distribute(bands, selection, series, grid, settings)
    carriers: dict[Carrier, CarrierTransport] = {
        "p": _carriers(distribution, selection, -1, settings),
        "n": _carriers(distribution, selection, 1, settings),
    }
    said = (
        *bands_warnings(bands, selection, settings),
        *_grid_warnings(series, grid, carriers, settings),
    )
    a, b, c = grid.tolist()
    interpolated = Interpolated(grid=(a, b, c), bin_width=distribution.width, **quality)
    document = TransportDoc.of(bands, selection.edges.gap, settings, carriers, interpolated, said)
    return document.model_copy(update={"path": band_path(series, selection.edges.valence)})


def transport_within_bands(
    bands: UniformBands, settings: TransportSettings = DEFAULT, needed: float = 1e19
) -> TransportDoc:
    """Transport up to the highest doping that the computed bands allow, at least up to the one that
    is needed.

    Parameters
    ----------
    needed
        Carriers per cm^3; the label definitions need 1e19.

    Raises
    ------
    CalculationFailed
        As `compute_transport`; `too_few_bands` only if they are too few for the doping that is
        needed.
    """
    try:
        return compute_transport(bands, settings)
    except CalculationFailed as failure:
        fewer = tuple(sorted(settings.dopings)[:-1])
        if failure.reason != "too_few_bands" or not fewer or fewer[-1] < needed:
            raise
        doc = transport_within_bands(bands, replace(settings, dopings=fewer), needed)
        said = (
            f"{max(settings.dopings):.0e} carriers per cm^3 were left out: too few bands were "
            "computed"
        )
        return doc.model_copy(update={"warnings": (*doc.warnings, said)})


def bands_warnings(
    bands: UniformBands, selection: Selection, settings: TransportSettings
) -> list[str]:
    """What a reader should know of the bands that went in."""
    said: list[str] = []
    if bands.spacing > FINE:
        percent = 10 if bands.spacing <= USABLE else 30
        said.append(
            f"mesh spacing {bands.spacing:.3f} 1/Angstrom is above {FINE:g}: power factors may be "
            f"off by {percent} %"
        )
    hot, gap = max(settings.temperatures), selection.edges.gap
    if gap < 5 * BOLTZMANN * hot:
        said.append(
            f"the gap of {gap:.3f} eV is below 5 kT at {hot:g} K: carriers of both kinds, whatever "
            "the doping"
        )
    if any(bands.mesh.shift):
        said.append("the mesh does not hold Gamma: band edges there are interpolated, not computed")
    return said


def _grid_warnings(
    series: Interpolation,
    grid: NDArray[np.int64],
    carriers: dict[Carrier, CarrierTransport],
    settings: TransportSettings,
) -> list[str]:
    """Light carriers at low temperature sit between the points of the grid."""
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(series.lattice), axis=0)
    # At the lowest temperature and a middling doping there are carriers of one kind only, which
    # gives their mass.
    coldest = [np.array(c.effective_mass)[0, len(settings.dopings) // 2] for c in carriers.values()]
    mass = min(float(np.linalg.eigvalsh(tensor).min()) for tensor in coldest)
    limit = resolved_above(mass, float((lengths / grid).max()))
    if limit <= min(settings.temperatures):
        return []
    return [
        f"below {limit:.0f} K the summation grid is too coarse for the lightest carriers (mass "
        f"{mass:.2f}): numbers "
        "there are rough; a smaller grid_spacing helps"
    ]


def resolved_above(mass: float, spacing: float) -> float:
    """Temperature (K) above which a grid of that spacing (1/Angstrom) sums a parabolic band to some
    1 %.

    The sum over a grid of exp(-a k^2), a = hbar^2 / (2 m kT), is off by 6 exp(-pi^2 / (a
    spacing^2)) (Poisson's formula), which is 0.01 at a spacing^2 = 1.5.
    """
    return HBAR**2 / ELECTRON_MASS / ANGSTROM**2 / E_CHARGE * spacing**2 / (3.0 * mass * BOLTZMANN)


def check_spacing(bands: UniformBands, settings: TransportSettings) -> None:
    """Refuse a mesh that is too coarse to interpolate.

    CalculationFailed names the mesh that would do.
    """
    if bands.spacing <= settings.max_spacing:
        return
    lengths = np.array(bands.structure.lattice.reciprocal_lattice.abc)
    enough = " x ".join(str(int(n)) for n in np.ceil(lengths / settings.max_spacing))
    detail = (
        f"{bands.source}: the mesh {' x '.join(map(str, bands.mesh.size))} has a spacing of "
        f"{bands.spacing:.3f} "
        f"1/Angstrom, more than {settings.max_spacing:g}; compute at least {enough} k-points"
    )
    raise CalculationFailed("mesh_too_coarse", detail)


def select_bands(bands: UniformBands, settings: TransportSettings) -> Selection:
    """Leave out bands that are full or empty at all temperatures and dopings.

    Raises
    ------
    CalculationFailed
        `metal`, or `too_few_bands` if the highest doping reaches into bands that were not computed.
    """
    edges = bands.edges()
    margin = MARGIN * BOLTZMANN * max(settings.temperatures)
    carriers = co.carriers_per_cell(max(settings.dopings), bands.structure.volume)
    low = edges.valence - _filled(bands, edges, carriers, holes=True) - margin
    high = edges.conduction + _filled(bands, edges, carriers, holes=False) + margin
    first_missing = float(bands.energies[:, -1].min())
    if high > first_missing:
        reach = f"{high - edges.conduction:.2f} eV into" if np.isfinite(high) else "beyond all of"
        detail = (
            f"{bands.source}: {max(settings.dopings):.0e} electrons per cm^3 at "
            f"{max(settings.temperatures):g} K reach "
            f"{reach} the conduction bands, but the {bands.energies.shape[1]} bands are complete "
            "only up to "
            f"{first_missing - edges.conduction:.2f} eV; compute more bands (NBANDS in VASP, "
            "nbands in GPAW), or ask "
            "for lower dopings and temperatures"
        )
        raise CalculationFailed("too_few_bands", detail)
    flat = bands.energies.reshape(-1, bands.energies.shape[-1])
    full = flat.max(axis=1) < low
    kept = ~full & (flat.min(axis=1) < high)
    return Selection(flat[kept], bands.electrons - bands.degeneracy * int(full.sum()), edges)


def _filled(bands: UniformBands, edges: BandEdges, carriers: float, holes: bool) -> float:
    """How far into the bands so many carriers per cell reach at 0 K, eV."""
    flat = bands.energies.reshape(-1, bands.energies.shape[-1])
    depth = edges.valence - flat if holes else flat - edges.conduction
    states = np.broadcast_to(bands.mesh.weights * bands.degeneracy, depth.shape)
    inside = depth > -1e-9
    order = np.argsort(depth[inside])
    held = np.cumsum(states[inside][order])
    if held[-1] < carriers:
        return np.inf
    return float(depth[inside][order][np.searchsorted(held, carriers)])


def interpolate(
    bands: UniformBands, selection: Selection, settings: TransportSettings
) -> tuple[Interpolation, dict[str, Any]]:
    """The Fourier series of the selected bands, and its quality: root mean square deviations in
    eV.
    """
    lattice = bands.structure.lattice.matrix
    stars = find_stars(lattice, bands.rotations, settings.stars_per_kpoint * len(bands.kpoints))
    functions = star_functions(bands.kpoints, stars)
    series = fit(lattice, stars, functions, selection.energies)
    at_input = series.coefficients @ functions.T - selection.energies
    quality: dict[str, Any] = {
        "bands": len(selection.energies),
        "stars": len(stars.sizes),
        "rms_deviation": float(np.sqrt((at_input**2).mean())),
        "rms_left_out": _left_out(series, functions, selection),
    }
    return series, quality


def _left_out(series: Interpolation, functions: FloatArray, selection: Selection) -> float | None:
    """Deviation at every tenth k-point of a series fitted without them.

    The series itself passes through all.
    """
    out = np.arange(functions.shape[0]) % LEFT_OUT == LEFT_OUT // 2
    if out.sum() == 0:
        return None
    without = fit(series.lattice, series.stars, functions[~out], selection.energies[:, ~out])
    deviation = without.coefficients @ functions[out].T - selection.energies[:, out]
    return float(np.sqrt((deviation**2).mean()))


def choose_grid(series: Interpolation, spacing: float) -> NDArray[np.int64]:
    """(3,) the grid on which bands are summed up: dense enough, and of sizes that FFTs like."""
    from scipy.fft import next_fast_len

    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(series.lattice), axis=0)
    wanted = np.maximum(series.smallest_grid(), np.ceil(lengths / spacing)).astype(int)
    return np.array([next_fast_len(int(n), real=True) for n in wanted])


def distribute(
    bands: UniformBands,
    selection: Selection,
    series: Interpolation,
    grid: NDArray[np.int64],
    settings: TransportSettings,
) -> Distribution:
    """Sum the interpolated bands up in bins of energy."""
    low, high = float(selection.energies.min()), float(selection.energies.max())
    slack = 0.05 * (high - low) + 0.1  # a series overshoots between the points it passes through
    bins = Bins(
        low - slack, high + slack, int(np.ceil((high - low + 2 * slack) / settings.bin_width))
    )
    return accumulate(
        bands_on_grid(series, grid, settings.hall),
        grid_weights(grid),
        bins,
        bands.degeneracy,
        selection.electrons,
        float(bands.structure.volume),
    )


def _carriers(
    distribution: Distribution, selection: Selection, sign: int, settings: TransportSettings
) -> CarrierTransport:
    """Coefficients at all temperatures and dopings.

    `sign` is 1 for added electrons, -1 for holes.
    """
    per_cell = [sign * co.carriers_per_cell(n, distribution.volume) for n in settings.dopings]
    rows: dict[str, list[FloatArray]] = {name: [] for name in CarrierTransport.model_fields}
    for temperature in settings.temperatures:
        potentials = np.array(
            [
                co.chemical_potential(distribution, distribution.electrons + n, temperature)
                for n in per_cell
            ]
        )
        found = co.coefficients_at(distribution, potentials, temperature)
        for name, values in _quantities(found, settings).items():
            rows[name].append(values)
        rows["chemical_potential"].append(potentials - selection.edges.valence)
    return CarrierTransport(**{name: np.array(values).tolist() for name, values in rows.items()})


def _quantities(found: co.Coefficients, settings: TransportSettings) -> dict[str, FloatArray]:
    """Coefficients in the units of the document, by field name."""
    factor = co.power_factor(found.seebeck, found.conductivity)
    masses = np.array(
        [
            co.effective_mass(tensor, n)
            for tensor, n in zip(found.conductivity, settings.dopings, strict=True)
        ]
    )
    tensors = {
        "seebeck": found.seebeck * 1e6,
        "conductivity_per_tau": found.conductivity,
        "power_factor_per_tau": factor,
        "power_factor": factor * settings.relaxation_time * 1e4,  # W m^-1 K^-2 is 1e4 uW cm^-1 K^-2
        "thermal_conductivity_per_tau": found.thermal,
        "effective_mass": masses,
    }
    means = {f"{name}_mean": co.mean(values) for name, values in tensors.items()}
    return {**tensors, **means, "hall_concentration": co.hall_concentration(found.hall)}
