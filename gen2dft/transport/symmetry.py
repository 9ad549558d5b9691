"""Symmetry of bands: the point group of a crystal, and the uniform mesh that irreducible k-points
stand for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import CalculationFailed
from gen2dft.symmetry import ask_spglib

if TYPE_CHECKING:
    from pymatgen.core import Structure

# Positions may be off by this much, Angstrom; BoltzTraP2's own choice.
SYMPREC = 1e-4
# k-points are printed with eight digits by VASP; meshes have fewer than a thousand points per axis.
K_DIGITS = 5


@dataclass(frozen=True, eq=False)
class Mesh:
    """The uniform mesh that a list of k-points stands for.

    Parameters
    ----------
    size
        Points along each reciprocal axis.
    shift
        Offset from Gamma along each axis, in units of the mesh's own step.
    first
        (n_irreducible,) index in the list of the first of each set of k-points that are equal by
        symmetry.
    set_of
        (n_listed,) the set of each k-point of the list.
    weights
        (n_irreducible,) share of the mesh that each set makes up; they add up to 1.
    """

    size: tuple[int, int, int]
    shift: tuple[float, float, float]
    first: NDArray[np.int64]
    set_of: NDArray[np.int64]
    weights: NDArray[np.float64]


def point_group(structure: Structure) -> NDArray[np.int64]:
    """Rotations that leave the bands as they are, inversion always among them.

    Without spin-orbit coupling, or without magnetic moments, time reversal makes E(-k) = E(k).
    Operations that exchange sites of different moments are left out: they would exchange the spins,
    too.

    Returns
    -------
    (n, 3, 3) integers: a lattice vector with integer coordinates R (a column) goes to `rotation @
    R`.

    Raises
    ------
    CalculationFailed
        `no_symmetry`: the structure has none, not even identity, as with two atoms on one place.
    """
    import spglib

    moments = np.array(
        structure.site_properties.get("magmom") or np.zeros(len(structure)), dtype=float
    )
    kinds = np.column_stack([structure.atomic_numbers, np.round(moments, 1)])
    labels = np.unique(kinds, axis=0, return_inverse=True)[1].reshape(-1) + 1
    cell = (structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), labels.tolist())
    found = ask_spglib(spglib.get_symmetry_dataset, cell, symprec=SYMPREC)
    if found is None:
        formula = structure.composition.reduced_formula
        detail = (
            f"spglib finds no symmetry in {formula}, not even identity; are two atoms on one place?"
        )
        raise CalculationFailed("no_symmetry", detail)
    rotations = np.asarray(found.rotations, dtype=np.int64)
    return np.unique(np.concatenate([rotations, -rotations]), axis=0)


def symmetric_mesh(sizes: NDArray[np.int64], rotations: NDArray[np.int64]) -> tuple[int, int, int]:
    """The smallest mesh that is at least so fine and that the point group maps onto itself.

    A rotation with an element between two axes takes points of one axis to the other: both then
    need equal numbers.
    """
    linked = (rotations != 0).any(axis=0) | (rotations != 0).any(axis=0).T
    for _ in range(2):  # axes may be linked by way of the third
        sizes = np.where(linked | np.eye(3, dtype=bool), sizes, 0).max(axis=1)
    return _three(sizes)


def find_mesh(kpoints: NDArray[np.float64], rotations: NDArray[np.int64], source: str) -> Mesh:
    """The uniform mesh that k-points and their images under the point group make up.

    Parameters
    ----------
    kpoints
        (n_k, 3) fractional coordinates.
    rotations
        (n, 3, 3) from `point_group`.
    source
        Where the k-points are from, for the message.

    Raises
    ------
    CalculationFailed
        `mesh_not_uniform`, saying how many points there are and how many there should be.
    """
    scale = 10**K_DIGITS
    # k.(W R) = (k W).R: rows of k are rotated by the matrices of the lattice vectors, from the
    # right.
    images = np.rint((kpoints @ rotations) * scale).astype(np.int64) % scale
    merged = [_merged(np.unique(images[..., axis]), scale) for axis in range(3)]
    size = np.array([len(values) for values in merged])
    shift = np.array([_shift(values, scale) for values in merged])
    steps = np.rint(images / scale * size - shift).astype(np.int64) % size
    off = images / scale - (steps + shift) / size
    cells = (steps[..., 0] * size[1] + steps[..., 1]) * size[2] + steps[..., 2]
    covered = np.unique(cells)
    if len(covered) != size.prod() or np.abs(off - np.rint(off)).max() > 3 / scale:
        detail = (
            f"{source}: the {len(kpoints)} k-points and those equal to them by symmetry do not "
            "fill a uniform mesh "
            f"(they have {' x '.join(map(str, size))} different coordinates, but are "
            f"{len(covered)} points). A path of "
            "bands cannot be used, nor a mesh with less symmetry than the crystal: compute a "
            "Gamma-centred mesh"
        )
        raise CalculationFailed("mesh_not_uniform", detail)
    first, set_of = _sets(cells.min(axis=0))
    in_set = np.array([len(np.unique(cells[:, index])) for index in first])
    return Mesh(_three(size), _three(shift), first, set_of, in_set / size.prod())


def _sets(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of the first element of each label, in the order of the list, and the set of each
    element.
    """
    _, first, set_of = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[set_of.reshape(-1)]


def _merged(values: NDArray[np.int64], scale: int) -> NDArray[np.int64]:
    """Sorted coordinates without those that differ from the one before by rounding only, round the
    circle.
    """
    kept = values[np.concatenate([[True], np.diff(values) > 2])]
    return kept[:-1] if len(kept) > 1 and kept[-1] - kept[0] >= scale - 2 else kept


def _shift(values: NDArray[np.int64], scale: int) -> float:
    """Offset of the mesh from Gamma, 0 or 0.5 for those that occur, in steps of the mesh."""
    return float(np.round(values[0] * len(values) / scale, 2)) % 1.0


def _three(values: NDArray[Any]) -> tuple[Any, Any, Any]:
    a, b, c = values.tolist()
    return a, b, c
