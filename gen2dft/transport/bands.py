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
    def spacing(self) -> float:
        """Largest distance of neighbouring mesh points along a reciprocal axis, 1/Angstrom, with 2
        pi.
        """
        return float(max(np.array(self.structure.lattice.reciprocal_lattice.abc) / self.mesh.size))

    def edges(self) -> BandEdges:
        """Band edges on the mesh; no Fermi level is needed.

        Electrons fill whole bands; with two spins there are several ways to share them out, and the
        one with the widest gap is that of the insulator.

        Raises
        ------
        CalculationFailed
            `metal`: no way leaves a gap. `too_few_bands`: there is no empty band.
        """
        filled = self.electrons / self.degeneracy
        whole = round(filled)
        n_spins, n_bands, _ = self.energies.shape
        if abs(filled - whole) > 1e-3:
            raise metal(
                self.source,
                self.structure,
                f"{self.electrons:g} electrons fill {filled:g} bands of {self.degeneracy}, not "
                "whole ones",
            )
        if whole >= n_spins * n_bands:
            detail = (
                f"{self.source}: all {n_spins * n_bands} bands are occupied by {self.electrons:g} "
                "electrons; "
                "compute empty bands too (NBANDS in VASP, nbands in GPAW)"
            )
            raise CalculationFailed("too_few_bands", detail)
        ways = [(whole,)] if n_spins == 1 else [(up, whole - up) for up in range(whole + 1)]
        found = [self._edges_of(way) for way in ways if max(way) <= n_bands]
        best = max(found, key=lambda edges: edges.gap)
        if best.gap < TOUCHING:
            how = "touch" if best.gap > -TOUCHING else f"overlap by {-best.gap:.3f} eV"
            raise metal(self.source, self.structure, f"occupied and empty bands {how}")
        return best

    def _edges_of(self, occupied: tuple[int, ...]) -> BandEdges:
        """Edges if so many bands of each spin were occupied."""
        per_spin = list(zip(self.energies, occupied, strict=True))
        valence = max(
            (float(bands[n - 1].max()) for bands, n in per_spin if n > 0), default=-np.inf
        )
        conduction = min(
            (float(bands[n].min()) for bands, n in per_spin if n < len(bands)), default=np.inf
        )
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
        `no_eigenvalues`: energies are missing, not finite or do not fit the k-points.
        `mesh_not_uniform`: the k-points do not make up a uniform mesh with the symmetry of the
        crystal. `symmetry_broken`: the bands have less symmetry than the crystal.
    """
    k, e = np.asarray(kpoints, dtype=np.float64), np.asarray(energies, dtype=np.float64)
    _check_eigenvalues(k, e, source)
    e = np.sort(e, axis=1)
    rotations = point_group(structure)
    mesh = find_mesh(k, rotations, source)
    differences = np.abs(e - e[:, :, mesh.first[mesh.set_of]]).max()
    if differences > EQUIVALENT_WITHIN:
        detail = (
            f"{source}: energies at k-points that are equal by symmetry differ by "
            f"{differences:.3f} eV; "
            "give the magnetic moments as site property `magmom`, or relax the crystal with its "
            "symmetry kept"
        )
        raise CalculationFailed("symmetry_broken", detail)
    return UniformBands(
        structure,
        k[mesh.first],
        e[:, :, mesh.first],
        float(electrons),
        degeneracy,
        source,
        rotations,
        mesh,
    )


def _check_eigenvalues(kpoints: FloatArray, energies: FloatArray, source: str) -> None:
    if kpoints.ndim != 2 or kpoints.shape[1:] != (3,) or len(kpoints) == 0:
        raise CalculationFailed("no_eigenvalues", f"{source} has no list of k-points")
    if energies.ndim != 3 or energies.shape[2] != len(kpoints) or energies.size == 0:
        detail = (
            f"{source} has no band energies for its {len(kpoints)} k-points (found an array "
            f"{energies.shape})"
        )
        raise CalculationFailed("no_eigenvalues", detail)
    missing = int((~np.isfinite(energies)).sum())
    if missing:
        detail = f"{source}: {missing} of {energies.size} band energies are NaN or infinite"
        raise CalculationFailed("no_eigenvalues", detail)


def metal(source: str, structure: Structure, why: str) -> CalculationFailed:
    """The failure `metal`, and why that matters."""
    detail = (
        f"{source}: {structure.composition.reduced_formula} is a metal here ({why}). A curve over "
        "doping "
        "has no meaning for a metal: its carriers are not the dopants'. Where the functional "
        "closes a real gap, "
        "compute bands with one that opens it"
    )
    return CalculationFailed("metal", detail)
