"""From the plain functions of an engine to documents: provenance, cost and failures are filled in
here, alike for every engine.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.core import Structure

from gen2dft.calculation import Calculation
from gen2dft.campaign.engine_defaults import GROUP
from gen2dft.engines import ENGINES, installed_engine
from gen2dft.engines.base import (
    LOST_RUN_TAG,
    STEPS,
    CalculationDoc,
    CalculationFailure,
    Engine,
    Outcome,
    Task,
)
from gen2dft.engines.guard import guarded
from gen2dft.engines.spent import HOUR, Meter, within
from gen2dft.errors import CalculationFailed, PluginMissing
from gen2dft.plugins import origin
from gen2dft.symmetry import with_exact_symmetry

if TYPE_CHECKING:
    from gen2dft.transport.bands import UniformBands

SAME_PLACE = 0.05  # Angstrom; symmetry is made exact within a tenth of that
MAX_LOST_RUNS = 3  # of one job, after which it is not tried again


@dataclass(frozen=True)
class Given:
    """What a calculation goes by besides its structure.

    Parameters
    ----------
    prev
        Outcome of the calculation before.
    scale
        Spacing of the k-points of uniform bands, in units of the preset's.
    cpu_left
        CPU seconds that it and those after it may use; None: no limit.
    """

    prev: Outcome | None = None
    scale: float = 1.0
    cpu_left: float | None = None

    @property
    def limit(self) -> float | None:
        """CPU seconds that are left: what the calculation before left, else `cpu_left`."""
        if isinstance(self.prev, CalculationDoc) and self.prev.cpu_left is not None:
            return self.prev.cpu_left
        return self.cpu_left


def run_task(
    task: Task, engine: Engine, preset: str, structure: Structure | None, prev: Outcome | None
) -> Outcome:
    """The outcome of one task in the present folder, for `structure` or the final one of `prev`.

    For the jobs of an engine that brings its own; others are `EngineMaker`s.
    """
    compute = partial(calculate, task, engine, preset, given=Given(prev))
    return outcome_of(compute, structure, prev)


def outcome_of(
    compute: Callable[[Structure], Outcome], structure: Structure | None, prev: Outcome | None
) -> Outcome:
    """Compute from where a job starts; failures become outcomes, the one of `prev` included.

    So do results that are not believed.
    """
    start = starting_structure(structure, prev)
    if isinstance(start, CalculationFailure):
        return start
    try:
        return guarded(compute(start), start)
    except CalculationFailed as error:
        return CalculationFailure.from_error(error)
    except PluginMissing as error:
        return CalculationFailure(reason="plugin_missing", detail=str(error))


def calculate(
    task: Task, engine: Engine, preset: str, structure: Structure, given: Given | None = None
) -> CalculationDoc:
    """Compute one task in the present folder, unless the calculation before has done so.

    Raises
    ------
    CalculationFailed
        With the engine's reasons and what it has cost; `no_bands` if the engine computes none,
        `too_expensive` beyond the limit.
    """
    given = given or Given()
    known = _known(task, engine, preset, structure, given.prev)
    if known is not None:
        return known
    meter = Meter(engine.in_process)
    try:
        with within(given.limit):
            result = _compute(task, engine, preset, structure, given)
    except CalculationFailed as failure:
        failure.costs = {STEPS[task]: meter.core_hours}
        raise
    found = document(result, task, engine, preset, meter)
    if given.limit is None:
        return found
    left = given.limit - found.core_hours * HOUR
    return found.model_copy(update={"cpu_left": left})


def _known(
    task: Task, engine: Engine, preset: str, structure: Structure, prev: Outcome | None
) -> CalculationDoc | None:
    """The document of a task that would only repeat the calculation before, which costs nothing:
    the energy of a structure that has just been computed, or the relaxation of one at rest.
    """
    if not isinstance(prev, CalculationDoc) or not prev.ends_as_static:
        return None
    if not _is_by(prev, engine, preset) or not _ended_at(prev, structure):
        return None
    looked = prev.task == "look"
    if task == "static" and (looked or prev.task == "relax"):
        return _again(prev, task, structure)
    if task != "relax" or not looked or engine.at_rest is None:
        return None
    return _again(prev, task, structure) if engine.at_rest(prev, preset) else None


def _is_by(calculation: CalculationDoc, engine: Engine, preset: str) -> bool:
    """Whether a calculation has the settings of a preset of an engine."""
    settings = engine.preset(preset).settings_hash
    return (calculation.engine, calculation.settings_hash) == (engine.name, settings)


def _ended_at(calculation: CalculationDoc, structure: Structure) -> bool:
    """Whether a calculation ended at a structure, but for symmetry made exact."""
    final = calculation.structure
    if final.atomic_numbers != structure.atomic_numbers:
        return False
    places = np.vstack([final.lattice.matrix, final.cart_coords])
    others = np.vstack([structure.lattice.matrix, structure.cart_coords])
    return bool(np.abs(places - others).max() < SAME_PLACE)


def _again(prev: CalculationDoc, task: Task, structure: Structure) -> CalculationDoc:
    """A finished calculation as the document of another task, without its cost."""
    changes: dict[str, Any] = {
        "task": task,
        "structure": structure,
        "num_steps": 0,
        "wall_seconds": 0.0,
        "cpu_seconds": 0.0,
        "core_hours": 0.0,
        "warnings": [],
        "completed_at": datetime.now(UTC),
    }
    return prev.model_copy(update=changes)


def _compute(
    task: Task, engine: Engine, preset: str, structure: Structure, given: Given
) -> Calculation:
    if task == "uniform_bands":
        return _bands(engine, preset, structure, given)
    compute = {"look": engine.look, "relax": engine.relax, "static": engine.static}[task]
    if compute is None:
        raise CalculationFailed("no_look", f"engine {engine.name!r} has no look before relaxing")
    arguments: tuple[Any, ...] = (structure, preset)
    if engine.takes_folder:
        arguments = (*arguments, Path.cwd())
    if task == "relax" and engine.relaxes_from_look:
        arguments = (*arguments, _look_at(engine, preset, structure, given.prev))
    return compute(*arguments)


def _look_at(
    engine: Engine, preset: str, structure: Structure, prev: Outcome | None
) -> CalculationDoc | None:
    """The look at a structure with the same settings; None if `prev` is none, or was cut short."""
    if not isinstance(prev, CalculationDoc) or prev.task != "look" or not prev.ends_as_static:
        return None
    is_same = _is_by(prev, engine, preset) and _ended_at(prev, structure)
    return prev if is_same else None


def _bands(engine: Engine, preset: str, structure: Structure, given: Given) -> Calculation:
    if engine.bands is None:
        raise CalculationFailed("no_bands", f"engine {engine.name!r} computes no bands")
    arguments: tuple[Any, ...] = (structure, preset, Path.cwd(), given.scale)
    if engine.reuses_density:
        arguments = (*arguments, _coarser_folder(engine, preset, given.prev))
    return engine.bands(*arguments)


def _coarser_folder(engine: Engine, preset: str, prev: Outcome | None) -> Path | None:
    """The folder of the coarser bands with the same settings; None if `prev` are none."""
    if not isinstance(prev, CalculationDoc) or prev.task != "uniform_bands":
        return None
    is_same = _is_by(prev, engine, preset)
    return local_folder(prev.directory) if is_same and prev.directory else None


def document(
    result: Calculation, task: Task, engine: Engine, preset: str, meter: Meter
) -> CalculationDoc:
    """The document of a result; an engine that fills in the provenance itself keeps its own.

    Parameters
    ----------
    meter
        Of the calculation, for a result that does not tell its own time.
    """
    if isinstance(result, CalculationDoc):
        return result
    found = dict(result)
    found["engine"] = engine.name
    found["is_dft"] = engine.is_dft
    found["versions"] = versions_of(engine)
    found["settings_hash"] = engine.preset(preset).settings_hash
    found["energy"] = result.energy_per_atom * len(result.structure)
    if result.wall_seconds is None:
        found["wall_seconds"] = meter.wall_seconds
    if result.cpu_seconds is None:
        found["cpu_seconds"] = meter.cpu_seconds
    found["core_hours"] = _core_hours(found)
    if engine.takes_folder or task == "uniform_bands":
        found["directory"] = f"{socket.gethostname()}:{Path.cwd()}"
    return CalculationDoc(task=task, preset=preset, **found)


def _core_hours(found: Mapping[str, Any]) -> float:
    """CPU time where it is known, else wall time on all cores."""
    if found["cpu_seconds"] is not None:
        return float(found["cpu_seconds"]) / HOUR
    return float(found["wall_seconds"] * found["cores"]) / HOUR


def bands_of(calculation: CalculationDoc) -> UniformBands:
    """The bands that a finished calculation left in its folder, read by its engine.

    Raises
    ------
    CalculationFailed
        `no_bands` if it left none, `plugin_missing` if its engine is not installed here, or with
        the reasons of `Engine.read_bands`.
    """
    if calculation.task != "uniform_bands" or calculation.directory is None:
        place = calculation.directory or "no folder"
        detail = f"task {calculation.task} of engine {calculation.engine!r} ({place}) has no bands"
        raise CalculationFailed("no_bands", detail, calculation.directory)
    try:
        engine = installed_engine(calculation.engine)
    except PluginMissing as err:
        raise CalculationFailed("plugin_missing", str(err), calculation.directory) from err
    if engine.read_bands is None:
        detail = f"engine {engine.name!r} reads no bands"
        raise CalculationFailed("no_bands", detail, calculation.directory)
    return engine.read_bands(local_folder(calculation.directory))


def local_folder(directory: str) -> Path:
    """The folder of `host:path`, as this machine sees it."""
    host, _, path = directory.partition(":")
    return Path(path or host)


def versions_of(engine: Engine) -> dict[str, str]:
    """Versions of the packages that decide an engine's results; an engine from another package
    names that too.
    """
    versions = {package: version(package) for package in engine.packages}
    package = package_of(engine.name)
    return versions if package is None else {**versions, package[0]: package[1]}


def package_of(engine: str) -> tuple[str, str] | None:
    """Distribution and version of an engine from another package; None if gen2dft brings it."""
    if engine not in ENGINES:  # one that is built for a test or a script
        return None
    distribution, number = origin(GROUP, engine)
    return None if distribution == "gen2dft" else (distribution, number)


def starting_structure(
    structure: Structure | None, prev: Outcome | None, *, resumes: bool = False
) -> Structure | CalculationFailure:
    """The structure given, else that of the calculation before, whose failure is passed on.

    A job whose worker died again and again, by a crash or a time limit, fails instead of trying for
    ever; one that `resumes` counts its lost runs itself.
    """
    folders = lost_runs()
    if not resumes and len(folders) >= MAX_LOST_RUNS:
        detail = (
            f"its worker died {len(folders)} times or ran out of time, the last time in "
            f"{folders[-1]}"
        )
        return CalculationFailure(reason="worker_died", detail=detail)
    if structure is not None:
        return structure
    if isinstance(prev, CalculationDoc):
        return with_moments(prev)
    return prev or CalculationFailure(
        reason="no_structure", detail="the calculation before left no result"
    )


def final_structure(calculation: CalculationDoc) -> Structure:
    """Where a calculation ended; after a relaxation with the symmetry within 0.01 Angstrom exact.

    Sites keep their order, and so their moments. A relaxation leaves symmetric sites apart by its
    tolerance, which would cost the next calculation its symmetry and many times the k-points.
    """
    if calculation.task != "relax":
        return calculation.structure
    return with_exact_symmetry(calculation.structure)


def with_moments(calculation: CalculationDoc) -> Structure:
    """Final structure of a calculation, with the magnetic moments that it found by DFT.

    The next calculation starts from them: from scratch it would take longer, or end elsewhere.
    """
    structure = final_structure(calculation)
    if not calculation.is_dft or calculation.magmoms is None:
        return structure
    magnetic = structure.copy()
    magnetic.add_site_property("magmom", list(calculation.magmoms))
    return magnetic


def lost_runs() -> list[str]:
    """Folders of earlier runs of the present job whose worker died, in order."""
    from jobflow import CURRENT_JOB

    job = CURRENT_JOB.job
    tags = job.metadata.get("tags", []) if job else []
    return [tag.removeprefix(LOST_RUN_TAG) for tag in tags if tag.startswith(LOST_RUN_TAG)]
