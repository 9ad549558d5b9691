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
SCALE = 10**K_DIGITS
MERGED = 2  # coordinates no further apart than this are equal, in units of 1 / SCALE
ROUNDING = 3 / SCALE  # largest distance of a k-point from the mesh, fractional


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

    lattice = structure.lattice.matrix.tolist()
    positions = structure.frac_coords.tolist()
    cell = (lattice, positions, _site_kinds(structure))
    found = ask_spglib(spglib.get_symmetry_dataset, cell, symprec=SYMPREC)
    if found is None:
        formula = structure.composition.reduced_formula
        detail = (
            f"spglib finds no symmetry in {formula}, not even identity; are two atoms on one place?"
        )
        raise CalculationFailed("no_symmetry", detail)
    rotations = np.asarray(found.rotations, dtype=np.int64)
    with_inversion = np.concatenate([rotations, -rotations])
    return np.unique(with_inversion, axis=0)


def _site_kinds(structure: Structure) -> list[int]:
    """A number for each site, equal where element and magnetic moment are equal."""
    no_moments = [0.0] * len(structure)
    given = structure.site_properties.get("magmom")
    moments = np.array(given or no_moments, dtype=float)
    rounded = np.round(moments, 1)
    properties = np.column_stack([structure.atomic_numbers, rounded])
    _, place = np.unique(properties, axis=0, return_inverse=True)
    kinds = place.reshape(-1) + 1
    return [int(kind) for kind in kinds]


def symmetric_mesh(sizes: NDArray[np.int64], rotations: NDArray[np.int64]) -> tuple[int, int, int]:
    """The smallest mesh that is at least so fine and that the point group maps onto itself.

    A rotation with an element between two axes takes points of one axis to the other: both then
    need equal numbers.
    """
    mixed = (rotations != 0).any(axis=0)
    linked = mixed | mixed.T
    same_size = linked | np.eye(3, dtype=bool)
    for _ in range(2):  # axes may be linked by way of the third
        sizes_linked = np.where(same_size, sizes, 0)
        sizes = sizes_linked.max(axis=1)
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
    # k.(W R) = (k W).R: rows of k are rotated by the matrices of the lattice vectors, from the
    # right.
    rotated = kpoints @ rotations
    # Whole numbers compare exactly, and the period of the reciprocal lattice is one of them.
    rounded = np.rint(rotated * SCALE)
    images = rounded.astype(np.int64) % SCALE
    size, shift = _axes(images)
    points, distance = _mesh_points(images, size, shift)
    total = size.prod()
    covered = len(np.unique(points))
    if covered != total or distance > ROUNDING:
        raise _not_uniform(source, len(kpoints), size, covered)
    # Equal k-points have the same images, and so the same lowest number.
    lowest = points.min(axis=0)
    first, set_of = _sets(lowest)
    sets = points[:, first].T
    counts = [len(np.unique(equal)) for equal in sets]
    weights = np.array(counts) / total
    return Mesh(_three(size), _three(shift), first, set_of, weights)


def _axes(images: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(3,) points along each reciprocal axis, and the offset from Gamma in steps of the mesh."""
    per_axis = images.reshape(-1, 3).T
    coordinates = [_merged(values) for values in per_axis]
    size = [len(values) for values in coordinates]
    shift = [_shift(values) for values in coordinates]
    return np.array(size), np.array(shift)


def _mesh_points(
    images: NDArray[np.int64], size: NDArray[np.int64], shift: NDArray[np.float64]
) -> tuple[NDArray[np.int64], float]:
    """Number of the mesh point nearest to each image, and the largest distance from one."""
    fractional = images / SCALE
    nearest = np.rint(fractional * size - shift)
    wrapped = nearest.astype(np.int64) % size
    apart = fractional - (wrapped + shift) / size
    # Points that are a reciprocal lattice vector apart are equal.
    apart -= np.rint(apart)
    distance = np.abs(apart).max()
    x, y, z = np.moveaxis(wrapped, -1, 0)
    _, size_y, size_z = size
    numbers = (x * size_y + y) * size_z + z
    return numbers, float(distance)


def _not_uniform(
    source: str, kpoints: int, size: NDArray[np.int64], covered: int
) -> CalculationFailed:
    """The failure `mesh_not_uniform`, with the numbers that show it."""
    different = " x ".join(map(str, size))
    detail = (
        f"{source}: the {kpoints} k-points and those equal to them by symmetry do not fill a "
        f"uniform mesh (they have {different} different coordinates, but are {covered} points). A "
        "path of bands cannot be used, nor a mesh with less symmetry than the crystal: compute a "
        "Gamma-centred mesh"
    )
    return CalculationFailed("mesh_not_uniform", detail)


def _sets(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of the first element of each label, in the order of the list, and the set of each
    element.
    """
    _, first, set_of = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.argsort(order)
    set_in_order = rank[set_of.reshape(-1)]
    return first[order], set_in_order


def _merged(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Different coordinates, ascending, without those that differ from the one before by rounding
    only, round the circle.
    """
    different = np.unique(values)
    apart = np.diff(different) > MERGED
    is_kept = np.concatenate([[True], apart])
    kept = different[is_kept]
    span = kept[-1] - kept[0]
    # One rounded down to just below a reciprocal lattice vector is the first coordinate again.
    is_first_again = len(kept) > 1 and span >= SCALE - MERGED
    return kept[:-1] if is_first_again else kept


def _shift(values: NDArray[np.int64]) -> float:
    """Offset of the mesh from Gamma, 0 or 0.5 for those that occur, in steps of the mesh."""
    steps = values[0] * len(values) / SCALE
    return float(np.round(steps, 2)) % 1.0


def _three(values: NDArray[Any]) -> tuple[Any, Any, Any]:
    a, b, c = values.tolist()
    return a, b, c
