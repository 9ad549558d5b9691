"""Engine `springs`: nearest neighbours held by springs, and cosine bands in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from example_bands import cosine_bands, tetragonal
from pymatgen.core import Lattice, Structure

from gen2dft.calculation import GAP, Calculation
from gen2dft.engines.base import Engine
from gen2dft.errors import CalculationFailed
from gen2dft.transport.bands import UniformBands

CSCL = Structure(Lattice.cubic(4.2), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.47]])
OTHER = tetragonal()
MESH = 6  # k-points along each axis at a scale of 1
LENGTH = 3.5  # Angstrom, of a spring at rest


def energy(structure: Structure) -> float:
    """Half the squared deviation of each nearest distance from the spring's length, eV/atom."""
    if structure.volume < 10 * len(structure):
        raise CalculationFailed("volume_out_of_range", "too dense")
    distances = structure.distance_matrix + 99 * np.eye(len(structure))
    stretched = distances.min(axis=1) - LENGTH
    return float(0.5 * stretched @ stretched) / len(structure)


def static(structure: Structure, preset: str) -> Calculation:
    return Calculation(
        structure=structure, energy_per_atom=energy(structure), converged=True, wall_seconds=1.0
    )


def relax(structure: Structure, preset: str) -> Calculation:
    grown = structure.copy()
    grown.scale_lattice(structure.volume * 1.01)
    return static(grown, preset)


def bands(structure: Structure, preset: str, folder: Path, scale: float) -> Calculation:
    content = {"structure": structure.as_dict(), "size": round(MESH / scale)}
    (folder / "bands.json").write_text(json.dumps(content))
    return static(structure, preset).model_copy(update={"values": {GAP: 1.0}})


def read_bands(folder: Path) -> UniformBands:
    file = folder / "bands.json"
    if not file.is_file():
        raise CalculationFailed("no_bands", f"there is no bands.json in {folder}", folder)
    content = json.loads(file.read_text())
    crystal = Structure.from_dict(content["structure"])
    cell = Structure(crystal.lattice, crystal.species, crystal.frac_coords)
    return cosine_bands((content["size"],) * 3, structure=cell)


def made_up_bands(folder: Path) -> UniformBands:
    """Bands that depend on nothing but whether the folder has any."""
    try:
        return read_bands(folder)
    except CalculationFailed:
        return cosine_bands((MESH,) * 3)


class Soft:
    name = "soft"
    settings_hash = "0123456789ab"
    description = "springs that are soft"

    def contents(self) -> dict[str, str]:
        return {"description": self.description}


SPRINGS = Engine(
    name="springs",
    is_dft=False,
    provides=frozenset({GAP}),
    presets={"soft": Soft()},
    relax=relax,
    static=static,
    formation_energy=lambda composition, energy: energy,
    bands=bands,
    read_bands=read_bands,
    packages=("numpy",),
)
