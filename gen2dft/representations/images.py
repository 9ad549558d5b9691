"""Cell and basis images of Noh et al., Matter 1, 1370 (2019), and their inverse.

A crystal becomes one image of its cell and one image per element of its atoms. The cell image (32^3
voxels) is a Gaussian at the centre of the cell, on a grid that is fractional in the cell: its shape
on the grid tells lengths and angles. A basis image (64^3 voxels) holds a Gaussian for every atom of
one element, on the grid of a cubic box of 15 Angstrom, the mean of all atoms of the cell at its
centre (the published code counts every atom alike). All Gaussians exp(-d^2 / 2 w^2) have width w =
0.26 Angstrom and are cut where they fall below 0.02.

The origin of a crystal is not in its images: decoded crystals have their lowest fractional
coordinate of each axis at 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError
from gen2dft.geometry import cell_heights
from gen2dft.representations.base import DecodeResult, accepted_rows, first_reasons
from gen2dft.representations.image_cells import read_cells
from gen2dft.representations.image_drawing import draw_atoms, draw_cells
from gen2dft.representations.image_grids import (
    BASIS_VOXELS,
    BOX,
    CELL_VOXELS,
    CUT,
    REACH,
    VOXEL,
    WIDTH,
)
from gen2dft.representations.image_peaks import Peaks, find_peaks
from gen2dft.representations.image_placing import (
    centred_positions,
    extremes,
    from_lowest,
    longest_of_image,
    standard_lattices,
)
from gen2dft.representations.indexing import offsets_of, site_owners
from gen2dft.representations.sparse import SparseRows

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Images = NDArray[np.float32]

MAX_PEAKS = 200  # more of them in one crystal are noise
MISFITS: dict[str, str] = {
    "foreign_element": "it holds other elements",
    "missing_element": "it does not hold all the elements",
    "too_many_sites": "it has more sites",
    "flat_cell": f"two faces of its cell are closer than {2 * REACH:.2f} Angstrom",
    "long_cell": f"an edge or face diagonal of its cell is longer than {CELL_VOXELS * REACH:.1f} "
    "Angstrom",
    "larger_than_box": f"its atoms reach beyond the box of {BOX:g} Angstrom, or nearly from face "
    "to face",
}


@dataclass(frozen=True)
class CrystalImages:
    """Crystals of a few elements as images, and back; a `Representation`.

    A tensor is the cell image followed by one basis image per element, flat.

    Parameters
    ----------
    elements
        Symbols of the elements, in the order of their basis images; a crystal holds all of them and
        no other.
    max_sites
        Most atoms that a crystal may have.
    least_peak
        Local maxima below it are no atoms; images drawn by networks have a haze that true images
        have not.
    """

    name: ClassVar[str] = "images"
    elements: tuple[str, ...] = ("V", "O")
    max_sites: int = 20
    least_peak: float = CUT

    @cached_property
    def numbers(self) -> NDArray[np.uint8]:
        """(E,) atomic numbers of the elements."""
        from pymatgen.core import Element

        numbers = [Element(symbol).Z for symbol in self.elements]
        return np.array(numbers, dtype=np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of a tensor."""
        basis = len(self.elements) * BASIS_VOXELS**3
        return (CELL_VOXELS**3 + basis,)

    # -- which crystals have images
    # ----------------------------------------------------------------------------------

    def misfits(self, table: CrystalTable) -> list[str | None]:
        """Why each crystal has no images, a key of `MISFITS`; None for those that have."""
        return first_reasons(len(table), self._tests(table))

    def check(self, table: CrystalTable, refused: Collection[str] = tuple(MISFITS)) -> None:
        """Raise DatasetError naming how many crystals do not fit, why, and the first of each kind
        by index.

        Parameters
        ----------
        refused
            The reasons that count, all unless given.
        """
        misfits = self.misfits(table)
        problems = []
        for reason in refused:
            count = misfits.count(reason)
            if count:
                share = f"{count} of {len(table)} crystals"
                first = misfits.index(reason)
                problems.append(f"{share}: {MISFITS[reason]}, e.g. index {first}")
        if problems:
            limits = f"images hold {' and '.join(self.elements)}, {self.max_sites} sites at most"
            raise DatasetError(f"crystals that have no images ({limits}): {'; '.join(problems)}")

    def _tests(self, table: CrystalTable) -> Iterator[tuple[str, Flags]]:
        """Reasons in the order in which they count, each with the crystals it refuses."""
        is_known = np.isin(table.numbers, self.numbers)
        yield "foreign_element", _crystals_of(table, ~is_known)
        is_missing = np.zeros(len(table), dtype=bool)
        for number in self.numbers:
            present = _crystals_of(table, table.numbers == number)
            is_missing |= ~present
        yield "missing_element", is_missing
        yield "too_many_sites", table.num_sites > self.max_sites
        heights = cell_heights(table.lattices)
        least = heights.min(axis=1, initial=np.inf)
        yield "flat_cell", least < 2 * REACH
        lattices, _ = standard_lattices(table.lattices)
        yield "long_cell", longest_of_image(lattices) > CELL_VOXELS * REACH
        yield "larger_than_box", _exceeds_box(table, lattices)

    # -- crystals to images
    # ----------------------------------------------------------------------------------

    def cell_images(self, table: CrystalTable) -> SparseRows:
        """Cell images, one row of 32^3 per crystal. Crystals are not checked, see `check`."""
        return draw_cells(table)

    def basis_images(self, table: CrystalTable) -> SparseRows:
        """Basis images, one row of 64^3 per crystal and element, elements of one crystal side by
        side. Crystals are not checked, see `check`.
        """
        return draw_atoms(table, self.numbers)

    def encode(self, table: CrystalTable) -> Images:
        """(n, *shape) tensors; DatasetError gives the indices of crystals that do not fit."""
        self.check(table)
        shape = (len(table), *self.shape)
        out = np.zeros(shape, dtype=np.float32)
        flat = out.reshape(-1)
        crystals = np.arange(len(table))
        starts = crystals * out.shape[1]
        self.cell_images(table).add_to(flat, starts, crystals)
        basis = self.basis_images(table)
        starts += CELL_VOXELS**3
        for channel in range(len(self.elements)):
            rows = crystals * len(self.elements) + channel
            basis.add_to(flat, starts, rows)
            starts += BASIS_VOXELS**3
        return out

    # -- images to crystals
    # ----------------------------------------------------------------------------------

    def decode(self, tensors: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, *shape) tensors; any content is allowed."""
        images = np.asarray(tensors, dtype=np.float32)
        cells, basis = np.split(images, [CELL_VOXELS**3], axis=1)
        by_element = basis.reshape(-1, len(self.elements), BASIS_VOXELS**3)
        decoded = self.read(cells, by_element)
        return self.fitting(decoded)

    def read(self, cells: Images, basis: Images) -> DecodeResult:
        """Crystals of (n, 32^3) cell images and (n, E, 64^3) basis images, with all their peaks.

        Sites are ordered by element, and the highest peak of an element comes first.
        """
        lattices, is_cell = read_cells(cells, CELL_VOXELS, WIDTH, CUT)
        flat = basis.reshape(-1, BASIS_VOXELS**3)
        peaks = find_peaks(flat, BASIS_VOXELS, self.least_peak)
        crystals = self._crystals(lattices, peaks)
        num_sites = crystals.num_sites
        faults = {
            "non_finite": ~_are_finite(cells, basis),
            "bad_lattice": ~is_cell,
            "no_atoms": num_sites == 0,
            "too_many_sites": num_sites > MAX_PEAKS,
        }
        reasons = first_reasons(len(cells), faults.items())
        kept = accepted_rows(reasons)
        decoded = from_lowest(crystals.select(kept))
        return DecodeResult(decoded, kept, reasons)

    def _crystals(self, lattices: Floats, peaks: Peaks) -> CrystalTable:
        """(n,) crystals with an atom at each peak of their basis images."""
        owner, channel = np.divmod(peaks.rows, len(self.elements))
        cartesian = peaks.positions * VOXEL - BOX / 2
        inverse = np.linalg.inv(lattices)
        frac = np.einsum("ni,nij->nj", cartesian, inverse[owner])
        numbers = self.numbers[channel]
        num_sites = np.bincount(owner, minlength=len(lattices))
        return CrystalTable(lattices, numbers, frac, offsets_of(num_sites))

    def fitting(self, result: DecodeResult) -> DecodeResult:
        """The decoded crystals that fit this representation.

        The others get their misfit as reason.
        """
        misfits = self.misfits(result.crystals)
        reasons = list(result.reasons)
        for row, misfit in zip(result.kept, misfits, strict=True):
            reasons[row] = misfit
        good = accepted_rows(misfits)
        crystals = result.crystals.select(good)
        return DecodeResult(crystals, result.kept[good], reasons, result.repairs)


def _crystals_of(table: CrystalTable, sites: Flags) -> Flags:
    """(n,) crystals that own one of the flagged (N,) sites."""
    owner = site_owners(table)
    counts = np.bincount(owner[sites], minlength=len(table))
    return counts > 0


def _exceeds_box(table: CrystalTable, lattices: Floats) -> Flags:
    """(n,) crystals whose atoms leave the box or, since it is periodic, meet across its faces."""
    positions = centred_positions(table, lattices)
    lowest, highest = extremes(positions, table.offsets)
    farthest = np.maximum(-lowest, highest)
    # The last voxel before a face is the first behind it.
    is_outside = farthest > BOX / 2 - VOXEL
    span = highest - lowest
    exceeds = is_outside | (span > BOX - 2 * REACH)
    return np.any(exceeds, axis=1)


def _are_finite(cells: Images, basis: Images) -> Flags:
    """(n,) whether all voxels of a crystal's images are numbers."""
    finite_cells = np.isfinite(cells).all(axis=1)
    finite_basis = np.isfinite(basis).all(axis=(1, 2))
    return np.logical_and(finite_cells, finite_basis)
