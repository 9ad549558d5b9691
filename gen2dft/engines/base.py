"""What every engine offers: direct calls, jobflow Makers, and one document for each finished
calculation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pymatgen.core import Composition, Structure

from gen2dft.errors import CalculationFailed, CampaignError, DatasetError, not_one_of

if TYPE_CHECKING:
    from jobflow import Maker

Task = Literal["relax", "static", "uniform_bands"]
Vector = tuple[float, float, float]

# Reasons of failures that tell of the machine or the program, not of the crystal, whichever engine
# it is.
BREAKDOWNS = frozenset(
    {"calculation_crashed", "too_many_attempts", "worker_died", "stand_in", "plugin_missing"}
)
# Begins a job's tag that names the folder of an earlier run of it, whose worker died.
LOST_RUN_TAG = "lost-run:"
MAX_WARNINGS, MAX_WARNING = (
    50,
    2000,
)  # number, and characters of each: a document must stay far below 16 MB
MAX_LOST_RUNS = 3  # of one job, after which it is not tried again


@dataclass(frozen=True, eq=False)
class Relaxed:
    """Outcome of one calculation of an engine.

    Parameters
    ----------
    structure
        Final structure; of a static calculation, the one that was given.
    energy
        eV/atom on the engine's own scale, the engine's corrections included.
    forces
        (n_sites, 3) eV/Angstrom.
    stress
        (3, 3) GPa, positive under tension.
    magmoms
        (n_sites,) Bohr magnetons.
    converged
        Whether forces and stress fell below the preset's threshold.
    max_force
        Largest force at the end, eV/Angstrom; of a relaxation with the cell's generalised forces
        among them.
    steps
        Number of ionic steps.
    seconds
        Wall time.
    band_gap
        eV; None if the engine computes no bands.
    warnings
        What a reader of the result should know.
    run_type
        Functional and whether U was used: `GGA`, `GGA+U`, `PBE`, ...; None for a surrogate.
    hubbards
        Symbol to Hubbard U, eV; those that are not 0.
    is_stand_in
        Made by a program that only stands in for the engine, in tests.
    """

    structure: Structure
    energy: float
    forces: NDArray[np.float64] | None
    stress: NDArray[np.float64] | None
    magmoms: NDArray[np.float64] | None
    converged: bool
    max_force: float
    steps: int
    seconds: float
    band_gap: float | None = None
    warnings: tuple[str, ...] = ()
    run_type: str | None = None
    hubbards: Mapping[str, float] = field(default_factory=dict)
    is_stand_in: bool = False


class Preset(Protocol):
    """Named settings of an engine."""

    @property
    def name(self) -> str:
        """Name in the engine's registry, with a version."""

    @property
    def settings_hash(self) -> str:
        """Hash of all that decides the result; it names the label beside engine and candidate."""

    @property
    def description(self) -> str:
        """What it is for, in one sentence."""

    def contents(self) -> dict[str, Any]:
        """All that it sets, as plain values for `gen2dft presets show`."""


@dataclass(frozen=True)
class Makers:
    """The jobs of one engine and preset.

    Each Maker's `make(structure=None, prev=None)` yields a CalculationDoc, or a CalculationFailure
    with its reason; without a structure it goes on from the final one of `prev`, the outcome of the
    calculation before. `uniform_bands` needs `prev`, a static calculation with its files, and takes
    `scale`, the spacing of the k-points in units of the preset's; None for an engine that computes
    no bands.
    """

    relax: Maker
    static: Maker
    uniform_bands: Maker | None = None


def nothing_to_check(preset: str, symbols: Collection[str]) -> tuple[str, ...]:  # noqa: ARG001
    """The check of an engine that needs nothing but its package."""
    return ()


def without_references(engine: str) -> Callable[[Composition, float], float]:
    """The `formation_energy` of an engine whose elements' energies depend on the preset, so that
    none ship with it.
    """

    def formation_energy(composition: Composition, energy_per_atom: float) -> float:
        del energy_per_atom
        symbols = ", ".join(f"{element.symbol}: ..." for element in composition.elements)
        raise DatasetError(
            f"engine {engine!r} has no elemental reference energies for "
            f"{composition.chemical_system}: give those "
            "computed with the same preset in the campaign file, validation.references: "
            f"{{{symbols}}}, eV/atom"
        )

    return formation_energy


@dataclass(frozen=True)
class Engine:
    """One way of computing energies.

    Parameters
    ----------
    name
        Name in the registry.
    is_dft
        False for a surrogate, which is never called DFT.
    provides
        Properties that its labels carry, see `gen2dft.properties`.
    presets
        Named settings.
    relax, static
        Direct calls `(structure, preset name)`; both raise CalculationFailed.
    makers
        From a preset's name to its jobflow Makers.
    formation_energy
        From composition and eV/atom of this engine to the formation energy, eV/atom; DatasetError
        if the engine has no reference energy of an element.
    scale
        Scale that its formation energies are on by themselves (`gen2dft.thermo.scales`); None for
        uncorrected ones.
    check
        Called with a preset's name and the symbols of the elements to come, before a campaign
        begins. Raises CampaignError or SettingsError for what cannot work; returns what is missing
        on this machine alone.
    breakdowns
        Reasons of failures, beside `BREAKDOWNS`, that say that the engine itself does not work,
        whatever the crystal.
    """

    name: str
    is_dft: bool
    provides: frozenset[str]
    presets: Mapping[str, Preset]
    relax: Callable[[Structure, str], Relaxed]
    static: Callable[[Structure, str], Relaxed]
    makers: Callable[[str], Makers]
    formation_energy: Callable[[Composition, float], float]
    scale: str | None = None
    check: Callable[[str, Collection[str]], tuple[str, ...]] = nothing_to_check
    breakdowns: frozenset[str] = frozenset()

    def preset(self, name: str) -> Preset:
        """The preset of that name; CampaignError names the choices."""
        if name not in self.presets:
            raise CampaignError(not_one_of(f"preset of engine {self.name!r}", name, self.presets))
        return self.presets[name]


class CalculationFailure(BaseModel):
    """A calculation that could not be finished, as a result: a failed candidate keeps its reason
    and is never lost.
    """

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(description="short snake_case name, counted in the funnel")
    detail: str
    directory: str | None = Field(
        None, description="where the files of the calculation are, `host:path`"
    )
    core_hours: float = Field(0.0, description="what it has cost all the same")

    @classmethod
    def from_error(cls, error: CalculationFailed) -> CalculationFailure:
        """The failure that an engine raised."""
        directory = None if error.directory is None else str(error.directory)
        return cls(reason=error.reason, detail=error.detail, directory=directory)


class CustodianCorrection(BaseModel):
    """One correction that custodian made to a running calculation."""

    model_config = ConfigDict(extra="forbid")

    handler: str = Field(description="class of custodian's handler")
    errors: list[str] = Field(description="what the handler found")
    actions: list[str] = Field(description="what it changed, such as `INCAR: EDIFF = 1e-06`")


class CalculationDoc(BaseModel):
    """One finished calculation, the same for every engine."""

    model_config = ConfigDict(extra="forbid")

    task: Task
    engine: str
    preset: str
    settings_hash: str = Field(description="hash of all settings that decide the result")
    is_dft: bool = Field(description="False for surrogates such as ML potentials")
    structure: Structure = Field(description="final structure")
    energy: float = Field(
        description="total energy of the cell, eV, with the corrections named below"
    )
    energy_per_atom: float = Field(description="eV/atom")
    forces: list[Vector] | None = Field(
        None, description="eV/Angstrom; None where they mean nothing"
    )
    stress: list[Vector] | None = Field(None, description="GPa, positive under tension")
    magmoms: list[float] | None = Field(None, description="Bohr magnetons")
    band_gap: float | None = Field(
        None, description="eV, 0 for a metal; None if the engine computes no bands"
    )
    is_gap_direct: bool | None = None
    converged: bool
    converged_electronic: bool | None = Field(
        None, description="None if there are no electrons to converge"
    )
    converged_ionic: bool | None = Field(
        None, description="None for a calculation that moves no atoms"
    )
    max_force: float | None = Field(
        description="largest (generalised) force at the end, eV/Angstrom; None as forces"
    )
    num_steps: int = Field(description="ionic steps")
    wall_seconds: float
    cores: int
    core_hours: float
    versions: dict[str, str] = Field(description="program to version")
    corrections: list[str] = Field([], description="named energy corrections, already applied")
    run_type: str | None = Field(
        None, description="functional and U: GGA, GGA+U, ...; None for a surrogate"
    )
    hubbards: dict[str, float] = Field(
        {}, description="symbol to Hubbard U, eV; those that are not 0"
    )
    custodian: list[CustodianCorrection] = Field(
        [], description="corrections custodian made, in order"
    )
    settings_changed: bool = Field(
        False,
        description="custodian changed settings that the energy depends on: it belongs to the "
        "changed ones",
    )
    is_stand_in: bool = Field(
        False, description="made by a program that only stands in for the engine, in tests"
    )
    warnings: list[str] = []
    directory: str | None = Field(
        None, description="where the files of the calculation are, `host:path`"
    )
    completed_at: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @field_validator("warnings")
    @classmethod
    def _short(cls, warnings: list[str]) -> list[str]:
        """A program may repeat itself without end."""
        return [text[:MAX_WARNING] for text in warnings[:MAX_WARNINGS]]

    @classmethod
    def from_result(
        cls,
        task: Task,
        engine: Engine,
        preset: str,
        result: Relaxed,
        versions: Mapping[str, str],
        cores: int = 1,
        **extra: Any,
    ) -> CalculationDoc:
        """The document of one result; `extra` are further fields."""
        return cls(
            task=task,
            engine=engine.name,
            preset=preset,
            settings_hash=engine.preset(preset).settings_hash,
            is_dft=engine.is_dft,
            structure=result.structure,
            energy=result.energy * len(result.structure),
            energy_per_atom=result.energy,
            forces=_rows(result.forces),
            stress=_rows(result.stress),
            magmoms=None if result.magmoms is None else [float(m) for m in result.magmoms],
            band_gap=result.band_gap,
            converged=result.converged,
            max_force=result.max_force,
            num_steps=result.steps,
            wall_seconds=result.seconds,
            cores=cores,
            core_hours=result.seconds * cores / 3600,
            versions=dict(versions),
            warnings=list(result.warnings),
            run_type=result.run_type,
            hubbards=dict(result.hubbards),
            is_stand_in=result.is_stand_in,
            **extra,
        )


def run_task(
    task: Task,
    engine: Engine,
    preset: str,
    structure: Structure | None,
    prev: CalculationDoc | CalculationFailure | None,
    versions: Mapping[str, str],
) -> CalculationDoc | CalculationFailure:
    """The outcome of one task of an engine that computes in this process: the body of its jobs."""
    start = starting_structure(structure, prev)
    if isinstance(start, CalculationFailure):
        return start
    compute = engine.relax if task == "relax" else engine.static
    try:
        return CalculationDoc.from_result(task, engine, preset, compute(start, preset), versions)
    except CalculationFailed as error:
        return CalculationFailure.from_error(error)


def starting_structure(
    structure: Structure | None,
    prev: CalculationDoc | CalculationFailure | None,
    *,
    resumes: bool = False,
) -> Structure | CalculationFailure:
    """What a job starts from: the structure given, else that of the calculation before, whose
    failure is passed on.

    A job whose worker died again and again, by a crash or a time limit, fails instead of trying for
    ever; one that `resumes` counts its lost runs itself.
    """
    if not resumes and len(folders := lost_runs()) >= MAX_LOST_RUNS:
        detail = (
            f"its worker died {len(folders)} times or ran out of time, the last time in "
            f"{folders[-1]}"
        )
        return CalculationFailure(reason="worker_died", detail=detail)
    if structure is not None:
        return structure
    if isinstance(prev, CalculationDoc):
        return prev.structure
    return prev or CalculationFailure(
        reason="no_structure", detail="the calculation before left no result"
    )


def lost_runs() -> list[str]:
    """Folders of earlier runs of the present job whose worker died, in order."""
    from jobflow import CURRENT_JOB

    tags = CURRENT_JOB.job.metadata.get("tags", []) if CURRENT_JOB.job else []
    return [tag.removeprefix(LOST_RUN_TAG) for tag in tags if tag.startswith(LOST_RUN_TAG)]


def _rows(array: NDArray[np.float64] | None) -> list[Vector] | None:
    return None if array is None else [(float(x), float(y), float(z)) for x, y, z in array]


def validate_engine(
    engine: Engine, preset: str, structure: Structure, tolerance: float = 1e-3
) -> None:
    """The contract of an engine, for the tests of every engine: raise CalculationFailed where it is
    broken.

    Parameters
    ----------
    structure
        A sane crystal that is not relaxed.
    tolerance
        Largest difference of energies that should be equal, eV/atom.

    Raises
    ------
    CalculationFailed
        `contract_broken`: the energy is not invariant under translation, permutation and supercell,
        relaxation does not lower it, the result is not finite, or nonsense is accepted.
    """
    energy = engine.static(structure, preset).energy
    for what, other in _equal_structures(structure).items():
        difference = abs(engine.static(other, preset).energy - energy)
        if not difference <= tolerance:
            raise CalculationFailed(
                "contract_broken", f"{what} changes the energy by {difference:.2g} eV/atom"
            )
    relaxed = engine.relax(structure, preset)
    if not relaxed.energy <= energy + tolerance:
        raise CalculationFailed(
            "contract_broken", f"relaxation raises the energy {energy:.4f} to {relaxed.energy:.4f}"
        )
    if relaxed.structure.composition != structure.composition:
        raise CalculationFailed("contract_broken", "relaxation changes the composition")
    if not np.isfinite(engine.formation_energy(structure.composition, relaxed.energy)):
        raise CalculationFailed("contract_broken", "the formation energy is not finite")
    _must_refuse(engine, preset, structure)


def _equal_structures(structure: Structure) -> dict[str, Structure]:
    moved = structure.copy()
    moved.translate_sites(range(len(moved)), [0.13, 0.27, 0.41])
    turned = structure.copy()
    turned.make_supercell([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    return {
        "translation": moved,
        "permutation of sites": Structure.from_sites(list(structure)[::-1]),
        "another choice of axes": turned,
        "a supercell": structure * (2, 1, 1),
    }


def _must_refuse(engine: Engine, preset: str, structure: Structure) -> None:
    collapsed = structure.copy()
    collapsed.scale_lattice(len(structure) * 1.0)
    try:
        engine.static(collapsed, preset)
    except CalculationFailed:
        return
    raise CalculationFailed("contract_broken", "a crystal of 1 Angstrom^3 per atom is accepted")
