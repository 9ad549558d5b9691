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
an element column without element and a site without atom are zero, and a sum below one half is
read as empty, so that it is never mistaken for the first element. And the order is canonical:
element columns by rising Pauling electronegativity, sites by element column, then x, y, z.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError
from gen2dft.representations.base import DecodeResult, accepted_rows, first_reasons
from gen2dft.representations.cells import lattice_parameters, lattices_from_parameters
from gen2dft.representations.element_features import NUM_FEATURES, element_features
from gen2dft.representations.ftcp_layout import FTCPLayout
from gen2dft.representations.ftcp_sites import (
    MAX_ATOMIC_NUMBER,
    element_rank,
    ordered_sites,
    presence,
)
from gen2dft.representations.indexing import offsets_of, row_chunks, site_owners
from gen2dft.representations.reciprocal import all_points, without_friedel_mates

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

CHUNK = 512  # crystals at a time: the arrays between table and matrices stay in the cache
EMPTY_BELOW = 0.5  # sum of the weights of an element column or site
LEAST_VOLUME = 1e-6  # Angstrom^3


@dataclass(frozen=True, eq=False)
class FTCP(FTCPLayout):
    """The FTCP matrix and its inverse; a `Representation`.

    Parameters
    ----------
    elements, max_elements, max_sites
        See `FTCPLayout`.
    fourier
        `modulus`: abs(F(hkl)) as in the table above. `published_code`: sum_i Z_i pi (hx + ky + lz),
        which the published code computes, without an exponential; for comparison only.
    features
        (len(elements), 92) property vectors; taken from `element_features` unless given (a stored
        generator brings those it was trained with).
    """

    name: ClassVar[str] = "ftcp"

    fourier: Literal["modulus", "published_code"] = "modulus"
    # set below
    features: Singles = field(default=None, repr=False)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        num_elements = len(self.elements)
        if self.features is None:
            object.__setattr__(self, "features", element_features(self.elements))
        if self.features.shape != (num_elements, NUM_FEATURES):
            raise ValueError(f"features {self.features.shape} do not fit {num_elements} elements")

    # -- crystals to matrices
    # ----------------------------------------------------------------------------------

    def encode(self, table: CrystalTable) -> Singles:
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
        shape = (len(table), *self.shape)
        out = np.zeros(shape, dtype=np.float32)
        for rows in row_chunks(len(table), CHUNK):
            chunk = out[rows[0] : rows[-1] + 1]
            self._write(table.select(rows), chunk)
        return out

    def check(self, table: CrystalTable) -> None:
        """Raise DatasetError where crystals do not fit into the matrix."""
        for problem, rows in self.problems(table).items():
            if len(rows):
                raise DatasetError(_misfit(problem, rows, len(table)))

    def problems(self, table: CrystalTable) -> dict[str, Indices]:
        """Reasons why crystals cannot be encoded, each with the indices of those crystals."""
        found = {}
        for problem, has_problem in self._tests(table):
            found[problem] = np.flatnonzero(has_problem)
        return found

    def _tests(self, table: CrystalTable) -> Iterator[tuple[str, Flags]]:
        """Problems, each with the (n,) crystals that have it."""
        num_sites = table.num_sites
        yield "no sites", num_sites == 0
        yield f"more than {self.max_sites} sites", num_sites > self.max_sites
        present = presence(table)
        num_elements = present.sum(axis=1)
        yield f"more than {self.max_elements} elements", num_elements > self.max_elements
        present[:, self.elements] = False
        has_foreign = np.any(present, axis=1)
        yield "an element outside the vocabulary", has_foreign
        yield "a cell without volume or a position that is not a number", _is_broken(table)

    @property
    def element_rank(self) -> Indices:
        """(119,) place of each atomic number in the canonical order of element columns."""
        return element_rank()

    @cached_property
    def _row_of(self) -> Indices:
        """(119,) row of each atomic number in the element block."""
        row = np.zeros(MAX_ATOMIC_NUMBER + 1, dtype=np.int64)
        row[[*self.elements]] = range(len(self.elements))
        return row

    def _write(self, table: CrystalTable, out: Singles) -> None:
        """Fill matrices of zeros."""
        lengths, angles = lattice_parameters(table.lattices)
        self.lengths(out)[:] = lengths
        self.angles(out)[:] = angles
        sites = ordered_sites(table)
        where = (sites.crystal, sites.place)
        self.coordinates(out)[where] = sites.frac
        self.occupancy(out)[*where, sites.column] = 1.0
        row = self._row_of[sites.numbers]
        self.element_columns(out)[sites.crystal, row, sites.column] = 1.0
        self._write_reciprocal(table.lattices, out)

    def _write_reciprocal(self, lattices: Floats, out: Singles) -> None:
        """Fill abs(g), the property vectors and the structure factors from the blocks already
        written.
        """
        points = without_friedel_mates if self.fourier == "modulus" else all_points
        hkl, place = points()
        lengths = _reciprocal_lengths(hkl, lattices)
        self.g_lengths(out)[:] = lengths[:, place]
        chosen = self.element_columns(out).transpose(0, 2, 1)
        vectors = chosen @ self.features
        vectors = vectors.transpose(0, 2, 1)
        self.property_vectors(out)[:] = vectors
        factors = self._factors(vectors, out, hkl)
        self.structure_factors(out)[:] = factors[:, :, place]

    def _factors(self, vectors: Singles, out: Singles, hkl: Indices) -> Singles:
        """(n, 92, len(hkl)) abs(sum_i Z_i exp(-2 pi i (hx + ky + lz))), arXiv:2005.07609, eq. (1).

        All sites of one element share Z, so the phases are summed per element column first.

        Parameters
        ----------
        vectors
            (n, 92, max_elements) Z of each element column.
        """
        occupancy = self.occupancy(out).transpose(0, 2, 1)

        def summed(waves: Singles) -> Singles:
            of_columns = occupancy @ waves
            return vectors @ of_columns

        per_point = (-2.0 * np.pi * hkl.T).astype(np.float32)
        phase = self.coordinates(out) @ per_point
        if self.fourier == "published_code":
            return summed(-0.5 * phase)
        cosine = summed(np.cos(phase))
        sine = summed(np.sin(phase))
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
        matrices = np.asarray(tensors)
        real = self.real_part(matrices).astype(np.float64)
        is_finite = np.isfinite(real).all(axis=(1, 2))
        lengths = self.lengths(real)
        angles = self.angles(real)
        lattices, is_cell = lattices_from_parameters(lengths, angles)
        species = self._species(real)
        has_atoms = species.any(axis=1)
        faults = {"non_finite": ~is_finite, "bad_lattice": ~is_cell, "no_atoms": ~has_atoms}
        reasons = first_reasons(len(real), faults.items())
        kept = accepted_rows(reasons)
        crystals = self._crystals(lattices[kept], species[kept], real[kept])
        return DecodeResult(crystals, kept, reasons)

    def _species(self, real: Floats) -> Indices:
        """(n, max_sites) atomic number of each site, 0 where it is empty."""
        finite = np.nan_to_num(real, nan=0.0, posinf=0.0, neginf=0.0)
        held = self._held_elements(finite)
        weights = self.occupancy(finite)
        # A site may not choose a column that holds no element.
        allowed = np.broadcast_to(held[:, None, :] > 0, weights.shape)
        column = heaviest_class(weights, allowed)
        nothing = np.zeros((len(held), 1), held.dtype)
        nothing_or_held = np.concatenate([nothing, held], axis=1)
        return np.take_along_axis(nothing_or_held, column, axis=1)

    def _held_elements(self, finite: Floats) -> Indices:
        """(n, max_elements) atomic number of each element column, 0 where it is empty."""
        weights = self.element_columns(finite).transpose(0, 2, 1)
        numbers = np.array([0, *self.elements])
        return numbers[heaviest_class(weights)]

    def _crystals(self, lattices: Floats, species: Indices, real: Floats) -> CrystalTable:
        """Crystals of (n, 3, 3) lattices, (n, max_sites) species and real-space parts."""
        is_atom = species > 0
        frac = self.coordinates(real)[is_atom]
        frac -= np.floor(frac)
        frac[frac >= 1.0] = 0.0  # -1e-17 wraps to exactly 1
        numbers = species[is_atom].astype(np.uint8)
        offsets = offsets_of(is_atom.sum(axis=1))
        return CrystalTable(lattices, numbers, frac, offsets)


def heaviest_class(weights: NDArray[np.floating], allowed: Flags | None = None) -> Indices:
    """Heaviest class along the last axis, counted from 1.

    0 is "empty": the weights sum to less than one half. This is decided first: a network that
    wavers between two elements is not in doubt that there is one.

    Parameters
    ----------
    allowed
        Classes to choose among, of the shape of the weights; all unless given.
    """
    is_empty = weights.sum(axis=-1) < EMPTY_BELOW
    candidates = weights
    if allowed is not None:
        candidates = np.where(allowed, weights, -np.inf)
    heaviest = candidates.argmax(axis=-1) + 1
    return np.where(is_empty, 0, heaviest)


def _misfit(problem: str, rows: Indices, total: int) -> str:
    first = ", ".join(map(str, rows[:5]))
    if len(rows) > 5:
        first += ", ..."
    return (
        f"{len(rows)} of {total} crystals cannot be written as FTCP: {problem} (index {first}); "
        "leave them out of the dataset or use a larger representation"
    )


def _is_broken(table: CrystalTable) -> Flags:
    """(n,) crystals with a flat cell, or with NaN or infinity in cell or positions."""
    is_finite = np.isfinite(table.lattices).all(axis=(1, 2))
    has_volume = table.volumes > LEAST_VOLUME
    is_placed = np.isfinite(table.frac).all(axis=1)
    broken = ~(is_finite & has_volume)
    owner = site_owners(table)
    broken[owner[~is_placed]] = True
    return broken


def _reciprocal_lengths(hkl: Indices, lattices: Floats) -> Floats:
    """(n, len(hkl)) abs(g), g = h a* + k b* + l c*, 1/Angstrom without 2 pi."""
    # The rows of the transposed inverse are a*, b*, c*.
    reciprocal = np.linalg.inv(lattices).transpose(0, 2, 1)
    return np.linalg.norm(hkl @ reciprocal, axis=2)
