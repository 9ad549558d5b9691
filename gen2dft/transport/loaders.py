"""Where bands come from: vasprun.xml, GPAW's .gpw, pymatgen's BandStructure.

Each gives UniformBands.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.core import Structure

from gen2dft.errors import CalculationFailed
from gen2dft.transport.bands import UniformBands, uniform_bands

if TYPE_CHECKING:
    from pymatgen.electronic_structure.bandstructure import BandStructure

HARTREE = 27.21138602  # eV, CODATA 2014


def load_bands(path: Path | str) -> UniformBands:
    """Bands from a file: `*.gpw` of GPAW, or a vasprun.xml, compressed or not.

    Raises
    ------
    CalculationFailed
        `unreadable` if the file is missing, broken or of another kind; else as `uniform_bands`.
    """
    file = Path(path)
    if not file.is_file():
        raise CalculationFailed("unreadable", f"there is no file {file}")
    if file.name.endswith(".gpw"):
        return from_gpw(file)
    if "vasprun" in file.name or file.name.endswith((".xml", ".xml.gz")):
        return from_vasprun(file)
    raise CalculationFailed("unreadable", f"{file.name} is neither a vasprun.xml nor a .gpw file")


def from_vasprun(path: Path | str) -> UniformBands:
    """Bands of VASP.

    Both spins, and spin-orbit calculations, in which a band holds one electron.
    """
    from pymatgen.io.vasp import Vasprun

    try:
        run = Vasprun(
            str(path), parse_dos=False, parse_potcar_file=False, exception_on_bad_xml=True
        )
    except (SyntaxError, ValueError, KeyError, IndexError, OSError, EOFError) as err:
        detail = (
            f"{path} is not a whole vasprun.xml ({type(err).__name__}: {err}); was the run "
            "cut short?"
        )
        raise CalculationFailed("unreadable", detail) from err
    if not run.eigenvalues or run.actual_kpoints is None:
        raise CalculationFailed(
            "no_eigenvalues", f"{path} holds no eigenvalues; was the run cut short?"
        )
    energies = np.stack([np.asarray(values)[:, :, 0].T for _, values in _by_spin(run.eigenvalues)])
    spinor = bool(run.parameters.get("LSORBIT") or run.parameters.get("LNONCOLLINEAR"))
    structure = _with_moments(
        run.final_structure, run.parameters.get("MAGMOM"), spins=len(energies)
    )
    degeneracy = 2 if len(energies) == 1 and not spinor else 1
    return uniform_bands(
        structure, run.actual_kpoints, energies, run.parameters["NELECT"], degeneracy, str(path)
    )


def from_band_structure(
    bands: BandStructure, electrons: float | None = None, spinor: bool = False
) -> UniformBands:
    """Bands of pymatgen, which must carry their structure.

    Parameters
    ----------
    electrons
        Valence electrons per cell; by default counted from the Fermi level, which must then lie in
        the gap.
    spinor
        Whether spin-orbit coupling leaves one electron per band.

    Raises
    ------
    CalculationFailed
        `unreadable` without a structure; `metal` if electrons have to be counted and a band crosses
        the Fermi level.
    """
    if bands.structure is None:
        detail = "the BandStructure carries no structure; build it with structure=..."
        raise CalculationFailed("unreadable", detail)
    source = f"BandStructure of {bands.structure.composition.reduced_formula}"
    energies = [np.asarray(values) for _, values in _by_spin(bands.bands)]
    if not energies:
        raise CalculationFailed("no_eigenvalues", f"{source} has no bands")
    degeneracy = 2 if len(energies) == 1 and not spinor else 1
    if electrons is None:
        electrons = degeneracy * _below(np.concatenate(energies), bands.efermi, source)
    kpoints = [point.frac_coords for point in bands.kpoints]
    return uniform_bands(
        bands.structure, kpoints, np.stack(energies), electrons, degeneracy, source
    )


def from_gpw(path: Path | str) -> UniformBands:
    """Bands of GPAW; both spins. The file is read with ASE: GPAW itself need not be installed."""
    from ase.io import ulm
    from ase.io.trajectory import read_atoms

    try:
        with ulm.open(str(path)) as reader:
            waves, atoms = reader.wave_functions, read_atoms(reader.atoms)
            # (spin, k, band); calculations with spinors have no spin index, and one electron per
            # band.
            energies, filled = np.asarray(waves.eigenvalues), np.asarray(waves.occupations)
            kpoints, weights = np.asarray(waves.kpts.ibzkpts), np.asarray(waves.kpts.weights)
            converged = _converged_bands(reader, energies.shape[-1])
    except (ulm.InvalidULMFileError, AttributeError, KeyError, OSError, ValueError) as err:
        detail = f"{path} is not a GPAW file with bands ({type(err).__name__}: {err})"
        raise CalculationFailed("unreadable", detail) from err
    spinor = energies.ndim == 2
    if spinor:
        energies, filled = energies[None], filled[None]
    degeneracy = 2 if len(energies) == 1 and not spinor else 1
    electrons = degeneracy * float(np.einsum("skn,k->", filled, weights))
    structure = Structure(
        atoms.cell.array.copy(), atoms.numbers.tolist(), atoms.get_scaled_positions()
    )
    structure = _with_moments(structure, atoms.get_initial_magnetic_moments(), spins=len(energies))
    energies = energies[:, :, :converged]
    return uniform_bands(
        structure, kpoints, energies.transpose(0, 2, 1), round(electrons, 4), degeneracy, str(path)
    )


def _converged_bands(reader: Any, count: int) -> int:
    """How many of the bands GPAW was asked to converge.

    The highest are often left rough and off by electronvolts.
    """
    wanted = (
        (reader.parameters.asdict() if "parameters" in reader else {})
        .get("convergence", {})
        .get("bands", count)
    )
    if not isinstance(wanted, int):
        return count
    return min(count, wanted if wanted > 0 else count + wanted)


def _by_spin(per_spin: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """Values of spin up, then down."""
    return sorted(per_spin.items(), key=lambda item: -int(item[0]))


def _with_moments(structure: Structure, moments: Any, spins: int) -> Structure:
    """The structure with initial moments where they count for the symmetry: with two spins."""
    copy = structure.copy()
    if "magmom" in copy.site_properties:
        copy.remove_site_property("magmom")
    if spins == 2 and moments is not None and len(moments) == len(copy):
        copy.add_site_property("magmom", [float(m) for m in moments])
    return copy


def _below(energies: np.ndarray, level: float, source: str) -> int:
    """Number of bands below a level that lies in a gap."""
    below = energies.max(axis=1) <= level + 1e-6
    above = energies.min(axis=1) > level - 1e-6
    if not (below | above).all():
        crossing = int((~below & ~above).sum())
        detail = (
            f"{source}: {crossing} bands cross the Fermi level {level:.3f} eV. A curve over doping "
            "has no meaning for "
            "a metal; if it is an insulator whose Fermi level is off, give the number of electrons"
        )
        raise CalculationFailed("metal", detail)
    return int(below.sum())
