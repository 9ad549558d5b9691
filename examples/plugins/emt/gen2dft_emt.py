"""Engine `emt`: effective medium theory for alloys of seven metals (Jacobsen et al., Surf. Sci.

366, 394 (1996)).
"""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np
from jobflow import Maker, job
from pymatgen.core import Structure

from gen2dft.engines.base import (
    CalculationDoc,
    CalculationFailure,
    Engine,
    Makers,
    Relaxed,
    run_task,
)
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
        return hashlib.sha256(
            json.dumps(self.contents() | {"ase": version("ase")}).encode()
        ).hexdigest()[:12]

    def contents(self) -> dict:
        return asdict(self)


PRESETS = {"emt-v1": Preset("emt-v1", fmax=0.02, steps=200)}


def compute(structure: Structure, preset: str, relax: bool) -> Relaxed:
    from ase.calculators.emt import EMT
    from ase.filters import FrechetCellFilter
    from ase.optimize import LBFGS

    if others := {e.symbol for e in structure.composition.elements} - METALS:
        raise CalculationFailed(
            "element_not_supported", f"EMT knows {sorted(METALS)}, not {sorted(others)}"
        )
    if structure.volume < 8 * len(structure):  # far from what the potential was fitted to
        raise CalculationFailed(
            "volume_out_of_range", f"{structure.volume / len(structure):.1f} A^3 per atom"
        )
    begun, atoms, steps = time.perf_counter(), structure.to_ase_atoms(calculator=EMT()), 0
    if relax:
        with LBFGS(FrechetCellFilter(atoms), logfile=None) as optimizer:
            optimizer.run(fmax=PRESETS[preset].fmax, steps=PRESETS[preset].steps)
            steps = optimizer.nsteps
    final = Structure(atoms.cell.array, atoms.get_chemical_symbols(), atoms.get_scaled_positions())
    forces, stress = atoms.get_forces(), 160.2 * atoms.get_stress(voigt=False)  # eV/Angstrom, GPa
    done, worst, seconds = (
        steps < PRESETS[preset].steps,
        float(np.abs(forces).max()),
        time.perf_counter() - begun,
    )
    return Relaxed(
        final,
        atoms.get_potential_energy() / len(atoms),
        forces,
        stress,
        None,
        done,
        worst,
        steps,
        seconds,
    )


@dataclass
class EMTMaker(Maker):  # a job of the queue: workers must be able to import this module
    name: str = "emt"
    task: str = "relax"
    preset: str = "emt-v1"

    @job
    def make(
        self, structure: Structure | None = None, prev=None
    ) -> CalculationDoc | CalculationFailure:
        return run_task(self.task, ENGINE, self.preset, structure, prev, {"ase": version("ase")})


ENGINE = Engine(
    name="emt",
    is_dft=False,
    provides=frozenset({"formation_energy", "e_above_hull"}),
    presets=PRESETS,
    relax=lambda structure, preset: compute(structure, preset, relax=True),
    static=lambda structure, preset: compute(structure, preset, relax=False),
    makers=lambda preset: Makers(
        EMTMaker("emt relax", "relax", preset), EMTMaker("emt static", "static", preset)
    ),
    formation_energy=lambda composition, energy: energy,  # EMT's zero is the fcc metals
)
