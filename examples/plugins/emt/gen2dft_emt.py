"""Engine `emt`: effective medium theory for alloys of seven metals (Jacobsen et al., Surf. Sci.

366, 394 (1996)).
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np
from pymatgen.core import Structure

from gen2dft.calculation import Calculation
from gen2dft.engines.base import Engine
from gen2dft.engines.from_ase import Ending, as_given, relaxed
from gen2dft.errors import CalculationFailed

METALS = {"Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au"}


@dataclass(frozen=True)
class Preset:
    name: str
    fmax: float  # eV/Angstrom
    steps: int
    description: str = "effective medium theory, a surrogate: positions and cell relaxed"

    @property
    def settings_hash(self) -> str:  # whatever changes the result changes it
        content = self.contents() | {"ase": version("ase")}
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]

    def contents(self) -> dict:
        return asdict(self)


PRESETS = {"emt-v1": Preset("emt-v1", fmax=0.02, steps=200)}


def atoms_of(structure: Structure):
    from ase.calculators.emt import EMT

    others = {element.symbol for element in structure.composition.elements} - METALS
    if others:
        detail = f"EMT knows {sorted(METALS)}, not {sorted(others)}"
        raise CalculationFailed("element_not_supported", detail)
    volume = structure.volume / len(structure)
    if volume < 8:  # far from what the potential was fitted to
        raise CalculationFailed("volume_out_of_range", f"{volume:.1f} Angstrom^3 per atom")
    return structure.to_ase_atoms(calculator=EMT())


def static(structure: Structure, preset: str) -> Calculation:
    return as_given(atoms_of(structure), structure)


def relax(structure: Structure, preset: str) -> Calculation:
    from ase.filters import FrechetCellFilter
    from ase.optimize import LBFGS

    settings, atoms = PRESETS[preset], atoms_of(structure)
    cell = FrechetCellFilter(atoms)
    with LBFGS(cell, logfile=None) as optimizer:
        optimizer.run(fmax=settings.fmax, steps=settings.steps)
    max_force = float(np.linalg.norm(cell.get_forces(), axis=1).max())
    return relaxed(atoms, Ending(optimizer.nsteps, max_force, settings.fmax))


ENGINE = Engine(
    name="emt",
    is_dft=False,
    provides=frozenset({"formation_energy", "e_above_hull"}),
    presets=PRESETS,
    relax=relax,
    static=static,
    formation_energy=lambda composition, energy: energy,  # EMT's zero is the fcc metals
    packages=("ase",),
)
