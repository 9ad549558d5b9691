"""Bands that are known in closed form: one cosine band of carriers on either side of a gap, with
chosen masses.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

from gen2dft.transport.bands import UniformBands, uniform_bands

# hbar^2 / (2 m_e) in eV Angstrom^2.
HBAR2_2M = 3.80998208


def tetragonal(
    a: float = 3.0, c: float = 3.0, rotation: NDArray[np.float64] | None = None
) -> Structure:
    """One atom in a primitive tetragonal cell, its axes turned by a rotation if there is one."""
    lattice = np.diag([a, a, c]) @ (np.eye(3) if rotation is None else rotation.T)
    return Structure(Lattice(lattice), ["Po"], [[0, 0, 0]])


def full_mesh(size: tuple[int, int, int]) -> NDArray[np.float64]:
    """All points of a Gamma-centred mesh, (n, 3)."""
    return np.array(list(itertools.product(*(np.arange(n) / n for n in size))))


def cosine_energies(
    structure: Structure, kpoints: NDArray[np.float64], mass: tuple[float, float, float], gap: float
) -> NDArray[np.float64]:
    """(3, n_k) eV: valence band below 0, conduction band above the gap with the same masses, and
    one 30 eV higher.

    E = sum over axes of hbar^2 / (m a^2) (1 - cos 2 pi k), so that near Gamma E = hbar^2 k^2 / 2m.
    """
    hopping = 2 * HBAR2_2M / np.array(mass) / np.array(structure.lattice.abc) ** 2
    kinetic = (1 - np.cos(2 * np.pi * kpoints)) @ hopping
    return np.stack([-kinetic, gap + kinetic, gap + 30 + kinetic])


def cosine_bands(
    size: tuple[int, int, int] = (16, 16, 16),
    mass: tuple[float, float, float] = (0.3, 0.3, 0.3),
    gap: float = 1.0,
    structure: Structure | None = None,
    spins: int = 1,
    direct: bool = True,
) -> UniformBands:
    """Bands of a semiconductor with parabolic edges at Gamma.

    Two electrons per cell fill the valence band.

    An indirect gap has its empty bands' minimum at the corner of the zone.
    """
    crystal = tetragonal() if structure is None else structure
    kpoints = full_mesh(size)
    corner = cosine_energies(crystal, kpoints + 0.5, mass, gap)
    single = cosine_energies(crystal, kpoints, mass, gap)
    energies = np.repeat(
        (single if direct else np.stack([single[0], *corner[1:]]))[None], spins, axis=0
    )
    return uniform_bands(crystal, kpoints, energies, 2.0, 3 - spins, "cosine bands")
