"""CrystalTable: many crystals as flat arrays, and the way to and from pymatgen.

Conventions: lattice vectors are rows, in Angstrom; positions are fractional row vectors, so that
`cartesian = frac @ lattice`; species are atomic numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gen2dft.hashing import ContentHash

if TYPE_CHECKING:
    from pymatgen.core import Structure

LARGEST_NUMBER = 118
ISOTOPES = {"D": "H"}
"""Names of isotopes to the element whose electrons they have."""
AMBIGUOUS = "T"  # tritium to pymatgen, a tetrahedral site to whoever writes down a zeolite


@dataclass(frozen=True, eq=False)
class CrystalTable:
    """`n` crystals with `N` sites in all, as flat arrays.

    Parameters
    ----------
    lattices
        (n, 3, 3) lattice vectors as rows, Angstrom.
    numbers
        (N,) atomic numbers, 1 to 118.
    frac
        (N, 3) fractional coordinates.
    offsets
        (n + 1,) sites of crystal `i` are `offsets[i]:offsets[i + 1]`.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """

    lattices: NDArray[np.float64]
    numbers: NDArray[np.uint8]
    frac: NDArray[np.float64]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.lattices)
        if self.lattices.shape != (n, 3, 3) or self.offsets.shape != (n + 1,):
            raise ValueError(
                f"lattices {self.lattices.shape} and offsets {self.offsets.shape} do not fit "
                "together"
            )
        decrease = self.num_sites < 0
        if self.offsets[0] != 0 or decrease.any():
            raise ValueError("offsets must start at 0 and never decrease")
        total = int(self.offsets[-1])
        if self.numbers.shape != (total,) or self.frac.shape != (total, 3):
            raise ValueError(
                f"{total} sites expected, got numbers {self.numbers.shape}, frac {self.frac.shape}"
            )

    @classmethod
    def from_arrays(
        cls, lattices: ArrayLike, numbers: Sequence[ArrayLike], frac: Sequence[ArrayLike]
    ) -> CrystalTable:
        """Build from one array of species and one of positions per crystal."""
        matrices = np.asarray(lattices, dtype=np.float64).reshape(-1, 3, 3)
        species = [np.atleast_1d(crystal) for crystal in numbers]
        positions = [np.reshape(crystal, (-1, 3)) for crystal in frac]
        if not species:
            return cls(matrices, np.zeros(0, np.uint8), np.zeros((0, 3)), np.zeros(1, np.int64))
        counts = [len(crystal) for crystal in species]
        all_species = _atomic_numbers(np.concatenate(species))
        all_positions = np.concatenate(positions).astype(np.float64)
        return cls(matrices, all_species, all_positions, _offsets(counts))

    @classmethod
    def from_structures(cls, structures: Iterable[Structure]) -> CrystalTable:
        """Build from ordered pymatgen structures.

        Raises
        ------
        ValueError
            A site is partly occupied or holds no element; the crystal is named.
        """
        lattices, numbers, frac = [], [], []
        for index, structure in enumerate(structures):
            if not structure.is_ordered:
                raise ValueError(
                    f"structure {index} ({structure.formula}) has partially occupied sites"
                )
            lattices.append(structure.lattice.matrix)
            numbers.append([_atomic_number(site.specie, structure) for site in structure])
            frac.append(structure.frac_coords)
        return cls.from_arrays(lattices, numbers, frac)

    @classmethod
    def concatenate(cls, tables: Sequence[CrystalTable]) -> CrystalTable:
        """Put tables one behind another."""
        if not tables:
            return cls.from_arrays([], [], [])
        lattices = np.concatenate([table.lattices for table in tables])
        numbers = np.concatenate([table.numbers for table in tables])
        frac = np.concatenate([table.frac for table in tables])
        counts = np.concatenate([table.num_sites for table in tables])
        return cls(lattices, numbers, frac, _offsets(counts))

    def __len__(self) -> int:
        return len(self.lattices)

    def sites(self, index: int) -> slice:
        """Slice of crystal `index` in the site arrays."""
        start, stop = self.offsets[index], self.offsets[index + 1]
        return slice(int(start), int(stop))

    def structure(self, index: int) -> Structure:
        """Crystal `index` as a pymatgen Structure."""
        from pymatgen.core import Element, Lattice, Structure

        sites = self.sites(index)
        numbers = self.numbers[sites].tolist()
        species = [Element.from_Z(number) for number in numbers]
        lattice = Lattice(self.lattices[index])
        return Structure(lattice, species, self.frac[sites])

    def structures(self) -> Iterator[Structure]:
        """All crystals as pymatgen Structures, one at a time."""
        for index in range(len(self)):
            yield self.structure(index)

    def select(self, which: ArrayLike) -> CrystalTable:
        """The crystals at `which` (indices or boolean mask), in that order."""
        index = np.asarray(which)
        if not index.size:
            # An empty list becomes an array of floats, which cannot index.
            index = index.astype(np.int64)
        chosen = np.arange(len(self))[index]
        counts = self.num_sites[chosen]
        offsets = _offsets(counts)
        # All sites of one crystal move by the same distance: from its start in this table to its
        # start in the new one.
        new_sites = np.arange(offsets[-1])
        shifts = self.offsets[chosen] - offsets[:-1]
        source = new_sites + np.repeat(shifts, counts)
        return CrystalTable(self.lattices[chosen], self.numbers[source], self.frac[source], offsets)

    @property
    def num_sites(self) -> NDArray[np.int64]:
        """(n,) sites per crystal."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> NDArray[np.int64]:
        """(N,) the crystal that each site belongs to."""
        crystals = np.arange(len(self))
        return np.repeat(crystals, self.num_sites)

    @property
    def num_elements(self) -> NDArray[np.int64]:
        """(n,) different elements per crystal."""
        is_present = np.zeros((len(self), 256), dtype=bool)
        is_present[self.owners, self.numbers] = True
        return is_present.sum(axis=1)

    @property
    def volumes(self) -> NDArray[np.float64]:
        """(n,) cell volumes, Angstrom^3."""
        determinants = np.linalg.det(self.lattices)
        return np.abs(determinants)

    def formulas(self) -> list[str]:
        """(n,) reduced formulas such as `O3 Sr1 Ti1`: symbols sorted, every count written."""
        from pymatgen.core import Element

        # Each element is looked up once: `Element` is slow, and tables hold many thousand sites.
        present = set(self.numbers.tolist())
        symbols = {number: Element.from_Z(number).symbol for number in present}
        names = []
        for index in range(len(self)):
            sites = self.sites(index)
            numbers = self.numbers[sites].tolist()
            atoms = Counter(symbols[number] for number in numbers)
            names.append(_formula(atoms))
        return names

    def content_hash(self) -> str:
        """Hash of the content, independent of dtype and memory layout; 16 hexadecimal digits."""
        content = ContentHash()
        for array, dtype in (
            (self.lattices, "<f8"),
            (self.numbers, "<u1"),
            (self.frac, "<f8"),
            (self.offsets, "<i8"),
        ):
            fixed = np.ascontiguousarray(array, dtype=dtype)
            content.add(fixed.tobytes())
        return content.digits(16)


def _atomic_numbers(given: NDArray[Any]) -> NDArray[np.uint8]:
    # A larger number would become that of another element in 8 bits.
    if given.size and not (given.min() >= 0 and given.max() <= LARGEST_NUMBER):
        raise ValueError(f"an atomic number lies outside 1 to {LARGEST_NUMBER}")
    return given.astype(np.uint8)


def _offsets(counts: ArrayLike) -> NDArray[np.int64]:
    """(n + 1,) where each crystal's sites begin, from (n,) numbers of sites."""
    ends = np.cumsum(counts)
    return np.concatenate([[0], ends]).astype(np.int64)


def with_isotopes_as_elements(structure: Structure) -> Structure:
    """The crystal with H in the place of D, which has the same electrons."""
    named = {specie: _element_name(specie) for specie in structure.composition}
    isotopes: dict[Any, Any] = {
        specie: ISOTOPES[name] for specie, name in named.items() if name in ISOTOPES
    }
    if not isotopes:
        return structure
    plain = structure.copy()
    plain.replace_species(isotopes)
    return plain


def _element_name(specie: Any) -> str:
    """The name as it was written: pymatgen takes D for H, but keeps the name."""
    return str(getattr(getattr(specie, "element", specie), "name", ""))


def is_element(specie: Any) -> bool:
    """Whether a pymatgen species, with charge or without, is of the periodic table."""
    from pymatgen.core import Element

    element = getattr(specie, "element", specie)
    return isinstance(element, Element) and element.name != AMBIGUOUS


def _atomic_number(specie: Any, structure: Structure) -> int:
    # A dummy's Z is a hash of its name, which differs from process to process.
    if not is_element(specie):
        raise ValueError(f"a crystal ({structure.formula}) holds {specie}, which is no element")
    return int(specie.Z)


def _formula(atoms: Mapping[str, int]) -> str:
    """Reduced formula of a cell with so many atoms of each element."""
    divisor = math.gcd(*atoms.values())
    parts = []
    for symbol in sorted(atoms):
        count = atoms[symbol] // divisor
        parts.append(f"{symbol}{count}")
    return " ".join(parts)
