"""Engine `cosine`: two cosine bands whose gap is the difference of electronegativities.

A toy: energies, bands and power factors in no time, and none of them true.
"""

import hashlib
import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pymatgen.core import Structure

from gen2dft.calculation import Calculation
from gen2dft.crystal_documents import structure_of
from gen2dft.engines.base import Engine
from gen2dft.errors import CalculationFailed
from gen2dft.transport.bands import UniformBands, uniform_bands
from gen2dft.transport.convergence import mesh_of_spacing

HBAR2 = 7.61996  # hbar^2 over the electron's mass, eV Angstrom^2
FILE = "cosine.json"


@dataclass(frozen=True)
class Preset:
    name: str
    mass: float  # of electrons and holes, electron masses
    spacing: float  # of the k-points, 1/Angstrom, with 2 pi
    description: str = "a toy: two cosine bands, the gap by electronegativity"

    @property
    def settings_hash(self) -> str:  # whatever changes the result changes it
        return hashlib.sha256(json.dumps(self.contents()).encode()).hexdigest()[:12]

    def contents(self) -> dict:
        return asdict(self)


PRESETS = {"cosine-v1": Preset("cosine-v1", mass=0.8, spacing=0.12)}


def rest_volume(structure: Structure) -> float:  # Angstrom^3 per atom, of touching spheres
    return float(np.mean([(2 * float(site.specie.atomic_radius)) ** 3 for site in structure]))


def static(structure: Structure, preset: str) -> Calculation:
    elements, volume = structure.composition.elements, structure.volume / len(structure)
    if any(element.is_noble_gas or element.atomic_radius is None for element in elements):
        raise CalculationFailed("element_not_supported", f"an element of {structure.formula}")
    if volume < 5:
        raise CalculationFailed("volume_out_of_range", f"{volume:.1f} Angstrom^3 per atom")
    attraction = [element.X for element in elements]
    gap = {"band_gap": float(max(attraction) - min(attraction))}  # eV; an element has none
    energy = 0.5 * np.log(volume / rest_volume(structure)) ** 2 - 0.5 * gap["band_gap"]
    return Calculation(structure=structure, energy_per_atom=energy, converged=True, values=gap)


def relax(structure: Structure, preset: str) -> Calculation:
    static(structure, preset)  # refuses what no crystal can be
    resting = structure.copy()
    resting.scale_lattice(rest_volume(structure) * len(structure))
    return static(resting, preset)


def bands(structure: Structure, preset: str, folder: Path, scale: float) -> Calculation:
    result, settings = static(structure, preset), PRESETS[preset]
    mesh = mesh_of_spacing(structure, scale * settings.spacing)
    content = {"crystal": structure.as_dict(), "mesh": mesh, "mass": settings.mass}
    (folder / FILE).write_text(json.dumps({**content, "gap": result.band_gap}, default=float))
    return result


def read_bands(folder: Path) -> UniformBands:
    if not (folder / FILE).is_file():
        raise CalculationFailed("no_bands", f"there is no {FILE} in {folder}", folder)
    found = json.loads((folder / FILE).read_text())
    crystal = structure_of(found["crystal"])
    kpoints = np.array(list(itertools.product(*(np.arange(n) / n for n in found["mesh"]))))
    # E(k) = t sum_R (1 - cos k R) over the nearest lattice points R, so that E = hbar^2 k^2 / 2 m.
    steps = np.array([n for n in itertools.product((-1, 0, 1), repeat=3) if any(n)])
    lengths = np.linalg.norm(steps @ crystal.lattice.matrix, axis=1)
    nearest = steps[lengths < 1.01 * lengths.min()]
    hopping = 3 * HBAR2 / (found["mass"] * len(nearest) * lengths.min() ** 2)
    kinetic = hopping * (1 - np.cos(2 * np.pi * kpoints @ nearest.T)).sum(axis=1)
    # The third band only says how far up nothing is left out.
    energies = np.stack([-kinetic, found["gap"] + kinetic, found["gap"] + 30 + kinetic])
    return uniform_bands(crystal, kpoints, energies[None], 2.0, 2, str(folder / FILE))


ENGINE = Engine(
    name="cosine",
    is_dft=False,
    provides=frozenset({"formation_energy", "e_above_hull", "band_gap", "power_factor"}),
    presets=PRESETS,
    relax=relax,
    static=static,
    formation_energy=lambda composition, energy: energy,  # an element at rest has none
    bands=bands,
    read_bands=read_bands,
)
