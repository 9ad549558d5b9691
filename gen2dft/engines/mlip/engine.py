"""Engine `mlip`: the universal potential CHGNet 0.3.0 (Deng et al., 2023:
Nat. Mach. Intell. 5, 1031).

A surrogate: fast, trained on Materials Project energies with their MP2020 corrections, and never
called DFT.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.core import Composition, Structure

from gen2dft.calculation import Calculation
from gen2dft.engines.base import Engine
from gen2dft.engines.bounds import PAW_ENERGY, Bounds
from gen2dft.engines.from_ase import Ending, as_given, relaxed, structure_of
from gen2dft.engines.mlip.guards import check_contacts, check_start, check_step
from gen2dft.engines.mlip.presets import PACKAGES, PRESETS, MLIPPreset, get_preset, versions
from gen2dft.thermo import references
from gen2dft.thermo.scales import MATERIALS_PROJECT

if TYPE_CHECKING:
    from ase import Atoms


def relax(structure: Structure, preset: str | MLIPPreset = "chgnet-v1") -> Calculation:
    """Relax positions and cell.

    Raises
    ------
    CalculationFailed
        `atoms_too_close`, `atoms_too_close_after_relaxation`, `volume_out_of_range`,
        `energy_out_of_range`, `force_too_large`, `not_finite`, `isolated_atoms`,
        `element_not_supported` or `out_of_time`.
    """
    from ase.optimize import LBFGS

    from gen2dft.engines.mlip.cell_filter import CachedCellFilter

    settings, begun = get_preset(preset), time.perf_counter()
    atoms = _guarded_atoms(structure, settings)
    cell = CachedCellFilter(atoms)
    steps = 0
    with LBFGS(cell, logfile=None) as optimizer:
        for _ in optimizer.irun(fmax=settings.fmax, steps=settings.max_steps):
            check_step(atoms, settings.guards, time.perf_counter() - begun)
            steps = optimizer.nsteps
    max_force = float(np.linalg.norm(cell.get_forces(), axis=1).max())
    check_contacts(structure_of(atoms), settings.guards, "atoms_too_close_after_relaxation")
    ending = Ending(steps, max_force, settings.fmax)
    return relaxed(atoms, ending, **_moments_and_time(atoms, begun))


def static(structure: Structure, preset: str | MLIPPreset = "chgnet-v1") -> Calculation:
    """Energy, forces, stress and magnetic moments of a structure as it is.

    Fails as `relax` does.
    """
    settings, begun = get_preset(preset), time.perf_counter()
    atoms = _guarded_atoms(structure, settings)
    check_step(atoms, settings.guards, time.perf_counter() - begun)
    return as_given(atoms, structure, **_moments_and_time(atoms, begun))


def _guarded_atoms(structure: Structure, settings: MLIPPreset) -> Atoms:
    """ASE atoms with the calculator of this process, once the geometry has been found sane."""
    versions()
    check_start(structure, settings.guards)

    from ase import Atoms

    from gen2dft.engines.mlip.calculator import calculator

    return Atoms(
        numbers=[site.specie.Z for site in structure],
        scaled_positions=structure.frac_coords,
        cell=structure.lattice.matrix,
        pbc=True,
        calculator=calculator(settings.model),
    )


def _moments_and_time(atoms: Atoms, begun: float) -> dict[str, Any]:
    seconds = time.perf_counter() - begun
    return {"magmoms": atoms.get_magnetic_moments(), "wall_seconds": seconds}


def formation_energy(composition: Composition, energy_per_atom: float) -> float:
    """Formation energy against the references that ship with gen2dft, eV/atom."""
    return references.formation_energy(composition, energy_per_atom)


ENGINE = Engine(
    name="mlip",
    is_dft=False,
    bounds=Bounds(energy_per_atom=PAW_ENERGY),
    provides=frozenset({"formation_energy", "e_above_hull"}),
    presets=PRESETS,
    default_preset="chgnet-v1",
    relax=relax,
    static=static,
    formation_energy=formation_energy,
    scale=MATERIALS_PROJECT,  # CHGNet is trained on corrected energies
    packages=PACKAGES,
    in_process=True,
)
