"""UniformBands: the bands of one crystal on a uniform mesh of k-points, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pymatgen.core import Structure

from gen2dft.errors import CalculationFailed
from gen2dft.transport.symmetry import Mesh, find_mesh, point_group

FloatArray = NDArray[np.float64]
# Energies at k-points that symmetry calls equal may differ by this much, eV: the accuracy of a band
# calculation.
EQUIVALENT_WITHIN = 0.01
# A gap below is none, eV: band calculations are no more accurate.
TOUCHING = 0.001
# eV; the deepest semicore bands lie at some -100, and what VASP prints has four digits before the
# point.
LARGEST_ENERGY = 1e4


@dataclass(frozen=True)
class BandEdges:
    """Where the occupied bands of an insulator end and the empty ones begin.

    Parameters
    ----------
    valence, conduction
        Highest occupied and lowest empty energy on the mesh, eV.
    occupied
        Number of occupied bands of each spin.
    """

    valence: float
    conduction: float
    occupied: tuple[int, ...]

    @property
    def gap(self) -> float:
        """Band gap on the mesh, eV."""
        return self.conduction - self.valence


@dataclass(frozen=True, eq=False)
class UniformBands:
    """Band energies at the irreducible k-points of a uniform mesh.

    Made by `uniform_bands`, which checks them.

    Parameters
    ----------
    structure
        The crystal.
    kpoints
        (n_k, 3) fractional coordinates, one of each set that symmetry makes equal.
    energies
        (n_spins, n_bands, n_k) eV, ascending with the band.
    electrons
        Number of valence electrons in the cell.
    degeneracy
        Electrons that one band holds: 2 if both spins share it, else 1.
    source
        What the bands were read from, for documents and messages.
    rotations
        (n_rotations, 3, 3) point group of the bands, see `symmetry.point_group`.
    mesh
        The uniform mesh that the k-points stand for.
    """

    structure: Structure
    kpoints: FloatArray
    energies: FloatArray
    electrons: float
    degeneracy: int
    source: str
    rotations: NDArray[np.int64]
    mesh: Mesh

    @property
    def reciprocal_lengths(self) -> FloatArray:
        """(3,) lengths of the reciprocal vectors, 1/Angstrom, with 2 pi."""
        reciprocal = self.structure.lattice.reciprocal_lattice
        return np.array(reciprocal.abc)

    @property
    def spacing(self) -> float:
        """Largest distance of neighbouring mesh points along a reciprocal axis, 1/Angstrom, with 2
        pi.
        """
        spacings = self.reciprocal_lengths / self.mesh.size
        return float(max(spacings))

    @property
    def one_by_one(self) -> FloatArray:
        """(n_spins n_bands, n_k) eV, the bands of both spins one after the other."""
        _, _, num_kpoints = self.energies.shape
        return self.energies.reshape(-1, num_kpoints)

    @property
    def complete_below(self) -> float:
        """Energy below which no band is missing, eV: where the highest computed one begins."""
        highest = self.energies[:, -1]
        return float(highest.min())

    def edges(self) -> BandEdges:
        """Band edges on the mesh; no Fermi level is needed.

        Electrons fill whole bands; with two spins there are several ways to share them out, and the
        one with the widest gap is that of the insulator.

        Raises
        ------
        CalculationFailed
            `metal`: no way leaves a gap. `too_few_bands`: there is no empty band.
        """
        filled = self._filled_bands()
        ways = self._ways(filled)
        found = [self._edges_of(way) for way in ways]
        best = max(found, key=lambda edges: edges.gap)
        gap = best.gap
        if gap < TOUCHING:
            how = "touch" if gap > -TOUCHING else f"overlap by {-gap:.3f} eV"
            raise metal(self.source, self.structure, f"occupied and empty bands {how}")
        return best

    def _filled_bands(self) -> int:
        """Number of occupied bands, of both spins together; raises as `edges`."""
        filled = self.electrons / self.degeneracy
        whole = round(filled)
        if abs(filled - whole) > 1e-3:
            why = (
                f"{self.electrons:g} electrons fill {filled:g} bands of {self.degeneracy}, not "
                "whole ones"
            )
            raise metal(self.source, self.structure, why)
        computed = len(self.one_by_one)
        if whole >= computed:
            detail = (
                f"{self.source}: all {computed} bands are occupied by {self.electrons:g} "
                "electrons; compute empty bands too (NBANDS in VASP, nbands in GPAW)"
            )
            raise CalculationFailed("too_few_bands", detail)
        return whole

    def _ways(self, filled: int) -> list[tuple[int, ...]]:
        """Ways to share out so many occupied bands among the spins."""
        n_spins, n_bands, _ = self.energies.shape
        if n_spins == 1:
            return [(filled,)]
        ways = [(up, filled - up) for up in range(filled + 1)]
        return [way for way in ways if max(way) <= n_bands]

    def _edges_of(self, occupied: tuple[int, ...]) -> BandEdges:
        """Edges if so many bands of each spin were occupied."""
        valence = -np.inf
        conduction = np.inf
        for bands, count in zip(self.energies, occupied, strict=True):
            if count > 0:
                highest = bands[count - 1]
                valence = max(valence, float(highest.max()))
            if count < len(bands):
                lowest = bands[count]
                conduction = min(conduction, float(lowest.min()))
        return BandEdges(valence, conduction, occupied)


def uniform_bands(
    structure: Structure,
    kpoints: ArrayLike,
    energies: ArrayLike,
    electrons: float,
    degeneracy: int,
    source: str,
) -> UniformBands:
    """Check bands and reduce them to the irreducible k-points; parameters as for `UniformBands`.

    Magnetic moments in the structure's site property `magmom` (Bohr magnetons) lower its symmetry.

    Raises
    ------
    CalculationFailed
        `no_eigenvalues`: k-points or energies are missing, not finite or do not fit each other.
        `no_electrons`: their number is not positive. `not_finite`: the crystal is broken.
        `mesh_not_uniform`: the k-points do not make up a uniform mesh with the symmetry of the
        crystal. `symmetry_broken`: the bands have less symmetry than the crystal.
    """
    k = np.asarray(kpoints, dtype=np.float64)
    e = np.asarray(energies, dtype=np.float64)
    _check_eigenvalues(k, e, source)
    _check_crystal(structure, electrons, source)
    ascending = np.sort(e, axis=1)
    rotations = point_group(structure)
    mesh = find_mesh(k, rotations, source)
    irreducible = ascending[:, :, mesh.first]
    at_first = irreducible[:, :, mesh.set_of]
    _check_symmetry(ascending, at_first, source)
    kept = k[mesh.first]
    return UniformBands(
        structure, kept, irreducible, float(electrons), degeneracy, source, rotations, mesh
    )


def _check_symmetry(energies: FloatArray, of_first: FloatArray, source: str) -> None:
    """Refuse bands that differ where symmetry calls k-points equal.

    Parameters
    ----------
    energies, of_first
        (n_spins, n_bands, n_k) eV: as computed, and at the first k-point of the same set.
    """
    difference = np.abs(energies - of_first).max()
    if difference > EQUIVALENT_WITHIN:
        detail = (
            f"{source}: energies at k-points that are equal by symmetry differ by "
            f"{difference:.3f} eV; give the magnetic moments as site property `magmom`, or relax "
            "the crystal with its symmetry kept"
        )
        raise CalculationFailed("symmetry_broken", detail)


def _check_eigenvalues(kpoints: FloatArray, energies: FloatArray, source: str) -> None:
    """Refuse k-points or energies that are missing, do not fit each other or are not finite."""
    count = len(kpoints)
    are_kpoints = kpoints.ndim == 2 and kpoints.shape[1:] == (3,)
    if not are_kpoints or count == 0:
        raise CalculationFailed("no_eigenvalues", f"{source} has no list of k-points")
    shape = energies.shape
    fits = len(shape) == 3 and shape[2] == count
    if not fits or energies.size == 0:
        detail = f"{source} has no band energies for its {count} k-points (found an array {shape})"
        raise CalculationFailed("no_eigenvalues", detail)
    if not np.isfinite(kpoints).all():
        raise CalculationFailed("no_eigenvalues", f"{source}: k-points are NaN or infinite")
    finite = np.isfinite(energies)
    missing = int((~finite).sum())
    if missing:
        detail = f"{source}: {missing} of {energies.size} band energies are NaN or infinite"
        raise CalculationFailed("no_eigenvalues", detail)
    largest = float(np.abs(energies).max())
    if largest > LARGEST_ENERGY or np.ptp(energies) == 0:
        detail = (
            f"{source}: band energies of {energies.min():g} to {energies.max():g} eV are no bands"
        )
        raise CalculationFailed("no_eigenvalues", detail)


def _check_crystal(structure: Structure, electrons: float, source: str) -> None:
    """Refuse a crystal that is no longer one, and electrons that cannot be counted."""
    numbers = (structure.lattice.matrix, structure.frac_coords)
    is_finite = all(np.isfinite(array).all() for array in numbers)
    if not (is_finite and structure.volume > 0):
        detail = f"{source}: the lattice or the positions are NaN, infinite or flat"
        raise CalculationFailed("not_finite", detail)
    if not (np.isfinite(electrons) and electrons > 0):
        detail = f"{source}: {electrons:g} electrons occupy no band; was the run cut short?"
        raise CalculationFailed("no_electrons", detail)


def metal(source: str, structure: Structure, why: str) -> CalculationFailed:
    """The failure `metal`, and why that matters."""
    formula = structure.composition.reduced_formula
    detail = (
        f"{source}: {formula} is a metal here ({why}). A curve over doping has no meaning for a "
        "metal: its carriers are not the dopants'. Where the functional closes a real gap, "
        "compute bands with one that opens it"
    )
    return CalculationFailed("metal", detail)
