"""Cell and basis images of Noh et al., Matter 1, 1370 (2019), and their inverse.

A crystal becomes one image of its cell and one image per element of its atoms. The cell image (32^3
voxels) is a Gaussian at the centre of the cell, on a grid that is fractional in the cell: its shape
on the grid tells lengths and angles. A basis image (64^3 voxels) holds a Gaussian for every atom of
one element, on the grid of a cubic box of 15 Angstrom, the mean of all atoms of the cell at its
centre (the published code counts every atom alike). All Gaussians exp(-d^2 / 2 w^2) have width w =
0.26 Angstrom and are cut where they fall below 0.02.

Where the origin of a crystal lies is not in its images: decoded crystals have their lowest
fractional coordinate of each axis at 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError
from gen2dft.geometry import cell_heights
from gen2dft.representations.base import DecodeResult
from gen2dft.representations.cells import lattice_parameters, lattices_from_parameters
from gen2dft.representations.image_cells import read_cells
from gen2dft.representations.image_peaks import find_peaks
from gen2dft.representations.sparse import SparseRows

WIDTH = 0.26  # Angstrom
CUT = 0.02
REACH = WIDTH * float(np.sqrt(-2 * np.log(CUT)))  # 0.727 Angstrom: beyond it a Gaussian is cut
CELL_VOXELS, BASIS_VOXELS = 32, 64
BOX = 15.0  # Angstrom
VOXEL = BOX / BASIS_VOXELS
WINDOW = np.arange(-3, 4)  # voxels about an atom that its Gaussian can reach: 3.6 of them
EDGE = 1e-6  # fractional; what lies less than this below a cell's upper face is on the lower one
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
        Local maxima below it are no atoms; what networks draw has a haze that the drawing itself
        has not.
    """

    name: ClassVar[str] = "images"
    elements: tuple[str, ...] = ("V", "O")
    max_sites: int = 20
    least_peak: float = CUT

    @cached_property
    def numbers(self) -> NDArray[np.uint8]:
        """(E,) atomic numbers of the elements."""
        from pymatgen.core import Element

        return np.array([Element(symbol).Z for symbol in self.elements], dtype=np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of a tensor."""
        return (CELL_VOXELS**3 + len(self.elements) * BASIS_VOXELS**3,)

    def misfits(self, table: CrystalTable) -> list[str | None]:
        """Why each crystal has no images, a key of `MISFITS`; None for those that have."""
        return _first_reasons(len(table), self._tests(table))

    def check(self, table: CrystalTable, refused: Collection[str] = tuple(MISFITS)) -> None:
        """Raise DatasetError naming how many crystals do not fit, why, and the first of each kind
        by index.

        Parameters
        ----------
        refused
            The reasons that count, all unless given.
        """
        reasons = np.array(self.misfits(table), dtype=object)
        problems = []
        for reason in refused:
            rows = np.flatnonzero(reasons == reason)
            if len(rows):
                problems.append(
                    f"{len(rows)} of {len(table)} crystals: {MISFITS[reason]}, e.g. index {rows[0]}"
                )
        if problems:
            limits = f"images hold {' and '.join(self.elements)}, {self.max_sites} sites at most"
            raise DatasetError(f"crystals that have no images ({limits}): {'; '.join(problems)}")

    def _tests(self, table: CrystalTable) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Reasons in the order in which they count, each with the crystals it refuses."""
        owner = np.repeat(np.arange(len(table)), table.num_sites)
        foreign = ~np.isin(table.numbers, self.numbers)
        yield "foreign_element", np.bincount(owner[foreign], minlength=len(table)) > 0
        present = [
            np.bincount(owner[table.numbers == z], minlength=len(table)) > 0 for z in self.numbers
        ]
        yield "missing_element", ~np.logical_and.reduce(present)
        yield "too_many_sites", table.num_sites > self.max_sites
        yield "flat_cell", cell_heights(table.lattices).min(axis=1, initial=np.inf) < 2 * REACH
        lattices, _ = standard_lattices(table.lattices)
        yield "long_cell", longest_of_image(lattices) > CELL_VOXELS * REACH
        lowest, highest = extremes(centred_positions(table, lattices), table.offsets)
        # The box is periodic: the last voxel before a face is the first behind it, and no atoms may
        # meet there.
        outside = np.maximum(-lowest, highest) > BOX / 2 - VOXEL
        meets = highest - lowest > BOX - 2 * REACH
        yield "larger_than_box", np.asarray((outside | meets).any(axis=1))

    def cell_images(self, table: CrystalTable) -> SparseRows:
        """Cell images, one row of 32^3 per crystal. Crystals are not checked, see `check`."""
        lattices, _ = standard_lattices(table.lattices)
        empty = np.zeros(0, dtype=np.int64)
        rows, places, values = [empty], [empty], [empty.astype(np.float64)]
        for row, (lattice, extent) in enumerate(zip(lattices, _extents(lattices), strict=True)):
            # d^2 = n G n^T / 32^2 with the metric G of the cell, for whole numbers n of voxels from
            # the centre
            axes = [np.arange(-m, m + 1) for m in extent]
            steps = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
            squares = (((steps / CELL_VOXELS) @ lattice) ** 2).sum(axis=1)
            near = squares <= REACH**2
            rows.append(np.full(near.sum(), row))
            places.append(_flat(steps[near] + CELL_VOXELS // 2, CELL_VOXELS))
            values.append(np.exp(-squares[near] / (2 * WIDTH**2)))
        entries = (np.concatenate(rows), np.concatenate(places), np.concatenate(values))
        return SparseRows.from_entries(len(table), CELL_VOXELS**3, *entries)

    def basis_images(self, table: CrystalTable) -> SparseRows:
        """Basis images, one row of 64^3 per crystal and element, elements of one crystal side by
        side.
        """
        positions = centred_positions(table, standard_lattices(table.lattices)[0]) + BOX / 2
        nearest = np.rint(positions / VOXEL).astype(np.int64)
        # exp(-(dx^2 + dy^2 + dz^2) / 2 w^2) is a product of three, each on seven voxels
        apart = (nearest[:, :, None] + WINDOW) * VOXEL - positions[:, :, None]
        parts = np.exp(-(apart**2) / (2 * WIDTH**2))
        values = (
            parts[:, 0, :, None, None] * parts[:, 1, None, :, None] * parts[:, 2, None, None, :]
        )
        voxels = (nearest[:, :, None] + WINDOW) % BASIS_VOXELS
        places = (
            voxels[:, 0, :, None, None] * BASIS_VOXELS + voxels[:, 1, None, :, None]
        ) * BASIS_VOXELS
        places = places + voxels[:, 2, None, None, :]
        kept = values >= CUT
        channel = (table.numbers[:, None] == self.numbers).argmax(axis=1)
        row = np.repeat(np.arange(len(table)), table.num_sites) * len(self.elements) + channel
        num_rows = len(table) * len(self.elements)
        rows = np.repeat(row, kept.sum(axis=(1, 2, 3)))
        return SparseRows.from_entries(num_rows, BASIS_VOXELS**3, rows, places[kept], values[kept])

    def encode(self, table: CrystalTable) -> NDArray[np.float32]:
        """(n, *shape) tensors; DatasetError names crystals that do not fit, by index."""
        self.check(table)
        out = np.zeros((len(table), *self.shape), dtype=np.float32)
        starts = np.arange(len(table)) * out.shape[1]
        self.cell_images(table).add_to(out.reshape(-1), starts, np.arange(len(table)))
        places = CELL_VOXELS**3 + np.arange(len(self.elements)) * BASIS_VOXELS**3
        basis = self.basis_images(table)
        basis.add_to(out.reshape(-1), (starts[:, None] + places).reshape(-1), np.arange(len(basis)))
        return out

    def decode(self, tensors: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, *shape) tensors; any content is allowed."""
        cells, basis = np.split(np.asarray(tensors, dtype=np.float32), [CELL_VOXELS**3], axis=1)
        return self.fitting(self.read(cells, basis.reshape(len(cells), len(self.elements), -1)))

    def read(self, cells: NDArray[np.float32], basis: NDArray[np.float32]) -> DecodeResult:
        """Crystals of (n, 32^3) cell images and (n, E, 64^3) basis images, with all peaks that are
        there.

        Sites are ordered by element, and the highest peak of an element comes first.
        """
        lattices, is_cell = read_cells(cells, CELL_VOXELS, WIDTH, CUT)
        flat = basis.reshape(len(cells) * len(self.elements), BASIS_VOXELS**3)
        peaks = find_peaks(flat, BASIS_VOXELS, self.least_peak)
        owner, channel = np.divmod(peaks.rows, len(self.elements))
        counts = np.bincount(owner, minlength=len(cells))
        finite = np.asarray(np.isfinite(cells).all(axis=1) & np.isfinite(basis).all(axis=(1, 2)))
        reasons = _first_reasons(len(cells), [
            ("non_finite", ~finite), ("bad_lattice", ~is_cell), ("no_atoms", counts == 0),
            ("too_many_sites", counts > MAX_PEAKS),
        ])  # fmt: skip
        kept = np.flatnonzero([reason is None for reason in reasons])
        wanted = np.isin(owner, kept)
        cartesian = (peaks.positions[wanted] * VOXEL) - BOX / 2
        frac = np.einsum("ni,nij->nj", cartesian, np.linalg.inv(lattices)[owner[wanted]])
        offsets = np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.int64)
        crystals = CrystalTable(lattices[kept], self.numbers[channel[wanted]], frac, offsets)
        return DecodeResult(from_lowest(crystals), kept, reasons)

    def fitting(self, result: DecodeResult) -> DecodeResult:
        """The decoded crystals that fit this representation.

        The others get their misfit as reason.
        """
        reasons = list(result.reasons)
        misfits = self.misfits(result.crystals)
        for row, misfit in zip(result.kept, misfits, strict=True):
            reasons[row] = misfit
        good = np.flatnonzero([misfit is None for misfit in misfits])
        return DecodeResult(
            result.crystals.select(good), result.kept[good], reasons, result.repairs
        )


def standard_lattices(
    lattices: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(n, 3, 3) cells with a along x and b in the xy plane, the orientation in which images are
    drawn.
    """
    return lattices_from_parameters(*lattice_parameters(lattices))


def centred_positions(table: CrystalTable, lattices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) Cartesian positions, Angstrom, of the atoms in their cells, from the mean of each
    crystal's.
    """
    owner = np.repeat(np.arange(len(table)), table.num_sites)
    frac = table.frac - np.floor(table.frac + EDGE)
    cartesian = np.einsum("ni,nij->nj", frac, lattices[owner])
    sums = [
        np.bincount(owner, weights=cartesian[:, axis], minlength=len(table)) for axis in range(3)
    ]
    return cartesian - (np.stack(sums, axis=1) / np.maximum(table.num_sites, 1)[:, None])[owner]


def from_lowest(table: CrystalTable) -> CrystalTable:
    """The same crystals, the origin moved to the lowest fractional coordinate of each axis."""
    lowest, _ = extremes(table.frac, table.offsets)
    frac = table.frac - np.repeat(lowest, table.num_sites, axis=0)
    return CrystalTable(table.lattices, table.numbers, frac - np.floor(frac), table.offsets)


def extremes(
    values: NDArray[np.float64], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.float64], ...]:
    """(n, 3) least and greatest of each crystal's (N, 3) values; 0 for a crystal without sites."""
    out = []
    for reduce in (np.minimum, np.maximum):
        found = np.zeros((len(offsets) - 1, 3))
        filled = np.diff(offsets) > 0
        if len(values):
            found[filled] = reduce.reduceat(values, offsets[:-1][filled], axis=0)
        out.append(found)
    return tuple(out)


def longest_of_image(lattices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) longest of three edges and, for each face, its shorter diagonal, Angstrom: what a cell
    image must show.
    """
    after = lattices[:, [1, 2, 0]]
    edges = np.linalg.norm(lattices, axis=2)
    diagonals = np.minimum(
        np.linalg.norm(lattices + after, axis=2), np.linalg.norm(lattices - after, axis=2)
    )
    return np.concatenate([edges, diagonals], axis=1).max(axis=1, initial=0.0)


def _extents(lattices: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n, 3) voxels from the centre that the Gaussian can reach along each axis: 32 reach / height
    of the cell.
    """
    return np.minimum(
        np.floor(CELL_VOXELS * REACH / cell_heights(lattices)), CELL_VOXELS // 2 - 1
    ).astype(np.int64)


def _first_reasons(count: int, tests: Iterable[tuple[str, NDArray[np.bool_]]]) -> list[str | None]:
    """For each of `count` things the first reason that refuses it."""
    reasons = np.full(count, None, dtype=object)
    for reason, refused in tests:
        reasons[refused & (reasons == None)] = reason  # noqa: E711 - elementwise
    return list(reasons)


def _flat(voxels: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return (voxels[:, 0] * size + voxels[:, 1]) * size + voxels[:, 2]
