"""Meshes of k-points from coarse to fine, and how far the power factor of a series may be off: the
label's error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pymatgen.core import Structure

from gen2dft.transport.document import Convergence, ConvergenceStep, TransportDoc
from gen2dft.transport.reductions import get_reduction
from gen2dft.transport.symmetry import point_group, symmetric_mesh

MeshSize = tuple[int, int, int]
# 1/Angstrom, with 2 pi; power factors within some 30, 10, 2, 1 and 0.5 % take 0.2, 0.15, 0.12, 0.1
# and 0.085.
FINEST_SPACING = 0.085
# Stated error: so many times what the last change leaves, and at least this much.
SAFETY = 1.25
FLOOR = 0.01
# Meshes this close to each other, as (h / h')^2 - 1 of their spacings, say little of the limit.
CLOSEST = 0.2
ROUNDING = 1e-3  # a size this little above a whole number is that number


def mesh_of_spacing(structure: Structure, spacing: float) -> MeshSize:
    """The smallest Gamma-centred mesh of even sizes at least as fine, with the symmetry of the
    crystal.

    Even sizes hold the points halfway along the axes, where band edges often are.

    Parameters
    ----------
    spacing
        1/Angstrom, with 2 pi.
    """
    lengths = np.array(structure.lattice.reciprocal_lattice.abc)
    least = lengths / spacing / 2
    half_sizes = np.ceil(least - ROUNDING)
    sizes = 2 * half_sizes.astype(np.int64)
    return symmetric_mesh(sizes, point_group(structure))


def irreducible_kpoints(structure: Structure, spacing: float) -> float:
    """Points of a mesh by the order of the point group: about how many of them symmetry leaves."""
    points = np.prod(mesh_of_spacing(structure, spacing))
    return float(points / len(point_group(structure)))


def relative_cost(structure: Structure, spacing: float = FINEST_SPACING) -> float:
    """What bands on a mesh cost, in arbitrary units, to put crystals in order.

    Irreducible k-points times plane waves, which grow with the volume, times bands, which grow with
    the electrons.
    """
    electrons = sum(map(electrons_outside_core, structure.atomic_numbers))
    waves_times_bands = float(structure.volume * electrons)
    return irreducible_kpoints(structure, spacing) * waves_times_bands


NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86)
FULL_F_SHELL = 14


def electrons_outside_core(number: int) -> int:
    """Electrons of an atom outside a noble gas and a full f shell: about as many as are computed.

    Parameters
    ----------
    number
        Atomic number.
    """
    core = max(gas for gas in NOBLE_GASES if gas < number)
    outside = number - core
    has_full_f_shell = outside > FULL_F_SHELL + 2 and core >= 54
    return outside - FULL_F_SHELL if has_full_f_shell else outside


def step_of(doc: TransportDoc, definition: str) -> ConvergenceStep:
    """What a convergence series keeps of one mesh."""
    factor = get_reduction(definition).power_factor(doc)
    return ConvergenceStep(
        mesh=doc.mesh, spacing=doc.spacing, power_factor=factor, band_gap=doc.band_gap
    )


def summary_of(steps: Sequence[ConvergenceStep], definition: str, tolerance: float) -> Convergence:
    """How a series of meshes, coarsest first, stands."""
    error = stated_error(steps)
    converged = error is not None and error < tolerance
    return Convergence(
        definition=definition,
        tolerance=tolerance,
        steps=tuple(steps),
        relative_error=error,
        converged=converged,
    )


def stated_error(steps: Sequence[ConvergenceStep]) -> float | None:
    """The relative error that the last power factor of a series states; None for one step.

    A bound, not a mean: in nine of ten series the power factor on the finest mesh computed lies
    within it (benchmarks/bench_meshes.py). What the last change leaves follows from Richardson's
    extrapolation: errors that fall as the square of the spacing h leave change / ((h / h')^2 - 1).
    """
    change = relative_change(steps)
    if change is None:
        return None
    *_, before, last = steps
    left = change / refinement(before.mesh, last.mesh)
    return SAFETY * left + FLOOR


def refinement(before: MeshSize, last: MeshSize) -> float:
    """(h / h')^2 - 1 of the mean spacings of two meshes, at least `CLOSEST`."""
    more = np.prod(last) / np.prod(before)
    return max(float(more ** (2 / 3)) - 1.0, CLOSEST)


def relative_change(steps: Sequence[ConvergenceStep]) -> float | None:
    """Change of the power factor from the step before the last to the last, relative to the last.

    None for one step.
    """
    if len(steps) < 2:
        return None
    *_, before, last = steps
    change = abs(last.power_factor - before.power_factor)
    return change / abs(last.power_factor)
