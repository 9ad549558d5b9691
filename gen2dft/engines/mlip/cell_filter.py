"""ASE's FrechetCellFilter without its overhead, which costs as much as the potential itself.

Only `gen2dft.engines.mlip.engine` imports this module, and only when it relaxes: ase loads with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.filters import FrechetCellFilter
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray


class CachedCellFilter(FrechetCellFilter):
    """The same degrees of freedom and forces as FrechetCellFilter, computed once per step.

    An optimiser asks three times per step for forces, and each time ASE takes a matrix logarithm
    and nine Frechet derivatives of the exponential. The logarithm is known, it is what the
    optimiser has set; and of the derivatives one is enough: with L = log F, the gradient by L of a
    function with gradient G by F = exp(L) is the Frechet derivative of exp at L^T in the direction
    G (Higham, Functions of Matrices, sec. 10.2).
    """

    def __init__(self, atoms: Any) -> None:
        super().__init__(atoms)
        self._cell_factor = float(len(atoms))
        self._x: NDArray[np.float64] = super().get_positions()
        self._forces: NDArray[np.float64] | None = None

    def get_positions(self) -> NDArray[np.float64]:
        """(n_sites + 3, 3) positions in the undeformed cell, and the scaled logarithm of the
        deformation.
        """
        return self._x.copy()

    def set_positions(self, new: NDArray[np.float64], **kwargs: Any) -> None:
        """Move the atoms and deform the cell."""
        super().set_positions(new, **kwargs)
        self._x = np.array(new, dtype=float)
        self._forces = None

    def get_forces(self, **kwargs: Any) -> NDArray[np.float64]:
        """(n_sites + 3, 3) forces on these degrees of freedom, eV/Angstrom and eV."""
        if self._forces is None:
            self._forces = self._compute_forces(**kwargs)
        return self._forces.copy()

    def _compute_forces(self, **kwargs: Any) -> NDArray[np.float64]:
        n, factor = len(self.atoms), self.exp_cell_factor
        deformation = np.linalg.solve(self.orig_cell, self.atoms.cell.array).T
        # ASE's variable is log(n F) times a factor, so log(n) is taken off the diagonal.
        shift = np.log(self._cell_factor) * np.eye(3)
        logarithm = self._x[n:] / factor - shift
        stress = self.atoms.get_stress(voigt=False, **kwargs)
        self.stress = full_3x3_to_voigt_6_stress(stress)
        work = -self.atoms.get_volume() * stress
        by_deformation = work @ np.linalg.inv(deformation.T)
        by_logarithm = self.expm_frechet(logarithm.T, by_deformation, compute_expm=False)
        on_atoms = self.atoms.get_forces(**kwargs) @ deformation
        return np.vstack([on_atoms, by_logarithm / factor])
