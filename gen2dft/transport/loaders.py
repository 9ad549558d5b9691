"""Bands from the files of VASP (vasprun.xml) and GPAW (.gpw), as UniformBands."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from gen2dft.errors import CalculationFailed
from gen2dft.transport.bands import UniformBands, uniform_bands


def load_bands(path: Path | str) -> UniformBands:
    """Bands from a file of one's own, whose name tells the program: `*.gpw`, or a vasprun.xml,
    compressed or not.

    Engines read the folders of their own calculations: `Engine.read_bands`.

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

    Raises
    ------
    CalculationFailed
        `bands_not_converged`: the run reached NELM. Else as `load_bands`, and `no_eigenvalues`.
    """
    run = _vasprun(path)
    try:
        return _bands_of_vasprun(run, path)
    except CalculationFailed:
        raise
    except Exception as err:  # whatever a part that is missing leads to
        raise _cut_short(path, err) from err


def _bands_of_vasprun(run: Any, path: Path | str) -> UniformBands:
    """Bands of a parsed vasprun.xml; an error of another kind if parts of it are missing."""
    if not run.eigenvalues or run.actual_kpoints is None:
        raise CalculationFailed(
            "no_eigenvalues", f"{path} holds no eigenvalues; was the run cut short?"
        )
    _must_be_converged(run, path)
    _must_have_an_energy(run, path)
    up_first = sorted(run.eigenvalues.items(), key=lambda item: -int(item[0]))
    energies = np.stack([np.asarray(values)[:, :, 0].T for _, values in up_first])
    spinor = bool(run.parameters.get("LSORBIT") or run.parameters.get("LNONCOLLINEAR"))
    spins, moments = len(energies), run.parameters.get("MAGMOM")
    return uniform_bands(
        _with_moments(run.final_structure, moments, spins),
        run.actual_kpoints,
        energies,
        run.parameters["NELECT"],
        _degeneracy(spins, spinor),
        str(path),
    )


def _must_be_converged(run: Any, path: Path | str) -> None:
    """Refuse bands of a run that reached NELM: VASP writes them all the same."""
    steps = run.ionic_steps[-1]["electronic_steps"]
    if not steps:
        detail = f"{path} holds no electronic steps, so nobody knows whether its bands converged"
        raise CalculationFailed("bands_not_converged", detail)
    if run.converged_electronic:
        return
    detail = (
        f"{path}: the last electronic loop reached NELM = {run.parameters['NELM']}, so that its "
        "bands are not converged; raise NELM or choose another ALGO, and run it again"
    )
    raise CalculationFailed("bands_not_converged", detail)


def _must_have_an_energy(run: Any, path: Path | str) -> None:
    """Refuse bands of electrons whose energy VASP could not print."""
    energy = run.ionic_steps[-1].get("e_0_energy")
    if energy is not None and not np.isfinite(energy):
        detail = (
            f"{path}: the energy came out as NaN, infinite or asterisks; the electrons diverged"
        )
        raise CalculationFailed("not_finite", detail)


def _vasprun(path: Path | str) -> Any:
    from pymatgen.io.vasp import Vasprun

    try:
        return Vasprun(
            str(path), parse_dos=False, parse_potcar_file=False, exception_on_bad_xml=True
        )
    except Exception as err:  # pymatgen stumbles over damage with errors of any kind
        raise _cut_short(path, err) from err


def _cut_short(path: Path | str, err: Exception) -> CalculationFailed:
    why = f"{type(err).__name__}: {err}"
    detail = f"{path} is not a whole vasprun.xml ({why}); was the run cut short?"
    return CalculationFailed("unreadable", detail)


def from_gpw(path: Path | str) -> UniformBands:
    """Bands of GPAW; both spins. The file is read with ASE: GPAW itself need not be installed."""
    found = _gpw(path)
    energies, filled = found.energies, found.occupations
    spinor = energies.ndim == 2  # no spin index, and one electron per band
    if spinor:
        energies, filled = energies[None], filled[None]
    spins = len(energies)
    degeneracy = _degeneracy(spins, spinor)
    electrons = degeneracy * float(np.einsum("skn,k->", filled, found.weights))
    kept = energies[:, :, : found.converged]
    return uniform_bands(
        _with_moments(found.structure, found.moments, spins),
        found.kpoints,
        kept.transpose(0, 2, 1),
        round(electrons, 4),
        degeneracy,
        str(path),
    )


class _Gpw(NamedTuple):
    """What a .gpw file holds: energies (spin, k, band), eV; `converged` bands of them are good."""

    structure: Structure
    moments: NDArray[np.float64]
    kpoints: NDArray[np.float64]
    weights: NDArray[np.float64]
    energies: NDArray[np.float64]
    occupations: NDArray[np.float64]
    converged: int


def _gpw(path: Path | str) -> _Gpw:
    from ase.io import ulm

    try:
        # Opened here, since ASE leaves a file open that it cannot read.
        with Path(path).open("rb") as file, ulm.open(file) as reader:
            return _parts(reader)
    except Exception as err:  # ASE stumbles over damage with errors of any kind
        detail = f"{path} is not a GPAW file with bands ({type(err).__name__}: {err})"
        raise CalculationFailed("unreadable", detail) from err


def _parts(reader: Any) -> _Gpw:
    from ase.io.trajectory import read_atoms

    atoms, waves = read_atoms(reader.atoms), reader.wave_functions
    energies = np.asarray(waves.eigenvalues)
    cell, numbers = atoms.cell.array.copy(), atoms.numbers.tolist()
    return _Gpw(
        Structure(cell, numbers, atoms.get_scaled_positions()),
        atoms.get_initial_magnetic_moments(),
        np.asarray(waves.kpts.ibzkpts),
        np.asarray(waves.kpts.weights),
        energies,
        np.asarray(waves.occupations),
        _converged_bands(reader, energies.shape[-1]),
    )


def _converged_bands(reader: Any, count: int) -> int:
    """How many of the bands GPAW was asked to converge.

    The highest are often left rough and off by electronvolts.
    """
    parameters = reader.parameters.asdict() if "parameters" in reader else {}
    wanted = parameters.get("convergence", {}).get("bands", count)
    if not isinstance(wanted, int):
        return count
    from_below = wanted if wanted > 0 else count + wanted
    return min(count, from_below)


def _degeneracy(spins: int, spinor: bool) -> int:
    """Electrons that one band holds."""
    return 2 if spins == 1 and not spinor else 1


def _with_moments(structure: Structure, moments: Any, spins: int) -> Structure:
    """The structure with initial moments where they count for the symmetry: with two spins."""
    copy = structure.copy()
    if "magmom" in copy.site_properties:
        copy.remove_site_property("magmom")
    if spins == 2 and moments is not None and len(moments) == len(copy):
        copy.add_site_property("magmom", [float(m) for m in moments])
    return copy
