"""Bounds on what the potential may do.

Far from its training data it may predict anything, so every step is guarded and a result out of
bounds is a failure, never a very stable crystal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Structure

from gen2dft.crystals import CrystalTable
from gen2dft.errors import CalculationFailed
from gen2dft.geometry import closest_contacts
from gen2dft.thermo.references import formation_energy, has_references

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Guards:
    """Bounds outside which a result of the potential is not believed."""

    min_distance: float = 0.7
    """shortest distance, Angstrom, before and after"""
    min_distance_ratio: float = 0.6
    """shortest distance over the sum of covalent radii, before and after"""
    formation_energy: tuple[float, float] = (-5.0, 5.0)
    """eV/atom, at every step"""
    max_force: float = 100.0
    """eV/Angstrom, at every step"""
    volume_per_atom: tuple[float, float] = (4.0, 120.0)
    """Angstrom^3 per atom, at every step"""
    max_seconds: float = 600.0
    """wall time of one structure; so generous that it stops only what hangs"""


DEFAULT = Guards()


def check_start(structure: Structure, guards: Guards) -> None:
    """Refuse a crystal before the potential sees it; CalculationFailed names the reason."""
    if not structure.is_ordered:
        raise CalculationFailed("disordered", f"{structure.formula} has partially occupied sites")
    numbers = (structure.lattice.matrix, structure.frac_coords)
    if not all(np.isfinite(array).all() for array in numbers):
        raise CalculationFailed(
            "not_finite", f"{structure.formula} has NaN or infinite coordinates"
        )
    _check_volume(structure.volume / len(structure), guards)
    check_contacts(structure, guards, "atoms_too_close")


def check_step(atoms: Atoms, guards: Guards, seconds: float) -> None:
    """Refuse a step of a relaxation; CalculationFailed names the reason."""
    energy = atoms.get_potential_energy() / len(atoms)
    forces = atoms.get_forces()
    if not (np.isfinite(energy) and np.isfinite(forces).all()):
        raise CalculationFailed(
            "not_finite", "the potential gave a NaN or infinite energy or force"
        )
    _check_volume(atoms.get_volume() / len(atoms), guards)
    strongest = np.linalg.norm(forces, axis=1).max()
    if strongest > guards.max_force:
        detail = f"{strongest:.0f} eV/Angstrom, the bound is {guards.max_force:g}"
        raise CalculationFailed("force_too_large", detail)
    _check_energy(atoms, energy, guards)
    if seconds > guards.max_seconds:
        detail = f"{seconds:.0f} s for one structure, the bound is {guards.max_seconds:g}"
        raise CalculationFailed("out_of_time", detail)


def check_contacts(structure: Structure, guards: Guards, reason: str) -> None:
    """Refuse atoms that are too close, with the reason given."""
    contacts = closest_contacts(CrystalTable.from_structures([structure]))
    distance = float(contacts.distance[0])
    ratio = float(contacts.ratio[0])
    if distance < guards.min_distance or ratio < guards.min_distance_ratio:
        detail = (
            f"{structure.formula}: {distance:.2f} Angstrom, {ratio:.2f} of the covalent "
            "radii's sum at the closest"
        )
        raise CalculationFailed(reason, detail)


def _check_energy(atoms: Atoms, energy: float, guards: Guards) -> None:
    counted = atoms.symbols.formula.count()
    symbols = {str(symbol): int(count) for symbol, count in counted.items()}
    if not has_references(symbols):
        return
    low, high = guards.formation_energy
    value = formation_energy(symbols, energy)
    if not low <= value <= high:
        detail = f"formation energy {value:.2f} eV/atom is outside {low:g} to {high:g}"
        raise CalculationFailed("energy_out_of_range", detail)


def _check_volume(per_atom: float, guards: Guards) -> None:
    low, high = guards.volume_per_atom
    if not low <= per_atom <= high:
        detail = f"{per_atom:.2f} Angstrom^3 per atom is outside {low:g} to {high:g}"
        raise CalculationFailed("volume_out_of_range", detail)
