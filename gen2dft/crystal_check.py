"""The check that every crystal passes where it enters: files, documents, archives, plugins.

Its bounds are the widest that a cell of a crystal can have; a campaign's gate `geometry` is
stricter. Angles are not among them: those of a reduced cell lie between 60 and 120 degrees
whatever the crystal, and cells as they are given have any (3 % of the Materials Project's lie
outside the 25 to 155 degrees of the gate). Volume and distances say what is no cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import LARGEST_NUMBER, CrystalTable, is_element
from gen2dft.errors import DatasetError
from gen2dft.geometry import closest_contacts, distances_in_cell, in_reduced_cells

if TYPE_CHECKING:
    from pymatgen.core import Structure

NO_SITES: Final = "no_sites"
NOT_FINITE: Final = "not_finite"
NO_ELEMENT: Final = "no_element"
PARTLY_OCCUPIED: Final = "partially_occupied"
BAD_VOLUME: Final = "volume_out_of_range"
TOO_CLOSE: Final = "atoms_too_close"

# Angstrom^3: dense hydrogen has 2, a molecule of two atoms in a box of 15 Angstrom 1,700.
VOLUME_PER_ATOM = (2.0, 2000.0)
# Angstrom: the shortest bond, of H2, has 0.74, and X-rays see hydrogen nearer by up to 0.1.
MIN_DISTANCE = 0.5
# Of the sum of covalent radii; the lowest of 15,000 crystals of the Materials Project is 0.7.
MIN_RATIO = 0.4
# A set of which more cannot be used was probably written wrongly as a whole.
MOST_LEFT_OUT = 0.5
FEWEST_TO_JUDGE = 20  # crystals; of smaller sets the usable rest is taken, however small
SHOWN = 3

ORDERED_CELL = (
    "sites are shared by several species or partly empty: write an ordered cell or supercell of it "
    "(pymatgen: OrderDisorderedStructureTransformation)"
)


def structure_problem(structure: Structure) -> str | None:
    """Why a crystal cannot be used, as `reason: detail with the remedy`; None for a sound one."""
    if not len(structure):
        return f"{NO_SITES}: it holds no atoms; write cell and atoms into it, or remove it"
    strange = sorted({str(specie) for specie in structure.composition if not is_element(specie)})
    if strange:
        return f"{NO_ELEMENT}: {', '.join(strange)} is no element: put an element in its place"
    if not structure.is_ordered:
        return f"{PARTLY_OCCUPIED}: {ORDERED_CELL}"
    return crystal_problems(CrystalTable.from_structures([structure]))[0]


def crystal_problems(table: CrystalTable) -> list[str | None]:
    """The same for every crystal of a table; (n,)."""
    problems: list[str | None] = [_plain_problem(table, row) for row in range(len(table))]
    sound = np.array([row for row, found in enumerate(problems) if found is None], dtype=np.int64)
    contacts = closest_contacts(table.select(sound))
    far = (contacts.distance >= MIN_DISTANCE) & (contacts.ratio >= MIN_RATIO)
    for row in sound[~far].tolist():
        problems[row] = f"{TOO_CLOSE}: {_closest_pair(table, row)}"
    return problems


def _plain_problem(table: CrystalTable, row: int) -> str | None:
    """What a look at cell and numbers tells, without distances."""
    sites = table.sites(row)
    numbers, lattice = table.numbers[sites], table.lattices[row]
    if not len(numbers):
        return f"{NO_SITES}: it holds no atoms"
    if numbers.min() < 1 or numbers.max() > LARGEST_NUMBER:
        return f"{NO_ELEMENT}: an atomic number lies outside 1 to {LARGEST_NUMBER}"
    if not np.isfinite(lattice).all():
        return f"{NOT_FINITE}: a length or angle of its cell is no number: correct it"
    if not np.isfinite(table.frac[sites]).all():
        return f"{NOT_FINITE}: a coordinate is no number: correct it"
    with np.errstate(over="ignore", invalid="ignore"):
        volume = abs(float(np.linalg.det(lattice)))
    return _volume_problem(volume / len(numbers))


def _volume_problem(per_atom: float) -> str | None:
    low, high = VOLUME_PER_ATOM
    if low <= per_atom <= high:
        return None
    if per_atom < 1e-3:
        return f"{BAD_VOLUME}: its cell has no volume: correct its lengths and angles"
    return (
        f"{BAD_VOLUME}: {per_atom:.3g} Angstrom^3 per atom, outside {low:g} to {high:g}: correct "
        "its lengths (Angstrom) and angles (degree)"
    )


def _closest_pair(table: CrystalTable, row: int) -> str:
    from pymatgen.core import Element

    cell = in_reduced_cells(table.select([row]), np.array([0]))
    distances = distances_in_cell(cell.lattices[0], cell.frac)
    ratios = _below_bound(distances, cell.numbers)
    first, second = sorted(map(int, np.unravel_index(int(ratios.argmin()), ratios.shape)))
    distance = float(distances[first, second])
    symbols = [Element.from_Z(int(cell.numbers[site])).symbol for site in (first, second)]
    if first == second:
        return (
            f"{symbols[0]} (site {first + 1}) and its own image are {distance:.2f} Angstrom apart: "
            "correct the cell"
        )
    return (
        f"{' and '.join(symbols)} are {distance:.2f} Angstrom apart (sites {first + 1} and "
        f"{second + 1}): remove one of them, or correct the coordinates"
    )


def _below_bound(distances: NDArray[np.float64], numbers: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, n) distances in units of the least that their pair may have."""
    from gen2dft.geometry import COVALENT_RADII

    radii = COVALENT_RADII[numbers]
    least = np.maximum(MIN_DISTANCE, MIN_RATIO * (radii[:, None] + radii[None, :]))
    return np.asarray(distances / least)


def refuse_if_most_failed(place: object, num_read: int, left_out: Mapping[str, str]) -> None:
    """DatasetError if no crystal is left, or more than half of at least 20 had to be left out.

    Parameters
    ----------
    place
        File, folder or source.
    left_out
        Id to `reason: detail`.
    """
    failed = len(left_out)
    is_most = num_read >= FEWEST_TO_JUDGE and failed > MOST_LEFT_OUT * num_read
    if failed < num_read and not is_most:
        return
    if failed >= num_read:
        first = next(iter(left_out.values()), "no crystals")
        raise DatasetError(
            f"dataset {place} holds no usable crystal among {num_read}; the first problem: {first}"
        )
    raise DatasetError(
        f"dataset {place}: {failed} of {num_read} crystals cannot be used, more than half, so the "
        f"import stops; the first: {first_of(left_out)}. Correct the file, or leave them out of it"
    )


def count_reasons(left_out: Mapping[str, str]) -> dict[str, int]:
    """How many were left out for each reason."""
    reasons = [problem.partition(":")[0] for problem in left_out.values()]
    return dict(Counter(reasons))


def first_of(left_out: Mapping[str, str], shown: int = SHOWN) -> str:
    """The first few that were left out, with their reasons, in one line."""
    named = [f"{name}: {problem}" for name, problem in list(left_out.items())[:shown]]
    return "; ".join(named)


def only_sound(
    table: CrystalTable, names: Sequence[str]
) -> tuple[NDArray[np.int64], dict[str, str]]:
    """Rows of the crystals that pass, and name to problem of the others."""
    problems = crystal_problems(table)
    kept = [row for row, problem in enumerate(problems) if problem is None]
    left_out = {name: found for name, found in zip(names, problems, strict=True) if found}
    return np.array(kept, dtype=np.int64), left_out
