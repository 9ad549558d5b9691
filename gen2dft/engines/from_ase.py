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
        return self.max_force < self.fmax or self.steps == 0

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
    return _calculation(atoms, structure_of(atoms), **found)


def as_given(atoms: Atoms, structure: Structure, **found: Any) -> Calculation:
    """The result of a static calculation; `found` are further fields of the Calculation."""
    strengths = np.linalg.norm(atoms.get_forces(), axis=1)
    return _calculation(atoms, structure, converged=True, max_force=float(strengths.max()), **found)


def structure_of(atoms: Atoms) -> Structure:
    """The crystal of ASE's atoms."""
    return Structure(atoms.cell.array.copy(), atoms.numbers.tolist(), atoms.get_scaled_positions())


def _calculation(atoms: Atoms, structure: Structure, **found: Any) -> Calculation:
    energy = float(atoms.get_potential_energy())
    stress = atoms.get_stress(voigt=False) * EV_PER_A3_IN_GPA
    found["energy_per_atom"] = energy / len(atoms)
    return Calculation(structure=structure, forces=atoms.get_forces(), stress=stress, **found)
