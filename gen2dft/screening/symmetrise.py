"""The symmetry that a relaxed crystal hides, by its energy.

A decoded crystal comes out of a relaxation with its symmetry broken by a few hundredths of an
Angstrom, and DFT then sums over all k-points of a P1 cell. Here the symmetry found within growing
tolerances is made exact, and the cell relaxed again. The most symmetric cell that costs next to no
energy is taken: geometry proposes, the potential decides, and a crystal that gains energy by its
distortion keeps it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gen2dft.errors import CalculationFailed
from gen2dft.store.documents import RefusedSymmetry, SymmetryRecord
from gen2dft.symmetry import (
    BY_SYMPREC,
    EXACT,
    TIGHT,
    WIDE_ANGLES,
    SpaceGroup,
    space_group,
    space_group_symbol,
    standard_cell,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.calculation import Calculation

    Compute = Callable[[Structure], Calculation]

TOLERANCES = (TIGHT, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)  # Angstrom
MAX_COST = 0.003  # eV/atom; far below the error of any potential
COSTS_ENERGY, LOST_SYMMETRY = "costs_energy", "lost_symmetry"
UNCONVERGED = "relaxation_unconverged"
ROUNDING = 1e-6  # relative, of two numbers of operations per atom


@dataclass(frozen=True)
class Potential:
    """What computes the energies.

    Parameters
    ----------
    relax, static
        From a structure to its Calculation; both may raise CalculationFailed.
    """

    relax: Compute
    static: Compute


@dataclass(frozen=True)
class _Trial:
    """A more symmetric cell of a crystal, idealised within a tolerance in Angstrom."""

    cell: Structure
    group: SpaceGroup
    tolerance: float


def symmetrised(
    relaxed: Calculation, potential: Potential, max_cost: float = MAX_COST
) -> tuple[Calculation, SymmetryRecord]:
    """A relaxed crystal in the most symmetric primitive cell that costs it next to no energy.

    The symmetry of that cell is exact, and its energy that of the very structure.

    Parameters
    ----------
    relaxed
        The crystal, and its energy.
    max_cost
        eV/atom that the cell may lie above the crystal as relaxed.

    Returns
    -------
    The calculation of the symmetric cell, or `relaxed` itself if none was found; and what was
    tried.
    """
    begun = time.perf_counter()
    refused = []
    for trial in _trials(relaxed.structure):
        found = _settled(trial, potential)
        if isinstance(found, str):
            refused.append(_refusal(trial, found))
            continue
        cost = found.energy_per_atom - relaxed.energy_per_atom
        if cost < max_cost:
            record = _record(relaxed, found, trial, refused)
            break
        refused.append(_refusal(trial, COSTS_ENERGY, cost))
    else:
        found, record = relaxed, _kept(relaxed, refused)
    record.seconds = time.perf_counter() - begun
    return found, record


def _trials(structure: Structure) -> list[_Trial]:
    """Symmetric cells of a structure, one per space group, those with most operations first."""
    trials = []
    tried = {(1, len(structure))}  # the cell as it is, without symmetry
    for tolerance, angles in itertools.product(TOLERANCES, (BY_SYMPREC, WIDE_ANGLES)):
        near = space_group(structure, tolerance, angles)
        key = None if near is None else (near.number, near.primitive_atoms)
        if key is None or key in tried:
            continue
        tried.add(key)
        trial = _trial(structure, tolerance, angles)
        if trial is not None:
            trials.append(trial)
    return sorted(trials, key=lambda trial: -trial.group.operations_per_atom)


def _trial(structure: Structure, tolerance: float, angles: float) -> _Trial | None:
    """The cell idealised within a tolerance; None if spglib cannot make it."""
    cell = standard_cell(structure, tolerance, angles)
    group = None if cell is None else space_group(cell, EXACT)
    if cell is None or group is None:
        return None
    return _Trial(cell, group, tolerance)


def _settled(trial: _Trial, potential: Potential) -> Calculation | str:
    """The cell of a trial at rest, its symmetry exact; the reason if it cannot have it."""
    try:
        relaxed = potential.relax(trial.cell)
        cell = standard_cell(relaxed.structure, TIGHT)
        group = None if cell is None else space_group(cell, EXACT)
        if cell is None or group is None or _is_less(group, trial.group):
            return LOST_SYMMETRY
        exact = potential.static(cell)
    except CalculationFailed as failure:
        return failure.reason
    if not relaxed.converged:
        return UNCONVERGED
    update = {"structure": cell, "energy_per_atom": exact.energy_per_atom}
    # Forces and moments are in the order of the sites before they were idealised.
    update |= {"forces": exact.forces, "stress": exact.stress, "magmoms": exact.magmoms}
    return relaxed.model_copy(update=update)


def _is_less(group: SpaceGroup, other: SpaceGroup) -> bool:
    return group.operations_per_atom < other.operations_per_atom * (1 - ROUNDING)


def _refusal(trial: _Trial, reason: str, cost: float | None = None) -> RefusedSymmetry:
    return RefusedSymmetry(
        space_group=trial.group.symbol,
        tolerance=trial.tolerance,
        energy_difference=cost,
        reason=reason,
    )


def _record(
    relaxed: Calculation, found: Calculation, trial: _Trial, refused: list[RefusedSymmetry]
) -> SymmetryRecord:
    before = relaxed.structure
    return SymmetryRecord(
        space_group_before=space_group_symbol(before),
        space_group=space_group_symbol(found.structure),
        num_sites_before=len(before),
        num_sites=len(found.structure),
        tolerance=trial.tolerance,
        energy_difference=found.energy_per_atom - relaxed.energy_per_atom,
        refused=refused,
        structure_as_relaxed=before.as_dict(verbosity=0),
    )


def _kept(relaxed: Calculation, refused: list[RefusedSymmetry]) -> SymmetryRecord:
    """The record of a crystal that keeps its cell."""
    symbol, atoms = space_group_symbol(relaxed.structure), len(relaxed.structure)
    return SymmetryRecord(
        space_group_before=symbol,
        space_group=symbol,
        num_sites_before=atoms,
        num_sites=atoms,
        refused=refused,
    )
