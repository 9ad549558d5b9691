"""Where each part of an FTCP matrix stands; the table is in `gen2dft.representations.ftcp`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gen2dft.representations.element_features import NUM_FEATURES
from gen2dft.representations.reciprocal import NUM_HKL

# (n, rows, columns): an array or a Keras tensor; all that is done with it here is slicing.
Matrices = Any


@dataclass(frozen=True, eq=False)
class FTCPLayout:
    """Rows and columns of an FTCP matrix, and views of its parts.

    Views of an array share its memory: writing to one writes the matrix.

    Parameters
    ----------
    elements
        Atomic numbers that a crystal may hold; one row each.
    max_elements
        Largest number of different elements in a crystal.
    max_sites
        Largest number of sites in a cell.
    """

    elements: tuple[int, ...] = tuple(range(1, 104))
    max_elements: int = 3
    max_sites: int = 20

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
        start = self.element_rows.stop
        return slice(start, start + 2)

    @property
    def coordinate_rows(self) -> slice:
        """Rows of fractional coordinates, one per site."""
        start = self.lattice_rows.stop
        return slice(start, start + self.max_sites)

    @property
    def occupancy_rows(self) -> slice:
        """Rows of the element column of each site."""
        start = self.coordinate_rows.stop
        return slice(start, start + self.max_sites)

    @property
    def g_row(self) -> int:
        """Row of abs(g)."""
        return self.occupancy_rows.stop

    @property
    def property_rows(self) -> slice:
        """Rows of element property vectors and of the structure factors made of them."""
        start = self.g_row + 1
        return slice(start, start + NUM_FEATURES)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of one crystal's matrix."""
        used = self.property_rows.stop
        # Two convolutions of stride 2 halve the rows twice.
        rows = -(-used // 4) * 4
        return rows, self.real_columns + NUM_HKL

    def real_part(self, matrices: Matrices) -> Matrices:
        """(n, g_row, real_columns): all that a crystal is read from."""
        return matrices[:, : self.g_row, : self.real_columns]

    def element_columns(self, matrices: Matrices) -> Matrices:
        """(n, elements, max_elements): one-hot element of each element column."""
        return matrices[:, self.element_rows, : self.max_elements]

    def lengths(self, matrices: Matrices) -> Matrices:
        """(n, 3): a, b, c, Angstrom."""
        return matrices[:, self.lattice_rows.start, :3]

    def angles(self, matrices: Matrices) -> Matrices:
        """(n, 3): alpha, beta, gamma, degree."""
        return matrices[:, self.lattice_rows.start + 1, :3]

    def coordinates(self, matrices: Matrices) -> Matrices:
        """(n, max_sites, 3): fractional coordinates."""
        return matrices[:, self.coordinate_rows, :3]

    def occupancy(self, matrices: Matrices) -> Matrices:
        """(n, max_sites, max_elements): one-hot element column of each site."""
        return matrices[:, self.occupancy_rows, : self.max_elements]

    def reciprocal_part(self, matrices: Matrices) -> Matrices:
        """(n, 93, 59): abs(g), then the structure factors."""
        rows = slice(self.g_row, self.property_rows.stop)
        return matrices[:, rows, self.real_columns :]

    def g_lengths(self, matrices: Matrices) -> Matrices:
        """(n, 59): abs(g), 1/Angstrom."""
        return matrices[:, self.g_row, self.real_columns :]

    def property_vectors(self, matrices: Matrices) -> Matrices:
        """(n, 92, max_elements): property vector of each element column."""
        return matrices[:, self.property_rows, : self.max_elements]

    def structure_factors(self, matrices: Matrices) -> Matrices:
        """(n, 92, 59): abs(F(hkl)) of each property."""
        return matrices[:, self.property_rows, self.real_columns :]
