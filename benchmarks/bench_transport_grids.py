"""Power factors by the grid on which bands are summed up: those that BoltzTraP2 chooses by `lpfac`,
and the one that `grid_spacing` asks for; as ratios to a grid twice as fine as that.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_transport_grids.py FILES [--lpfac 5 10 20]

Files are uniform meshes (vasprun.xml or .gpw). For each crystal, holes and then electrons at 300 K
and 1e18 cm^-3, and at 600 K and 1e19 cm^-3; at the end the smallest and the largest ratio of each
grid. Both programs give these numbers; gen2dft's own is used, so BoltzTraP2 need not be there.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import CalculationFailed
from gen2dft.transport import coefficients, compute, programs
from gen2dft.transport.bands import UniformBands
from gen2dft.transport.loaders import load_bands
from gen2dft.transport.selection import select_bands
from gen2dft.transport.settings import TransportSettings

POINTS = ((300.0, 1e18), (600.0, 1e19))
SIGNS = (-1, 1)  # holes, electrons
SETTINGS = TransportSettings(
    temperatures=(300.0, 600.0), dopings=(1e18, 1e19), max_spacing=0.25, hall=False
)


def power_factors(
    bands: UniformBands, settings: TransportSettings, spacing: float | None
) -> NDArray[np.float64]:
    """(4,) S^2 sigma, mean of the eigenvalues.

    `spacing`: of the grid, 1/Angstrom; None: the grid that BoltzTraP2 chooses for these stars.
    """
    selection = select_bands(bands, settings)
    series, _ = compute.interpolate(bands, selection, settings)
    grid = series.smallest_grid() if spacing is None else compute.choose_grid(series, spacing)
    found = programs.distribute(bands, selection, series, grid, settings)
    factors = []
    for sign in SIGNS:
        for temperature, doping in POINTS:
            added = sign * coefficients.carriers_per_cell(doping, found.volume)
            electrons = found.electrons + added
            potential = coefficients.chemical_potential(found, electrons, temperature)
            at = coefficients.coefficients_at(found, np.array([potential]), temperature)
            factors.append(coefficients.power_factor(at.seebeck, at.conductivity)[0])
    return coefficients.mean(np.array(factors))


def ratios(bands: UniformBands, lpfacs: list[int]) -> dict[str, NDArray[np.float64]]:
    """Grid to its four power factors over the converged ones."""
    spacing = SETTINGS.grid_spacing
    converged = power_factors(bands, SETTINGS, spacing / 2)
    found = {f"{spacing:g} 1/A": power_factors(bands, SETTINGS, spacing) / converged}
    for lpfac in lpfacs:
        settings = replace(SETTINGS, stars_per_kpoint=lpfac)
        found[f"lpfac {lpfac}"] = power_factors(bands, settings, None) / converged
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="vasprun.xml or .gpw")
    parser.add_argument("--lpfac", nargs="*", type=int, default=[5, 10, 20, 40])
    options = parser.parse_args()
    everything = defaultdict(list)
    for file in options.files:
        try:
            bands = load_bands(file)
            found = ratios(bands, options.lpfac)
        except CalculationFailed as failure:
            print(f"{file}: {failure.reason}")
            continue
        print(
            bands.structure.composition.reduced_formula, f"spacing {bands.spacing:.3f}", flush=True
        )
        for grid, values in found.items():
            print(f"    {grid:10s}", *(f"{value:6.3f}" for value in values), flush=True)
            everything[grid].extend(values)
    for grid, values in everything.items():
        print(f"{grid:10s} {min(values):.3f} to {max(values):.3f}")


if __name__ == "__main__":
    main()
