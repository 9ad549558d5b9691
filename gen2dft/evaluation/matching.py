"""Whether two crystals are the same structure, and how far their atoms are apart."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from gen2dft.screening.novelty import reduced_primitive

if TYPE_CHECKING:
    from pymatgen.core import Structure


def matched_rmsd(first: Structure, second: Structure) -> float | None:
    """Root mean square distance of the atoms of two structures that pymatgen matches, Angstrom.

    None if it does not.

    Default tolerances of StructureMatcher: ltol 0.2, stol 0.3, angle_tol 5, scaled to equal volume.
    Its measure is in units of the mean free length (V/N)^(1/3), taken here at the geometric mean of
    both volumes, as the matcher does.
    """
    if first.composition.reduced_formula != second.composition.reduced_formula:
        return None
    a, b = reduced_primitive(first), reduced_primitive(second)
    if len(a) != len(b):
        return None
    found = _matcher().get_rms_dist(a, b)
    if found is None:
        return None
    rms, _ = found
    volume = np.sqrt(a.volume * b.volume)
    free_length = (volume / len(a)) ** (1 / 3)
    return float(rms * free_length)


def displacement_rmsd(before: Structure, after: Structure) -> float:
    """Root mean square displacement of the atoms of one crystal, Angstrom.

    Fractional displacements, the short way round and without their mean, in the later cell: neither
    strain nor a shift of the whole crystal counts.

    Raises
    ------
    ValueError
        If the sites of the two are not the same atoms in the same order.
    """
    if before.species != after.species:
        raise ValueError(
            f"{before.formula} and {after.formula} are not the same atoms in the same order"
        )
    moved = after.frac_coords - before.frac_coords
    moved -= np.round(moved)
    moved -= moved.mean(axis=0)
    displacements = moved @ after.lattice.matrix
    squares = np.sum(displacements**2, axis=1)
    return float(np.sqrt(np.mean(squares)))


@functools.cache
def _matcher() -> Any:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(primitive_cell=False)  # the cells are primitive already
