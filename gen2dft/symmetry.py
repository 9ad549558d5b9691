"""spglib (Togo & Tanaka, arXiv:1808.01590), called so that a crystal that it cannot read gives an
answer, not an error.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pymatgen.core import Structure

UNDETERMINED = "undetermined"
TIGHT = 0.01  # Angstrom; two atoms never come that close
EXACT = 1e-5  # Angstrom; below what any k-point mesh notices
# Degrees that the angles of a cell may be off by: a strained cell hides its symmetry in them. By
# default symprec decides for angles, too.
WIDE_ANGLES, BY_SYMPREC = 5.0, -1.0


@dataclass(frozen=True)
class SpaceGroup:
    """The space group of a crystal.

    Parameters
    ----------
    number
        1 to 230.
    symbol
        International symbol.
    operations_per_atom
        Operations that keep the cell, translations included, by its number of atoms. Those of a
        primitive cell grow with the symmetry, and its irreducible k-points of a given spacing fall
        as they do. A supercell may have fewer, where its shape lacks the symmetry of the crystal.
    """

    number: int
    symbol: str
    operations_per_atom: float
    primitive_atoms: int


def ask_spglib(function: Callable[..., Any], crystal: Any, **options: Any) -> Any:
    """Call a function of spglib; None where it finds nothing, as with two atoms on one place.

    Parameters
    ----------
    crystal
        A cell as spglib takes it (lattice, positions, numbers), or a Structure.

    Notes
    -----
    NaN and infinite coordinates find nothing either: spglib's C code would end the process.

    spglib 2 either returns None or raises, by a switch of the whole process which other libraries
    set (ASE leaves it set after its first use), and warns that it will no longer return None.
    """
    from spglib.error import SpglibError

    if not _is_finite(crystal):
        return None
    os.environ.setdefault("SPGLIB_WARNING", "OFF")  # its C code prints what its answer tells
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return function(crystal, **options)
        except SpglibError:
            return None


def _is_finite(crystal: Any) -> bool:
    lattice, positions = crystal[:2] if isinstance(crystal, tuple) else _cell(crystal)[:2]
    return bool(np.isfinite(lattice).all() and np.isfinite(positions).all())


def space_group(
    structure: Structure, symprec: float = TIGHT, angles: float = BY_SYMPREC
) -> SpaceGroup | None:
    """The space group, found within symprec Angstrom; None where spglib finds none.

    Parameters
    ----------
    angles
        Degrees that the angles of the cell may be off by; BY_SYMPREC leaves them to symprec.
    """
    found = _dataset(structure, symprec, angles)
    if found is None:
        return None
    per_atom = len(found.rotations) / len(structure)
    primitive_atoms = len(set(found.mapping_to_primitive.tolist()))
    return SpaceGroup(int(found.number), str(found.international), per_atom, primitive_atoms)


def space_group_symbol(structure: Structure, symprec: float = TIGHT) -> str:
    """International symbol, found within symprec Angstrom.

    `undetermined` where spglib finds none.
    """
    found = space_group(structure, symprec)
    return UNDETERMINED if found is None else found.symbol


def idealised_primitive(structure: Structure, symprec: float) -> Structure:
    """The primitive standard cell with the symmetry that the crystal has within symprec Angstrom.

    Where spglib finds none, the primitive cell as it is.
    """
    found = standard_cell(structure, symprec, WIDE_ANGLES)
    return structure.get_primitive_structure(tolerance=symprec) if found is None else found


def standard_cell(
    structure: Structure, symprec: float, angles: float = BY_SYMPREC, *, primitive: bool = True
) -> Structure | None:
    """The standard cell, with the symmetry that the crystal has within symprec Angstrom made exact.

    Site properties are left out: sites are merged with their images, and their order changes.

    Parameters
    ----------
    angles
        As for `space_group`.
    primitive
        False gives the conventional cell.

    Returns
    -------
    None where spglib finds no symmetry, or where the cell would lose or gain atoms.
    """
    import spglib
    from pymatgen.core import Element, Structure

    made = ask_spglib(
        spglib.standardize_cell,
        _cell(structure),
        to_primitive=primitive,
        symprec=symprec,
        angle_tolerance=angles,
    )
    if made is None:
        return None
    lattice, positions, numbers = made
    species = [Element.from_Z(number) for number in numbers]
    cell = Structure(lattice, species, positions)
    return cell if _holds_the_same(structure, cell) else None


def _holds_the_same(structure: Structure, cell: Structure) -> bool:
    """Whether two cells of one crystal hold the same atoms in the same volume."""
    if cell.composition.reduced_formula != structure.composition.reduced_formula:
        return False
    atoms = len(structure) * cell.volume / structure.volume
    return round(float(atoms)) == len(cell)


def prototype(structure: Structure) -> str | None:
    """Label of the prototype, as AFLOW writes it, found within 0.1 Angstrom; None where spglib
    finds no symmetry.

    Anonymous formula, Pearson symbol, number of the space group and Wyckoff letters of each
    element, such as `ABC2_cF16_225_a_b_c`: the same for all crystals that differ in elements,
    origin, cell and free coordinates alone. Of letters that a shift of the origin or another
    setting exchanges, one choice stands for all (Mehl et al., Comput. Mater. Sci. 136, S1 (2017);
    Goodall et al., Sci. Adv. 8, eabn4117 (2022)).
    """
    from pymatgen.analysis.prototypes import (
        get_protostructure_label_from_spglib,
        get_prototype_from_protostructure,
    )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of pymatgen's own functions
        try:
            label = ask_spglib(get_protostructure_label_from_spglib, structure, raise_errors=True)
            return None if label is None else str(get_prototype_from_protostructure(label))
        except ValueError:
            return None


def with_exact_symmetry(structure: Structure, symprec: float = TIGHT) -> Structure:
    """The same cell, each site in its place, with the symmetry that it has within symprec made
    exact.

    Lattice and positions become the mean over the operations of the space group, by which they
    move by less than symprec. The structure itself where nothing is left to be made exact, and
    where spglib finds no symmetry.
    """
    near, exact = _dataset(structure, symprec), space_group(structure, EXACT)
    if near is None or len(near.rotations) == 1:
        return structure
    if exact and exact.operations_per_atom * len(structure) >= len(near.rotations):
        return structure
    better = structure.copy()
    better.lattice = _mean_lattice(structure.lattice.matrix, near.rotations)
    positions = _mean_positions(structure, near.rotations, near.translations)
    for index, position in enumerate(positions):
        better.replace(index, better[index].species, position, properties=better[index].properties)
    return better


def _mean_lattice(
    lattice: NDArray[np.float64], rotations: NDArray[np.int32]
) -> NDArray[np.float64]:
    """(3, 3) rows: the lattice strained, but not turned, to the mean metric over the rotations.

    An operation maps fractional coordinates x (a column) to W x, so it leaves the metric G = L L^T
    as it is if W^T G W = G.
    """
    metric = lattice @ lattice.T
    images = [rotation.T @ metric @ rotation for rotation in rotations]
    mean = np.mean(images, axis=0)
    # L' = C Q, with C C^T the mean metric and Q the rotation that brings C nearest to L.
    factor = np.linalg.cholesky(mean)
    left, _, right = np.linalg.svd(factor.T @ lattice)
    return np.asarray(factor @ left @ right)


def _mean_positions(
    structure: Structure, rotations: NDArray[np.int32], translations: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n_sites, 3) fractional coordinates: the mean over the images that fall on each site."""
    frac = structure.frac_coords
    numbers = np.array(structure.atomic_numbers)
    shifts = np.zeros_like(frac)
    for rotation, translation in zip(rotations, translations, strict=True):
        images = frac @ rotation.T + translation
        apart = images[:, None] - frac[None, :]
        apart -= np.round(apart)
        lengths = np.linalg.norm(apart @ structure.lattice.matrix, axis=2)
        lengths[numbers[:, None] != numbers[None, :]] = np.inf
        target = lengths.argmin(axis=1)
        shifts[target] += apart[np.arange(len(frac)), target]
    return np.asarray(frac + shifts / len(rotations))


def _dataset(structure: Structure, symprec: float, angles: float = BY_SYMPREC) -> Any:
    lattice, positions, numbers = _cell(structure)
    cell = (_as_tuples(lattice), _as_tuples(positions), tuple(numbers))
    return _known_dataset(cell, symprec, angles)


# Screen, label and hit ask for the same cell; each time it takes spglib ten milliseconds.
@functools.lru_cache(maxsize=2048)
def _known_dataset(cell: tuple[Any, ...], symprec: float, angles: float) -> Any:
    import spglib

    return ask_spglib(spglib.get_symmetry_dataset, cell, symprec=symprec, angle_tolerance=angles)


def _as_tuples(rows: list[list[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, rows))


def _cell(structure: Structure) -> tuple[list[list[float]], list[list[float]], list[int]]:
    lattice = structure.lattice.matrix.tolist()
    positions = structure.frac_coords.tolist()
    return lattice, positions, list(structure.atomic_numbers)
