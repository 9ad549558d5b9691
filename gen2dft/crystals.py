"""CrystalTable: many crystals as flat arrays, and the way to and from pymatgen.

Conventions: lattice vectors are rows, in Angstrom; positions are fractional row vectors, so that
`cartesian = frac @ lattice`; species are atomic numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from pymatgen.core import Structure


from gen2dft.hashing import ContentHash


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
        total = int(self.offsets[-1])
        if self.offsets[0] != 0 or (np.diff(self.offsets) < 0).any():
            raise ValueError("offsets must start at 0 and never decrease")
        if self.numbers.shape != (total,) or self.frac.shape != (total, 3):
            raise ValueError(
                f"{total} sites expected, got numbers {self.numbers.shape}, frac {self.frac.shape}"
            )

    @classmethod
    def from_arrays(
        cls, lattices: ArrayLike, numbers: Sequence[ArrayLike], frac: Sequence[ArrayLike]
    ) -> CrystalTable:
        """Build from one array of species and one of positions per crystal."""
        counts = [len(np.atleast_1d(z)) for z in numbers]
        flat = [np.atleast_1d(z) for z in numbers]
        return cls(
            np.asarray(lattices, dtype=np.float64).reshape(-1, 3, 3),
            np.concatenate(flat).astype(np.uint8) if flat else np.zeros(0, np.uint8),
            np.concatenate([np.reshape(f, (-1, 3)) for f in frac]).astype(np.float64)
            if flat
            else np.zeros((0, 3)),
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        )

    @classmethod
    def from_structures(cls, structures: Iterable[Structure]) -> CrystalTable:
        """Build from ordered pymatgen structures; partial occupancy raises ValueError."""
        items = list(structures)
        for index, structure in enumerate(items):
            if not structure.is_ordered:
                raise ValueError(
                    f"structure {index} ({structure.formula}) has partially occupied sites"
                )
        return cls.from_arrays(
            [s.lattice.matrix for s in items],
            [[site.specie.Z for site in s] for s in items],
            [s.frac_coords for s in items],
        )

    @classmethod
    def concatenate(cls, tables: Sequence[CrystalTable]) -> CrystalTable:
        """Put tables one behind another."""
        counts = [np.diff(t.offsets) for t in tables]
        return cls(
            np.concatenate([t.lattices for t in tables]) if tables else np.zeros((0, 3, 3)),
            np.concatenate([t.numbers for t in tables]) if tables else np.zeros(0, np.uint8),
            np.concatenate([t.frac for t in tables]) if tables else np.zeros((0, 3)),
            np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
            if tables
            else np.zeros(1, np.int64),
        )

    def __len__(self) -> int:
        return len(self.lattices)

    def sites(self, index: int) -> slice:
        """Slice of crystal `index` in the site arrays."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def structure(self, index: int) -> Structure:
        """Crystal `index` as a pymatgen Structure."""
        from pymatgen.core import Element, Lattice, Structure

        sites = self.sites(index)
        species = [Element.from_Z(int(z)) for z in self.numbers[sites]]
        return Structure(Lattice(self.lattices[index]), species, self.frac[sites])

    def structures(self) -> Iterator[Structure]:
        """All crystals as pymatgen Structures, one at a time."""
        return (self.structure(i) for i in range(len(self)))

    def select(self, which: ArrayLike) -> CrystalTable:
        """The crystals at `which` (indices or boolean mask), in that order."""
        index = np.asarray(which)
        chosen = np.arange(len(self))[index if index.size else index.astype(np.int64)]
        counts = np.diff(self.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        # Site j of the new table is site (j - start of its crystal here) + (start of its crystal
        # there).
        source = np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], counts)
        return CrystalTable(self.lattices[chosen], self.numbers[source], self.frac[source], offsets)

    @property
    def num_sites(self) -> NDArray[np.int64]:
        """(n,) sites per crystal."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> NDArray[np.int64]:
        """(N,) the crystal that each site belongs to."""
        return np.repeat(np.arange(len(self)), self.num_sites)

    @property
    def volumes(self) -> NDArray[np.float64]:
        """(n,) cell volumes, Angstrom^3."""
        return np.abs(np.linalg.det(self.lattices)) if len(self) else np.zeros(0)

    def formulas(self) -> list[str]:
        """Reduced formulas, elements in alphabetical order with explicit counts, e.g.

        `O3 Sr1 Ti1`.
        """
        from pymatgen.core import Element

        symbols = {int(z): Element.from_Z(int(z)).symbol for z in np.unique(self.numbers)}
        names = []
        for i in range(len(self)):
            elements, counts = np.unique(self.numbers[self.sites(i)], return_counts=True)
            divisor = np.gcd.reduce(counts) if len(counts) else 1
            parts = sorted(
                (symbols[int(z)], int(c // divisor)) for z, c in zip(elements, counts, strict=True)
            )
            names.append(" ".join(f"{s}{c}" for s, c in parts))
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
            content.add(np.ascontiguousarray(array, dtype=dtype).tobytes())
        return content.digits(16)
