"""Engine `mlip`: the universal potential CHGNet 0.3.0 (Deng et al., Nat. Mach. Intell.

5, 1031 (2023)).

A surrogate: fast, trained on Materials Project energies with their MP2020 corrections, and never
called DFT. Far from its training data it may predict anything, so every step is guarded and a
result out of bounds is a failure, never a very stable crystal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.core import Structure

from gen2dft.crystals import CrystalTable
from gen2dft.engines.base import Engine, Makers, Relaxed
from gen2dft.errors import CalculationFailed, CampaignError, SettingsError, not_one_of
from gen2dft.geometry import closest_contacts
from gen2dft.hashing import content_hash
from gen2dft.thermo.references import formation_energy, has_references
from gen2dft.thermo.scales import MATERIALS_PROJECT

if TYPE_CHECKING:
    from ase import Atoms

EV_PER_A3_IN_GPA = 160.21766208


@dataclass(frozen=True)
class Guards:
    """Bounds outside which a result of the potential is not believed."""

    min_distance: float = 0.7
    """shortest distance, Angstrom, before and after"""
    min_distance_ratio: float = 0.6
    """shortest distance over the sum of covalent radii, before and after"""
    formation_energy: tuple[float, float] = (-5.0, 5.0)
    """eV/atom, at every step"""
    max_force: float = 100.0
    """eV/Angstrom, at every step"""
    volume_per_atom: tuple[float, float] = (4.0, 120.0)
    """Angstrom^3 per atom, at every step"""
    max_seconds: float = 600.0
    """wall time of one structure; so generous that it stops only what hangs"""


@dataclass(frozen=True)
class MLIPPreset:
    """Settings of a relaxation with positions and cell free (LBFGS on ASE's FrechetCellFilter).

    Parameters
    ----------
    name
        Name in the registry.
    fmax
        Converged when every (generalised) force is below, eV/Angstrom.
    max_steps
        Steps at most; a structure that needs more comes back with `converged=False`.
    model
        Name of the pretrained CHGNet.
    guards
        Bounds outside which the calculation fails.
    """

    name: str
    fmax: float
    max_steps: int
    model: str = "0.3.0"
    guards: Guards = Guards()

    @property
    def description(self) -> str:
        """What it is for, in one sentence."""
        return (
            f"surrogate CHGNet {self.model}: relaxed to {self.fmax:g} eV/Angstrom, "
            f"{self.max_steps} steps at most"
        )

    def contents(self) -> dict[str, Any]:
        """All that it sets, as plain values."""
        return {
            "description": self.description,
            "settings_hash": self.settings_hash,
            **asdict(self),
        }

    @property
    def settings_hash(self) -> str:
        """Hash of the settings and of chgnet's version; 12 hexadecimal digits."""
        content = {
            **asdict(self),
            "optimizer": "LBFGS/FrechetCellFilter",
            "chgnet": versions()["chgnet"],
        }
        return content_hash(json.dumps(content, sort_keys=True), digits=12)


PRESETS: dict[str, MLIPPreset] = {
    preset.name: preset
    for preset in (
        MLIPPreset("chgnet-screen-v1", fmax=0.1, max_steps=100),
        MLIPPreset("chgnet-v1", fmax=0.05, max_steps=250),
    )
}


def get_preset(preset: str | MLIPPreset) -> MLIPPreset:
    """The preset itself, or the registered one of that name; CampaignError names the choices."""
    if isinstance(preset, MLIPPreset):
        return preset
    if preset not in PRESETS:
        raise CampaignError(not_one_of("preset of engine 'mlip'", preset, PRESETS))
    return PRESETS[preset]


def versions() -> dict[str, str]:
    """Versions of the programs that decide the result; SettingsError if they are not installed."""
    try:
        return {package: version(package) for package in ("chgnet", "torch", "ase")}
    except PackageNotFoundError as err:
        raise SettingsError(
            f"engine 'mlip' needs the package {err.name}: pip install 'gen2dft[mlip]'"
        ) from err


def relax(structure: Structure, preset: str | MLIPPreset = "chgnet-v1") -> Relaxed:
    """Relax positions and cell.

    Raises
    ------
    CalculationFailed
        `atoms_too_close`, `atoms_too_close_after_relaxation`, `volume_out_of_range`,
        `energy_out_of_range`, `force_too_large`, `not_finite`, `isolated_atoms`,
        `element_not_supported` or `out_of_time`.
    """
    from ase.optimize import LBFGS

    from gen2dft.engines.cell_filter import CachedCellFilter

    settings, start = get_preset(preset), time.perf_counter()
    atoms = _guarded_atoms(structure, settings)
    cell = CachedCellFilter(atoms)
    steps = 0
    with LBFGS(cell, logfile=None) as optimizer:
        for _ in optimizer.irun(fmax=settings.fmax, steps=settings.max_steps):
            _check_step(atoms, settings.guards, time.perf_counter() - start)
            steps = optimizer.nsteps
    max_force = float(np.linalg.norm(cell.get_forces(), axis=1).max())
    final = _to_structure(atoms)
    _refuse_close_atoms(final, settings.guards, "atoms_too_close_after_relaxation")
    return _result(atoms, final, max_force, settings, steps, time.perf_counter() - start)


def static(structure: Structure, preset: str | MLIPPreset = "chgnet-v1") -> Relaxed:
    """Energy, forces, stress and magnetic moments of a structure as it is.

    Fails as `relax` does.
    """
    settings, start = get_preset(preset), time.perf_counter()
    atoms = _guarded_atoms(structure, settings)
    max_force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
    _check_step(atoms, settings.guards, time.perf_counter() - start)
    return _result(atoms, structure, max_force, settings, 0, time.perf_counter() - start)


def relax_many(
    structures: Iterable[Structure], preset: str | MLIPPreset = "chgnet-screen-v1"
) -> list[Relaxed | CalculationFailed]:
    """Relax one structure after another with one loaded model.

    A failure takes the place of its result.
    """
    outcomes: list[Relaxed | CalculationFailed] = []
    for structure in structures:
        try:
            outcomes.append(relax(structure, preset))
        except CalculationFailed as failure:
            outcomes.append(failure)
    return outcomes


def _guarded_atoms(structure: Structure, settings: MLIPPreset) -> Atoms:
    """ASE atoms with the calculator of this process, once the geometry has been found sane."""
    versions()
    if not structure.is_ordered:
        raise CalculationFailed("disordered", f"{structure.formula} has partially occupied sites")
    if not (
        np.isfinite(structure.lattice.matrix).all() and np.isfinite(structure.frac_coords).all()
    ):
        raise CalculationFailed(
            "not_finite", f"{structure.formula} has NaN or infinite coordinates"
        )
    _check_volume(structure.volume / len(structure), settings.guards)
    _refuse_close_atoms(structure, settings.guards, "atoms_too_close")

    from ase import Atoms

    from gen2dft.engines.chgnet_calculator import calculator

    return Atoms(
        numbers=[site.specie.Z for site in structure],
        scaled_positions=structure.frac_coords,
        cell=structure.lattice.matrix,
        pbc=True,
        calculator=calculator(settings.model),
    )


def _check_step(atoms: Atoms, guards: Guards, seconds: float) -> None:
    energy = atoms.get_potential_energy() / len(atoms)
    forces = atoms.get_forces()
    if not (np.isfinite(energy) and np.isfinite(forces).all()):
        raise CalculationFailed(
            "not_finite", "the potential gave a NaN or infinite energy or force"
        )
    _check_volume(atoms.get_volume() / len(atoms), guards)
    strongest = np.linalg.norm(forces, axis=1).max()
    if strongest > guards.max_force:
        raise CalculationFailed(
            "force_too_large", f"{strongest:.0f} eV/Angstrom, the bound is {guards.max_force:g}"
        )
    symbols = {str(symbol): int(count) for symbol, count in atoms.symbols.formula.count().items()}
    if has_references(symbols):
        low, high = guards.formation_energy
        value = formation_energy(symbols, energy)
        if not low <= value <= high:
            detail = f"formation energy {value:.2f} eV/atom is outside {low:g} to {high:g}"
            raise CalculationFailed("energy_out_of_range", detail)
    if seconds > guards.max_seconds:
        detail = f"{seconds:.0f} s for one structure, the bound is {guards.max_seconds:g}"
        raise CalculationFailed("out_of_time", detail)


def _check_volume(per_atom: float, guards: Guards) -> None:
    low, high = guards.volume_per_atom
    if not low <= per_atom <= high:
        detail = f"{per_atom:.2f} Angstrom^3 per atom is outside {low:g} to {high:g}"
        raise CalculationFailed("volume_out_of_range", detail)


def _refuse_close_atoms(structure: Structure, guards: Guards, reason: str) -> None:
    contacts = closest_contacts(CrystalTable.from_structures([structure]))
    distance, ratio = float(contacts.distance[0]), float(contacts.ratio[0])
    if distance < guards.min_distance or ratio < guards.min_distance_ratio:
        detail = (
            f"{structure.formula}: {distance:.2f} Angstrom, {ratio:.2f} of the covalent "
            "radii's sum at the closest"
        )
        raise CalculationFailed(reason, detail)


def _to_structure(atoms: Atoms) -> Structure:
    return Structure(atoms.cell.array.copy(), atoms.numbers.tolist(), atoms.get_scaled_positions())


def _result(
    atoms: Atoms,
    structure: Structure,
    max_force: float,
    settings: MLIPPreset,
    steps: int,
    seconds: float,
) -> Relaxed:
    converged = max_force < settings.fmax or steps == 0
    return Relaxed(
        structure=structure,
        energy=float(atoms.get_potential_energy()) / len(atoms),
        forces=atoms.get_forces(),
        stress=atoms.get_stress(voigt=False) * EV_PER_A3_IN_GPA,
        magmoms=atoms.get_magnetic_moments(),
        converged=converged,
        max_force=max_force,
        steps=steps,
        seconds=seconds,
        warnings=()
        if converged
        else (f"not converged after {steps} steps: {max_force:.3f} eV/Angstrom",),
    )


def _makers(preset: str) -> Makers:
    from gen2dft.engines.mlip_makers import MLIPRelaxMaker, MLIPStaticMaker

    return Makers(
        MLIPRelaxMaker(preset=get_preset(preset).name),
        MLIPStaticMaker(preset=get_preset(preset).name),
    )


def _formation_energy(composition: Any, energy_per_atom: float) -> float:
    return formation_energy(composition, energy_per_atom)


ENGINE = Engine(
    name="mlip",
    is_dft=False,
    provides=frozenset({"formation_energy", "e_above_hull"}),
    presets=PRESETS,
    relax=relax,
    static=static,
    makers=_makers,
    formation_energy=_formation_energy,
    scale=MATERIALS_PROJECT,  # CHGNet is trained on corrected energies
)
