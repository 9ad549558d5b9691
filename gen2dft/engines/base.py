"""What an engine is, and the documents of its calculations.

The classes of documents keep their names and this module: outputs of jobs that are stored in a
database name both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field
from pymatgen.core import Composition, Structure

from gen2dft.calculation import Calculation
from gen2dft.engines.bounds import GENERAL, Bounds
from gen2dft.errors import CalculationFailed, CampaignError, DatasetError, not_one_of

if TYPE_CHECKING:
    from pathlib import Path

    from jobflow import Maker

    from gen2dft.transport.bands import UniformBands

Task = Literal["look", "relax", "static", "uniform_bands"]

# Task to the step whose cost it is, in the order of the steps.
STEPS: Mapping[Task, str] = {
    "look": "look",
    "relax": "relax",
    "static": "static",
    "uniform_bands": "bands",
}

# Reasons of failures that tell of the machine or the program, not of the crystal, whichever engine
# it is.
BREAKDOWNS = frozenset(
    {"calculation_crashed", "plugin_missing", "stand_in", "too_many_attempts", "worker_died"}
)
# Begins a job's tag that names the folder of an earlier run of it, whose worker died.
LOST_RUN_TAG = "lost-run:"


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
    core_hours: float = Field(0.0, description="cost of the attempts, counted in the budget")
    costs: dict[str, float] = Field({}, description="the same by step, core-hours; see STEPS")

    @classmethod
    def from_error(cls, error: CalculationFailed) -> CalculationFailure:
        """The failure that an engine raised, with what it has cost if that was measured."""
        directory = None if error.directory is None else str(error.directory)
        return cls(
            reason=error.reason,
            detail=error.detail,
            directory=directory,
            core_hours=sum(error.costs.values()),
            costs=error.costs,
        )


class CustodianCorrection(BaseModel):
    """One correction that custodian made to a running calculation."""

    model_config = ConfigDict(extra="forbid")

    handler: str = Field(description="class of custodian's handler")
    errors: list[str] = Field(description="what the handler found")
    actions: list[str] = Field(description="what it changed, such as `INCAR: EDIFF = 1e-06`")


class CalculationDoc(Calculation):
    """One finished calculation with its provenance, the same for every engine."""

    engine: str
    task: Task
    preset: str
    settings_hash: str = Field(description="hash of all settings that decide the result")
    is_dft: bool = Field(description="False for surrogates such as ML potentials")
    energy: float = Field(
        description="total energy of the cell, eV, with the corrections named below"
    )
    is_gap_direct: bool | None = None
    converged_electronic: bool | None = Field(
        None, description="None if there are no electrons to converge"
    )
    converged_ionic: bool | None = Field(
        None, description="None for a calculation that moves no atoms"
    )
    wall_seconds: float
    core_hours: float = Field(
        description="CPU time where it is known, else wall time on all cores, as a queue bills it"
    )
    cpu_left: float | None = Field(
        None,
        description="CPU seconds left to the calculations after it; None: no limit",
    )
    versions: dict[str, str] = Field(description="program, or the engine's package, to version")
    corrections: list[str] = Field([], description="named energy corrections, already applied")
    custodian: list[CustodianCorrection] = Field(
        [], description="corrections custodian made, in order"
    )
    settings_changed: bool = Field(
        False,
        description="custodian changed settings that the energy depends on: it belongs to the "
        "changed ones",
    )
    directory: str | None = Field(
        None, description="where the files of the calculation are, `host:path`"
    )
    completed_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


Outcome = CalculationDoc | CalculationFailure


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
        """Purpose of the preset, in one sentence."""

    def contents(self) -> dict[str, Any]:
        """All that it sets, as plain values for `gen2dft presets show`."""


@dataclass(frozen=True)
class Makers:
    """The jobs of one engine and preset.

    Each Maker's `make(structure=None, prev=None)` yields a CalculationDoc, or a CalculationFailure
    with its reason; without a structure it starts from the final one of `prev`, the outcome of the
    calculation before. `uniform_bands` also takes `scale`, the spacing of the k-points in units of
    the preset's; None for an engine that computes no bands. `look` comes before the relaxation, see
    `Engine`; None for an engine without.
    """

    relax: Maker
    static: Maker
    uniform_bands: Maker | None = None
    look: Maker | None = None


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
    """One way of computing energies: plain functions, of which `gen2dft.engines.makers` makes jobs.

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
        `(structure, preset name)` to a Calculation; both raise CalculationFailed. They also take
        the folder for their files if the engine `takes_folder`.
    formation_energy
        From composition and eV/atom of this engine to the formation energy, eV/atom; DatasetError
        if the engine has no reference energy of an element.
    bands
        `(structure, preset name, folder, scale)` to the Calculation of bands on a uniform mesh,
        left in the folder for `read_bands`; `scale` is the spacing of the k-points in units of the
        preset's. An engine that `reuses_density` also gets the folder of the coarser bands, or
        None.
    read_bands
        From the folder of a calculation of bands to the bands. Raises CalculationFailed: `no_bands`
        without its files, `unreadable`, or as `gen2dft.transport.bands.uniform_bands`.
    makers
        From a preset's name to the jobs of an engine that needs more than one call per task; None:
        the jobs call the functions above.
    scale
        Scale that its formation energies are on by themselves (`gen2dft.thermo.scales`); None for
        uncorrected ones.
    packages
        Distributions whose versions decide the result; documents name them.
    takes_folder
        Whether `relax` and `static` take the folder for their files as a third argument. Documents
        then name it.
    look
        As `static`: gap, forces, stress and moments of a structure before anything dearer is
        computed. None: a candidate begins with its relaxation.
    at_rest
        From the result of `look` and the preset's name to whether a relaxation would change
        nothing that matters. None: it always might.
    relaxes_from_look
        Whether `relax` takes the result of the look at the same structure after its folder, or
        None.
    in_process
        Whether it computes in the process that calls it, so that the CPU time of the process is
        what it costs.
    reuses_density
        Whether `bands` of a finer mesh may start from the files of a coarser one.
    check
        Called with a preset's name and the symbols of the elements to come, before a campaign
        begins. Raises CampaignError or SettingsError for what cannot work; returns what is missing
        on this machine alone.
    doubts
        As `check`, but returns what may be wrong with the results for some elements; told before a
        campaign begins, which nothing of it stops.
    bounds
        What its results are believed within, see `gen2dft.engines.guard`.
    breakdowns
        Reasons of failures, beside `BREAKDOWNS`, that say that the engine itself does not work,
        whatever the crystal.
    default_preset
        Preset of campaigns that name the engine alone; None: the first of `presets`.
    """

    name: str
    is_dft: bool
    provides: frozenset[str]
    presets: Mapping[str, Preset]
    relax: Callable[..., Calculation]
    static: Callable[..., Calculation]
    formation_energy: Callable[[Composition, float], float]
    bands: Callable[[Structure, str, Path, float], Calculation] | None = None
    read_bands: Callable[[Path], UniformBands] | None = None
    makers: Callable[[str], Makers] | None = None
    scale: str | None = None
    packages: tuple[str, ...] = ()
    takes_folder: bool = False
    look: Callable[..., Calculation] | None = None
    at_rest: Callable[[Calculation, str], bool] | None = None
    relaxes_from_look: bool = False
    in_process: bool = False
    reuses_density: bool = False
    check: Callable[[str, Collection[str]], tuple[str, ...]] = nothing_to_check
    doubts: Callable[[str, Collection[str]], tuple[str, ...]] = nothing_to_check
    bounds: Bounds = GENERAL
    breakdowns: frozenset[str] = frozenset()
    default_preset: str | None = None

    @property
    def preset_named_alone(self) -> str:
        """The preset of a campaign that names the engine alone."""
        return self.default_preset or next(iter(self.presets))

    def preset(self, name: str) -> Preset:
        """The preset of that name; CampaignError names the choices."""
        if name not in self.presets:
            choices = not_one_of(f"preset of engine {self.name!r}", name, self.presets)
            raise CampaignError(
                f"{choices} An engine named alone, as by --engine {self.name}, takes "
                f"{self.preset_named_alone}"
            )
        return self.presets[name]


# Names of an earlier interface, for engines of other packages that still import them.
MOVED = {
    "Relaxed": "let relax and static return a gen2dft.calculation.Calculation, and leave run_task "
    "and the Makers out, since gen2dft makes the jobs",
    "run_task": "leave it and the Makers out, since gen2dft makes the jobs",
    "validate_engine": "import it from gen2dft.engines.contract",
}

if not TYPE_CHECKING:  # for type checkers a missing name is an error already

    def __getattr__(name: str) -> Any:
        """Refuse an engine that was written for an earlier interface, with the remedy."""
        if name in MOVED:
            raise ImportError(
                f"{name} is no longer in gen2dft.engines.base: {MOVED[name]} (docs/plugins.md)",
                name=name,
            )
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
