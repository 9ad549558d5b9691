"""Files as GPAW writes them, from bands at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gen2dft.transport.bands import UniformBands


def write_gpw(path: Path, bands: UniformBands, electrons: float) -> Path:
    """A file laid out as GPAW does it, without what transport does not read."""
    ase_io = pytest.importorskip("ase.io.trajectory")
    from ase import Atoms
    from ase.io import ulm

    atoms = Atoms(
        numbers=bands.structure.atomic_numbers, cell=bands.structure.lattice.matrix, pbc=True
    )
    occupied = round(electrons / bands.degeneracy / len(bands.energies))
    energies = bands.energies.transpose(0, 2, 1)
    filled = np.broadcast_to(np.arange(energies.shape[2]) < occupied, energies.shape).astype(float)
    with ulm.Writer(str(path), tag="gpaw") as writer:
        ase_io.write_atoms(writer.child("atoms"), atoms)
        waves = writer.child("wave_functions")
        waves.write(eigenvalues=energies, occupations=filled, fermi_levels=np.zeros(1))
        waves.child("kpts").write(ibzkpts=bands.kpoints, weights=bands.mesh.weights)
    return path
