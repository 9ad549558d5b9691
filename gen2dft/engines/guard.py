"""Whether the result of a calculation may be believed: one judgement for every engine.

Documents pass here where they are made, and again where a label is made of them, since some are
read from disk or were computed for another campaign.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sized

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pymatgen.core import Structure

from gen2dft.calculation import Calculation
from gen2dft.engines import ENGINES, load_engine
from gen2dft.engines.base import CalculationDoc, CalculationFailure, Outcome
from gen2dft.engines.bounds import GENERAL, Bounds, Range
from gen2dft.errors import PluginMissing

NOT_FINITE = "not_finite"
OTHER_CRYSTAL = "other_crystal"
INCOMPLETE = "incomplete"
SCF_NOT_CONVERGED = "scf_not_converged"
BANDS_NOT_CONVERGED = "bands_not_converged"
NOT_CONVERGED = "not_converged"
IMPLAUSIBLE_ENERGY = "implausible_energy"
IMPLAUSIBLE_FORCE = "implausible_force"
IMPLAUSIBLE_STRESS = "implausible_stress"
IMPLAUSIBLE_MOMENT = "implausible_moment"
IMPLAUSIBLE_GAP = "implausible_gap"
IMPLAUSIBLE_VOLUME = "implausible_volume"

Problem = tuple[str, str]  # reason, detail


def guarded(outcome: Outcome, start: Structure) -> Outcome:
    """The outcome itself, or why its result is not believed.

    Parameters
    ----------
    start
        What was to be computed.
    """
    if isinstance(outcome, CalculationFailure):
        return outcome
    problem = other_crystal(outcome, start) or problem_of(outcome, bounds_of(outcome.engine))
    return problem or outcome


def other_crystal(calculation: Calculation, start: Structure) -> CalculationFailure | None:
    """Why a result is not that of the crystal that was to be computed, or None."""
    found, asked = calculation.structure.composition, start.composition
    if found == asked:
        return None
    said = f"the result is of {found.formula}, the calculation was of {asked.formula}"
    return _failure(calculation, (OTHER_CRYSTAL, said))


def bounds_of(engine: str) -> Bounds:
    """Bounds of the engine of that name; those of every engine where it is not installed."""
    if engine in ENGINES:
        with contextlib.suppress(PluginMissing):
            return load_engine(engine).bounds
    return GENERAL


def problem_of(calculation: Calculation, bounds: Bounds) -> CalculationFailure | None:
    """Why a finished calculation is not believed: the first of its problems, or None.

    Parameters
    ----------
    bounds
        What the engine's results are believed within. The volume is not asked for, since reference
        molecules lie in large boxes: see `volume_problem`.
    """
    checks: tuple[Callable[[Calculation, Bounds], Problem | None], ...] = (
        _incomplete,
        _not_finite,
        _not_converged,
        _energy,
        _forces,
        _stress,
        _moments,
        _gap,
    )
    for check in checks:
        found = check(calculation, bounds)
        if found is not None:
            return _failure(calculation, found)
    return None


def volume_problem(calculation: Calculation, bounds: Bounds) -> CalculationFailure | None:
    """Why the cell of a candidate is not that of a crystal, or None."""
    structure = calculation.structure
    per_atom = structure.volume / len(structure)
    if _within(per_atom, bounds.volume_per_atom):
        return None
    outside = _outside(bounds.volume_per_atom)
    detail = f"{per_atom:.2f} Angstrom^3 per atom {outside}"
    return _failure(calculation, (IMPLAUSIBLE_VOLUME, detail))


def _failure(calculation: Calculation, problem: Problem) -> CalculationFailure:
    """A problem as an outcome: what the calculation has cost was spent all the same."""
    reason, said = problem
    formula = calculation.structure.composition.reduced_formula
    detail = f"{formula}: {said}"
    if not isinstance(calculation, CalculationDoc):
        return CalculationFailure(reason=reason, detail=detail)
    return CalculationFailure(
        reason=reason,
        detail=f"{calculation.task} of {detail}",
        directory=calculation.directory,
        core_hours=calculation.core_hours,
    )


def _incomplete(calculation: Calculation, _: Bounds) -> Problem | None:
    """Whether forces or moments are missing of some atoms, as in a file that was cut short."""
    atoms = len(calculation.structure)
    per_atom: Mapping[str, Sized | None] = {
        "forces": calculation.forces,
        "magmoms": calculation.magmoms,
    }
    for name, values in per_atom.items():
        if values is not None and len(values) != atoms:
            return INCOMPLETE, f"{name} of {len(values)} atoms, the crystal has {atoms}"
    return None


def _not_finite(calculation: Calculation, _: Bounds) -> Problem | None:
    broken = [name for name, numbers in _numbers(calculation) if not np.isfinite(numbers).all()]
    if not broken:
        return None
    names = ", ".join(broken)
    return NOT_FINITE, f"{names} came out as NaN or infinite"


def _numbers(calculation: Calculation) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """All numbers that a label or a later calculation may be made of, by name."""
    structure = calculation.structure
    named: Mapping[str, ArrayLike | None] = {
        "energy_per_atom": calculation.energy_per_atom,
        "forces": calculation.forces,
        "max_force": calculation.max_force,
        "stress": calculation.stress,
        "magmoms": calculation.magmoms,
        **calculation.values,
        "lattice": structure.lattice.matrix,
        "coordinates": structure.frac_coords,
    }
    for name, numbers in named.items():
        if numbers is not None:
            yield name, np.asarray(numbers, dtype=np.float64)


def _not_converged(calculation: Calculation, _: Bounds) -> Problem | None:
    if not isinstance(calculation, CalculationDoc):
        return None
    if calculation.converged_electronic is False:
        if calculation.task == "uniform_bands":
            return BANDS_NOT_CONVERGED, "the bands reached the limit of electronic steps"
        return SCF_NOT_CONVERGED, "the electrons reached the limit of electronic steps"
    if calculation.converged_ionic is False:
        return NOT_CONVERGED, "the relaxation did not converge"
    return None


def _energy(calculation: Calculation, bounds: Bounds) -> Problem | None:
    energy = calculation.energy_per_atom
    if bounds.energy_per_atom is None or _within(energy, bounds.energy_per_atom):
        return None
    outside = _outside(bounds.energy_per_atom)
    return IMPLAUSIBLE_ENERGY, f"{energy:.2f} eV/atom {outside}"


def _forces(calculation: Calculation, bounds: Bounds) -> Problem | None:
    strongest = calculation.max_force or 0.0
    if calculation.forces:
        lengths = np.linalg.norm(calculation.forces, axis=1)
        strongest = max(strongest, float(lengths.max()))
    if strongest <= bounds.max_force:
        return None
    return IMPLAUSIBLE_FORCE, f"{strongest:.0f} eV/Angstrom, the bound is {bounds.max_force:g}"


def _stress(calculation: Calculation, bounds: Bounds) -> Problem | None:
    largest = _largest(calculation.stress)
    if largest <= bounds.max_stress:
        return None
    return IMPLAUSIBLE_STRESS, f"{largest:.0f} GPa, the bound is {bounds.max_stress:g}"


def _moments(calculation: Calculation, bounds: Bounds) -> Problem | None:
    largest = _largest(calculation.magmoms)
    if largest <= bounds.max_moment:
        return None
    return IMPLAUSIBLE_MOMENT, f"{largest:.1f} Bohr magnetons, the bound is {bounds.max_moment:g}"


def _gap(calculation: Calculation, bounds: Bounds) -> Problem | None:
    gap = calculation.band_gap
    if gap is None or _within(gap, bounds.band_gap):
        return None
    outside = _outside(bounds.band_gap)
    return IMPLAUSIBLE_GAP, f"a gap of {gap:.2f} eV {outside}"


def _largest(numbers: ArrayLike | None) -> float:
    if numbers is None:
        return 0.0
    sizes = np.abs(np.asarray(numbers, dtype=np.float64))
    return float(sizes.max(initial=0.0))


def _within(value: float, bounds: Range) -> bool:
    low, high = bounds
    return low <= value <= high


def _outside(bounds: Range) -> str:
    low, high = bounds
    return f"is outside {low:g} to {high:g}"
