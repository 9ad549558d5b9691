"""From ASE's atoms with a calculator to a Calculation, for the engines that compute through ASE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.core import Structure

from gen2dft.calculation import Calculation

if TYPE_CHECKING:
    from ase import Atoms

EV_PER_A3_IN_GPA = 160.21766208


@dataclass(frozen=True)
class Ending:
    """How a relaxation ended.

    Parameters
    ----------
    steps
        Ionic steps that were made.
    max_force
        Largest force at the end, the cell's generalised ones included, eV/Angstrom.
    fmax
        The force that was to be reached, eV/Angstrom.
    """

    steps: int
    max_force: float
    fmax: float

    @property
    def converged(self) -> bool:
        """Whether the forces are below the threshold; nothing is asked of zero steps."""
        if self.steps == 0:
            return True
        return self.max_force < self.fmax

    @property
    def warnings(self) -> list[str]:
        """A remark on a relaxation that ran out of steps."""
        if self.converged:
            return []
        return [f"not converged after {self.steps} steps: {self.max_force:.3f} eV/Angstrom"]


def relaxed(atoms: Atoms, ending: Ending, **found: Any) -> Calculation:
    """The result of a relaxation; `found` are further fields of the Calculation."""
    found["converged"], found["warnings"] = ending.converged, ending.warnings
    found["max_force"], found["num_steps"] = ending.max_force, ending.steps
    structure = structure_of(atoms)
    return _calculation(atoms, structure, **found)


def as_given(atoms: Atoms, structure: Structure, **found: Any) -> Calculation:
    """The result of a static calculation; `found` are further fields of the Calculation."""
    forces = atoms.get_forces()
    strengths = np.linalg.norm(forces, axis=1)
    max_force = float(strengths.max())
    return _calculation(atoms, structure, converged=True, max_force=max_force, **found)


def structure_of(atoms: Atoms) -> Structure:
    """The crystal of ASE's atoms."""
    cell = atoms.cell.array.copy()
    numbers = atoms.numbers.tolist()
    return Structure(cell, numbers, atoms.get_scaled_positions())


def _calculation(atoms: Atoms, structure: Structure, **found: Any) -> Calculation:
    energy = float(atoms.get_potential_energy())
    stress = atoms.get_stress(voigt=False) * EV_PER_A3_IN_GPA
    forces = atoms.get_forces()
    found["energy_per_atom"] = energy / len(atoms)
    return Calculation(structure=structure, forces=forces, stress=stress, **found)
