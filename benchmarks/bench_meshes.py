"""How far power factors on a finite mesh of k-points are from those on a finer one, and how often
the stated error holds.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_meshes.py --folder DIR [--only ID ...]

GPAW computes bands of prototypes on meshes of 16^3, 20^3 and 24^3 points. Each of them holds
the mesh of half its size, so that three calculations give the series 8, 10, 12, 16, 20, 24.
Bands are kept in DIR, and what is there is not computed again; `--read` only evaluates.
Printed are the power factors, and how often the finest mesh, and the limit extrapolated from the
two finest, lie within the error that gen2dft states, and within the last change. A case is a pair
of neighbouring meshes, no coarser than the one before the preset's; the finer states an error.
Needs GPAW (`make gpaw`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from gen2dft.datasets.prototypes import load_prototypes
from gen2dft.engines.gpaw.engine import read_bands
from gen2dft.engines.gpaw.engine import uniform_bands as compute_bands
from gen2dft.engines.gpaw.presets import get_preset
from gen2dft.errors import CalculationFailed
from gen2dft.transport.bands import UniformBands, uniform_bands
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.convergence import (
    mesh_of_spacing,
    refinement,
    relative_change,
    stated_error,
)
from gen2dft.transport.document import Carrier, ConvergenceStep, TransportDoc
from gen2dft.transport.settings import TransportSettings

CRYSTALS = (
    "SiGe-1", "BP-1", "BeS-1", "Li2Se-1", "LiBr-2", "CdSe-1", "TePb-1", "SrSe-1", "LiZnP-1",
    "LiZnAs-1", "NaLiSe-3", "LiCdP-1",
)  # fmt: skip
FINE = (16, 20, 24)
MARGIN = 1.5  # a mesh is measured against one that is so many times finer
PRESET = "gpaw-quick-v1"
# Holes and electrons, at the temperatures and dopings of the label definitions.
POINTS: tuple[tuple[Carrier, float, float], ...] = (
    ("p", 300.0, 1e18),
    ("p", 600.0, 1e19),
    ("n", 300.0, 1e18),
    ("n", 600.0, 1e19),
)
SETTINGS = TransportSettings(
    temperatures=(300.0, 600.0), dopings=(1e18, 1e19), hall=False, max_spacing=1.0
)


def fine_bands(crystal: Structure, size: int, folder: Path) -> UniformBands:
    """Bands on one of the meshes that GPAW computes, which are kept in the folder."""
    place = folder / str(size)
    try:
        return read_bands(place)
    except CalculationFailed:
        place.mkdir(parents=True, exist_ok=True)
    longest = max(crystal.lattice.reciprocal_lattice.abc)
    compute_bands(crystal, PRESET, place, longest / size)
    return read_bands(place)


def coarser(bands: UniformBands) -> UniformBands:
    """The same bands on every second point along each axis."""
    half = np.array(bands.mesh.size) / 2
    steps = bands.kpoints * half
    on_mesh = np.abs(steps - np.round(steps)).max(axis=1) < 1e-3
    return uniform_bands(
        bands.structure,
        bands.kpoints[on_mesh],
        bands.energies[:, :, on_mesh],
        bands.electrons,
        bands.degeneracy,
        bands.source,
    )


def series_of(name: str, folder: Path) -> dict[int, TransportDoc]:
    """Size of a mesh to the transport of a crystal on it."""
    found: dict[int, TransportDoc] = {}
    for size in FINE:
        bands = read_bands(folder / name / str(size))
        for mesh in (coarser(bands), bands):
            found[mesh.mesh.size[0]] = compute_transport(mesh, SETTINGS)
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Case:
    """A series of meshes as a campaign could have computed it.

    Parameters
    ----------
    steps
        The coarsest mesh first.
    finest
        Power factor on the finest mesh that there is.
    limit
        That of infinitely many k-points, extrapolated from the two finest meshes: errors fall as
        the square of the spacing.
    """

    name: str
    steps: tuple[ConvergenceStep, ...]
    finest: float
    limit: float

    def error(self, truth: float) -> float:
        """True relative error of the last mesh."""
        last = self.steps[-1].power_factor
        return abs(last - truth) / abs(last)


def cases_of(name: str, docs: Mapping[int, TransportDoc]) -> Iterator[Case]:
    """All pairs of neighbouring meshes that begin with the preset's mesh, the one before, or a
    finer one.
    """
    structure = Structure.from_dict(docs[FINE[-1]].structure)
    first = mesh_of_spacing(structure, get_preset(PRESET).bands_spacing)[0]
    for carrier, temperature, doping in POINTS:
        steps = [step_at(doc, carrier, temperature, doping) for doc in docs.values()]
        what = f"{name} {carrier} {temperature:g} K"
        values = [f"{step.mesh[0]}: {step.power_factor:.3f}" for step in steps]
        print(f"{what}, preset's mesh {first}:", ", ".join(values))
        *_, before, last = steps
        change = last.power_factor - before.power_factor
        limit = last.power_factor + change / refinement(before.mesh, last.mesh)
        for pair in pairwise(steps):
            coarser_size, size = (step.mesh[0] for step in pair)
            if coarser_size >= first - 2 and size * MARGIN <= FINE[-1]:
                yield Case(what, pair, last.power_factor, limit)


def step_at(
    doc: TransportDoc, carrier: Carrier, temperature: float, doping: float
) -> ConvergenceStep:
    """One mesh of a series, for a power factor at these conditions."""
    factor = doc.at(carrier, "power_factor_mean", temperature, doping)
    return ConvergenceStep(mesh=doc.mesh, spacing=doc.spacing, power_factor=float(factor))


def report(cases: Sequence[Case]) -> None:
    """How often a stated error holds: the last change, and the error of gen2dft."""
    for truth in ("finest", "limit"):
        errors = np.array([case.error(getattr(case, truth)) for case in cases])
        print(f"{len(cases)} cases against the {truth}: error {quantiles(errors)}")
        for rule in (relative_change, stated_error):
            stated = np.array([rule(case.steps) for case in cases])
            share = np.mean(errors <= stated)
            print(f"  {rule.__name__}: {quantiles(stated)}; holds in {100 * share:.0f} %")


def quantiles(values: NDArray[np.float64]) -> str:
    """Median, 90 % quantile and largest value as text."""
    middle, high = np.quantile(values, (0.5, 0.9))
    return f"median {middle:.3f}, 90 % {high:.3f}, largest {values.max():.3f}"


def main() -> None:
    """Compute what is missing and print the evaluation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=CRYSTALS)
    parser.add_argument("--read", action="store_true", help="Evaluate what is there.")
    given = parser.parse_args()
    known = load_prototypes()
    cases: list[Case] = []
    for name in given.only:
        row = known.ids.index(f"starter-{name}")
        crystal = known.crystals.structure(row)
        start = time.process_time()
        if not given.read:
            for size in FINE:
                fine_bands(crystal, size, given.folder / name)
            print(f"{name}: {time.process_time() - start:.0f} CPU s", flush=True)
        if all((given.folder / name / str(size) / "uniform.gpw").is_file() for size in FINE):
            cases += cases_of(name, series_of(name, given.folder))
    report(cases)


if __name__ == "__main__":
    main()
