"""An ASE calculator whose answer at the start of a relaxation is known already, from the look."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes, compare_atoms

from gen2dft.calculation import Calculation
from gen2dft.engines.from_ase import EV_PER_A3_IN_GPA

VOIGT = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))  # rows and columns of xx, yy, zz, yz, xz, xy
SAME = 1e-8  # Angstrom


class KnownStart(Calculator):  # type: ignore[misc]
    """Energy, forces and stress of the look at the structure it was of, else of a calculator.

    Parameters
    ----------
    calculator
        What computes every other structure.
    start
        The look's structure, as ASE atoms.
    look
        Its result.
    """

    implemented_properties = ["energy", "forces", "stress"]

    def __init__(self, calculator: Any, start: Any, look: Calculation) -> None:
        super().__init__()
        self.calculator = calculator
        self.start = start.copy()
        stress = np.array(look.stress) / EV_PER_A3_IN_GPA
        self.known = {
            "energy": look.energy_per_atom * len(start),
            "forces": np.array(look.forces),
            "stress": stress[VOIGT],
        }

    def calculate(
        self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        """Results for the atoms, by name."""
        super().calculate(atoms, properties or ["energy"], system_changes)
        changes = compare_atoms(
            self.start, atoms, tol=SAME, excluded_properties={"initial_magmoms"}
        )
        if not changes:
            self.results = dict(self.known)
            return
        self.results = {
            "energy": self.calculator.get_potential_energy(atoms),
            "forces": self.calculator.get_forces(atoms),
            "stress": self.calculator.get_stress(atoms),
        }
