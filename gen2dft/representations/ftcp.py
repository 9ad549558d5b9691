"""FTCP: Fourier-transformed crystal properties, Ren et al., arXiv:2005.07609 (Matter 5, 314, 2022).

One crystal is a matrix. With 103 elements, 3 element columns and 20 sites it is 240 x 62:

| rows | real-space columns (3) | reciprocal columns (59) |
|---|---|---|
| 103 elements | one-hot element of each element column | 0 |
| 2 lattice | a, b, c in Angstrom; alpha, beta, gamma in degree | 0 |
| 20 coordinates | fractional x, y, z in [0, 1) | 0 |
| 20 occupancy | one-hot element column of each site | 0 |
| 1 | 0 | abs(g) in 1/Angstrom, without 2 pi |
| 92 properties | property vector Z of each element column | abs(F(hkl)), F = sum_i Z_i exp(-2 pi i
(hx + ky + lz)) |
| padding to a multiple of 4 | 0 | 0 |

Three things differ from the published code, on purpose. The exponential is there; the complex F is
stored as its modulus, which does not change when the origin moves. "Empty" is a class of its own:
an element column without element and a site without atom are zero, and what sums to less than one
half is read as empty, so that it is never mistaken for the first element. And the order is
canonical: element columns by rising Pauling electronegativity, sites by element column, then x, y,
z.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError
from gen2dft.representations.base import DecodeResult
from gen2dft.representations.cells import lattice_parameters, lattices_from_parameters
from gen2dft.representations.element_features import (
    NUM_FEATURES,
    electronegativity_order,
    element_features,
)

NUM_HKL = 59
CHUNK = 512
# Positions are compared on this grid when sites are sorted, so that rounding noise does not reorder
# them. The shift keeps the usual fractions (1/16, 1/3, ...) away from the steps of the grid.
SORT_GRID = 1000
SORT_SHIFT = 0.623
MAX_ATOMIC_NUMBER = 118
EMPTY_BELOW = 0.5  # sum of the weights of an element column or site


def reciprocal_points() -> NDArray[np.int64]:
    """(59, 3) Miller indices nearest the origin, by |h|+|k|+|l|, then -h, -k, -l.

    The origin is left out.
    """
    span = range(-3, 4)
    points = [
        (h, k, m) for h in span for k in span for m in span if 0 < abs(h) + abs(k) + abs(m) <= 3
    ]
    points.sort(key=lambda p: (sum(map(abs, p)), -p[0], -p[1], -p[2]))
    return np.array(points[:NUM_HKL], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class FTCP:
    """The FTCP matrix and its inverse; a `Representation`.

    Parameters
    ----------
    elements
        Atomic numbers that a crystal may hold; one row each.
    max_elements
        Largest number of different elements in a crystal.
    max_sites
        Largest number of sites in a cell.
    fourier
        `modulus`: abs(F(hkl)) as in the table above. `published_code`: sum_i Z_i pi (hx + ky + lz),
        which the published code computes, without an exponential; for comparison only.
    features
        (len(elements), 92) property vectors; taken from `element_features` unless given (a stored
        generator brings those it was trained with).
    """

    name: ClassVar[str] = "ftcp"

    elements: tuple[int, ...] = tuple(range(1, 104))
    max_elements: int = 3
    max_sites: int = 20
    fourier: Literal["modulus", "published_code"] = "modulus"
    # set below
    features: NDArray[np.float32] = field(default=None, repr=False)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        if self.features is None:
            object.__setattr__(self, "features", element_features(self.elements))
        if self.features.shape != (len(self.elements), NUM_FEATURES):
            raise ValueError(
                f"features {self.features.shape} do not fit {len(self.elements)} elements"
            )

    # -- layout
    # --------------------------------------------------------------------------------------------

    @property
    def real_columns(self) -> int:
        """Columns of the real-space part; x, y, z need three."""
        return max(3, self.max_elements)

    @property
    def element_rows(self) -> slice:
        """Rows of the element columns."""
        return slice(0, len(self.elements))

    @property
    def lattice_rows(self) -> slice:
        """Rows of lengths and angles."""
        return slice(self.element_rows.stop, self.element_rows.stop + 2)

    @property
    def coordinate_rows(self) -> slice:
        """Rows of fractional coordinates, one per site."""
        return slice(self.lattice_rows.stop, self.lattice_rows.stop + self.max_sites)

    @property
    def occupancy_rows(self) -> slice:
        """Rows of the element column of each site."""
        return slice(self.coordinate_rows.stop, self.coordinate_rows.stop + self.max_sites)

    @property
    def g_row(self) -> int:
        """Row of abs(g)."""
        return self.occupancy_rows.stop

    @property
    def property_rows(self) -> slice:
        """Rows of element property vectors and of the structure factors made of them."""
        return slice(self.g_row + 1, self.g_row + 1 + NUM_FEATURES)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of one crystal's matrix."""
        return -(-self.property_rows.stop // 4) * 4, self.real_columns + NUM_HKL

    # -- crystals to matrices
    # ----------------------------------------------------------------------------------

    def encode(self, table: CrystalTable) -> NDArray[np.float32]:
        """Matrices of crystals.

        Returns
        -------
        (n, rows, columns) float32.

        Raises
        ------
        DatasetError
            If a crystal has too many sites or elements, an element outside the vocabulary, or a
            cell without volume; the message names the first few by index.
        """
        self.check(table)
        out = np.zeros((len(table), *self.shape), dtype=np.float32)
        for start in range(0, len(table), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(table)))
            self._encode_chunk(table.select(rows), out[start : start + CHUNK])
        return out

    def check(self, table: CrystalTable) -> None:
        """Raise DatasetError where crystals do not fit into the matrix."""
        for problem, rows in self.problems(table).items():
            if len(rows):
                first = ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "")
                raise DatasetError(
                    f"{len(rows)} of {len(table)} crystals cannot be written as FTCP: {problem} "
                    f"(index {first}); "
                    "leave them out of the dataset or use a larger representation"
                )

    def problems(self, table: CrystalTable) -> dict[str, NDArray[np.int64]]:
        """What keeps crystals from being encoded, and the indices of those crystals."""
        present = self._presence(table)
        known = np.zeros(MAX_ATOMIC_NUMBER + 1, dtype=bool)
        known[list(self.elements)] = True
        bad_cell = ~np.isfinite(table.lattices).all(axis=(1, 2)) | ~(table.volumes > 1e-6)
        owner = np.repeat(np.arange(len(table)), table.num_sites)
        bad_cell[owner[~np.isfinite(table.frac).all(axis=1)]] = True
        bad = {
            "no sites": table.num_sites == 0,
            f"more than {self.max_sites} sites": table.num_sites > self.max_sites,
            f"more than {self.max_elements} elements": present.sum(axis=1) > self.max_elements,
            "an element outside the vocabulary": (present & ~known).any(axis=1),
            "a cell without volume or a position that is not a number": bad_cell,
        }
        return {problem: np.flatnonzero(mask) for problem, mask in bad.items()}

    def _presence(self, table: CrystalTable) -> NDArray[np.bool_]:
        """(n, 119) whether crystal `i` holds the element of that atomic number."""
        present = np.zeros((len(table), MAX_ATOMIC_NUMBER + 1), dtype=bool)
        present[np.repeat(np.arange(len(table)), table.num_sites), table.numbers] = True
        return present

    @cached_property
    def element_rank(self) -> NDArray[np.int64]:
        """(119,) place of each atomic number in the canonical order of element columns."""
        order = [*electronegativity_order(range(1, MAX_ATOMIC_NUMBER + 1)), 0]  # 0 is no element
        return np.argsort(order)

    @cached_property
    def _row_of(self) -> NDArray[np.int64]:
        """(119,) row of each atomic number in the element block."""
        row = np.zeros(MAX_ATOMIC_NUMBER + 1, dtype=np.int64)
        row[list(self.elements)] = np.arange(len(self.elements))
        return row

    def _encode_chunk(self, table: CrystalTable, out: NDArray[np.float32]) -> None:
        crystal = np.repeat(np.arange(len(table)), table.num_sites)
        column = self._element_column(table, crystal)
        frac = table.frac - np.floor(table.frac)
        frac = np.where(frac.astype(np.float32) >= 1.0, 0.0, frac)
        # x, y, z are compared modulo 1 on a grid: 0.9999999 is the same place as 0.
        grid = np.floor(frac * SORT_GRID + SORT_SHIFT).astype(np.int64) % SORT_GRID
        order = np.lexsort((grid[:, 2], grid[:, 1], grid[:, 0], column, crystal))
        column, frac, numbers = column[order], frac[order], table.numbers[order]
        site = np.arange(len(crystal)) - table.offsets[crystal]

        out[crystal, self._row_of[numbers], column] = 1.0
        lengths, angles = lattice_parameters(table.lattices)
        out[:, self.lattice_rows.start, :3] = lengths
        out[:, self.lattice_rows.start + 1, :3] = angles
        out[crystal, self.coordinate_rows.start + site, :3] = frac
        out[crystal, self.occupancy_rows.start + site, column] = 1.0
        self._write_reciprocal(table.lattices, out)

    def _element_column(self, table: CrystalTable, crystal: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) element column of each site: how many elements of its crystal come before its
        own.
        """
        present = self._presence(table)[:, np.argsort(self.element_rank)]
        return (np.cumsum(present, axis=1) - 1)[crystal, self.element_rank[table.numbers]]

    def _write_reciprocal(self, lattices: NDArray[np.float64], out: NDArray[np.float32]) -> None:
        """Fill abs(g), the property vectors and the structure factors from the blocks already
        written.
        """
        hkl, back = _without_friedel_mates() if self.fourier == "modulus" else _all_points()
        real = self.real_columns
        # g = h a* + k b* + l c*, the rows of the reciprocal lattice being a*, b*, c*.
        g = hkl @ np.linalg.inv(lattices).transpose(0, 2, 1)
        out[:, self.g_row, real:] = np.linalg.norm(g, axis=2)[:, back]
        chosen = out[:, self.element_rows, : self.max_elements]
        vectors = np.einsum("nec->nce", chosen) @ self.features
        properties = out[:, self.property_rows]
        properties[:, :, : self.max_elements] = vectors.transpose(0, 2, 1)
        factors = self._structure_factors(vectors, out, hkl)
        properties[:, :, real:] = factors[:, :, back]

    def _structure_factors(
        self, vectors: NDArray[np.float32], out: NDArray[np.float32], hkl: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """(n, 92, len(hkl)) abs(sum_i Z_i exp(-2 pi i (hx + ky + lz))), arXiv:2005.07609, eq. (1).

        All sites of one element share Z, so the phases are summed per element column first.
        """
        phase = out[:, self.coordinate_rows, :3] @ (-2.0 * np.pi * hkl.T).astype(np.float32)
        occupancy = out[:, self.occupancy_rows, : self.max_elements].transpose(0, 2, 1)
        weights = vectors.transpose(0, 2, 1)
        if self.fourier == "published_code":
            return weights @ (occupancy @ (-0.5 * phase))
        cosine, sine = (weights @ (occupancy @ wave(phase)) for wave in (np.cos, np.sin))
        return np.sqrt(cosine**2 + sine**2)

    # -- matrices to crystals
    # ----------------------------------------------------------------------------------

    def decode(self, tensors: NDArray[np.floating]) -> DecodeResult:
        """Crystals of matrices; the reciprocal part is not read.

        Element columns and sites whose weights sum to less than one half are empty; the others take
        their heaviest class, a site only one whose column holds an element. An element that no site
        uses is dropped. Positions are wrapped into [0, 1), the cell is set up with a along x and b
        in the xy plane.

        Parameters
        ----------
        tensors
            (n, rows, columns) matrices, true or made by a network; any content is allowed.
        """
        real = np.asarray(tensors)[:, : self.g_row, : self.real_columns].astype(np.float64)
        species = self._species(real)
        lengths, angles = (
            real[:, row, :3] for row in range(self.lattice_rows.start, self.lattice_rows.stop)
        )
        lattices, is_cell = lattices_from_parameters(lengths, angles)
        faults = {
            "non_finite": ~np.all(np.isfinite(real), axis=(1, 2)),
            "bad_lattice": ~is_cell,
            "no_atoms": np.all(species == 0, axis=1),
        }
        reasons = [
            next((name for name, rows in faults.items() if rows[i]), None) for i in range(len(real))
        ]
        kept = np.flatnonzero([reason is None for reason in reasons]).astype(np.int64)
        return DecodeResult(self._table(lattices[kept], species[kept], real[kept]), kept, reasons)

    def _species(self, real: NDArray[np.float64]) -> NDArray[np.int64]:
        """(n, max_sites) atomic number of each site, 0 where it is empty."""
        real = np.nan_to_num(real, nan=0.0, posinf=0.0, neginf=0.0)
        numbers = np.array([0, *self.elements])
        held = numbers[
            heaviest_class(real[:, self.element_rows, : self.max_elements].transpose(0, 2, 1))
        ]
        weights = real[:, self.occupancy_rows, : self.max_elements]
        allowed = np.broadcast_to((held > 0)[:, None, :], weights.shape)
        column = heaviest_class(weights, allowed)
        held_or_empty = np.concatenate([np.zeros((len(held), 1), held.dtype), held], axis=1)
        return np.take_along_axis(held_or_empty, column, axis=1)

    def _table(
        self, lattices: NDArray[np.float64], species: NDArray[np.int64], real: NDArray[np.float64]
    ) -> CrystalTable:
        atoms: NDArray[np.bool_] = species > 0
        frac = real[:, self.coordinate_rows, :3][atoms]
        frac = frac - np.floor(frac)
        frac[frac >= 1.0] = 0.0  # -1e-17 wraps to exactly 1
        offsets = np.concatenate([[0], np.cumsum(atoms.sum(axis=1))]).astype(np.int64)
        return CrystalTable(lattices, species[atoms].astype(np.uint8), frac, offsets)


def heaviest_class(
    weights: NDArray[np.floating], allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Heaviest class along the last axis, counted from 1.

    0 is "empty": the weights sum to less than one half.

    Whether there is anything comes first: a network that wavers between two elements is not in
    doubt that there is one.

    Parameters
    ----------
    allowed
        Classes to choose among, of the shape of the weights; all without it.
    """
    chosen = weights if allowed is None else np.where(allowed, weights, -np.inf)
    return np.where(weights.sum(axis=-1) < EMPTY_BELOW, 0, chosen.argmax(axis=-1) + 1)


def _without_friedel_mates() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Points of which no two are each other's inverse, and for each of the 59 the place of its
    value in them.

    abs(F(-h)) = abs(F(h)) for real Z, and so is abs(g): half of the work can be saved.
    """
    points = reciprocal_points()
    upper = np.array([max((h, k, m), (-h, -k, -m)) for h, k, m in points.tolist()])
    unique, back = np.unique(upper, axis=0, return_inverse=True)
    return unique, back.reshape(-1)


def _all_points() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The 59 points, each in its own place."""
    return reciprocal_points(), np.arange(NUM_HKL)
