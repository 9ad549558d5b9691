"""Meshes of k-points from coarse to fine, and how the power factor changes along the series: the
label's error estimate.
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
    sizes = 2 * np.ceil(lengths / spacing / 2 - 1e-3).astype(np.int64)
    return symmetric_mesh(sizes, point_group(structure))


def irreducible_kpoints(structure: Structure, spacing: float) -> float:
    """Points of a mesh by the order of the point group: about how many of them symmetry leaves."""
    return float(np.prod(mesh_of_spacing(structure, spacing)) / len(point_group(structure)))


def relative_cost(structure: Structure, spacing: float = FINEST_SPACING) -> float:
    """What bands on a mesh cost, in arbitrary units, to put crystals in order.

    Irreducible k-points times plane waves, which grow with the volume, times bands, which grow with
    the electrons.
    """
    return irreducible_kpoints(structure, spacing) * float(
        structure.volume * sum(structure.atomic_numbers)
    )


def step_of(doc: TransportDoc, definition: str) -> ConvergenceStep:
    """What a convergence series keeps of one mesh."""
    factor = get_reduction(definition).power_factor(doc)
    return ConvergenceStep(mesh=doc.mesh, spacing=doc.spacing, power_factor=factor)


def summary_of(steps: Sequence[ConvergenceStep], definition: str, tolerance: float) -> Convergence:
    """How a series of meshes, coarsest first, stands."""
    change = relative_change(steps)
    return Convergence(
        definition=definition,
        tolerance=tolerance,
        steps=tuple(steps),
        relative_error=change,
        converged=change is not None and change < tolerance,
    )


def relative_change(steps: Sequence[ConvergenceStep]) -> float | None:
    """Change of the power factor from the step before the last to the last, relative to the last.

    None for one step.
    """
    if len(steps) < 2:
        return None
    before, last = steps[-2].power_factor, steps[-1].power_factor
    return abs(last - before) / abs(last)
