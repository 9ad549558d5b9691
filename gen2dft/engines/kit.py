"""From the plain functions of an engine to documents: provenance, cost and failures are filled in
here, alike for every engine.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pymatgen.core import Structure

from gen2dft.calculation import Calculation
from gen2dft.engines import ENGINES, GROUP, installed_engine
from gen2dft.engines.base import (
    LOST_RUN_TAG,
    CalculationDoc,
    CalculationFailure,
    Engine,
    Outcome,
    Task,
)
from gen2dft.engines.guard import guarded
from gen2dft.errors import CalculationFailed, PluginMissing
from gen2dft.plugins import origin

if TYPE_CHECKING:
    from gen2dft.transport.bands import UniformBands

MAX_LOST_RUNS = 3  # of one job, after which it is not tried again


def run_task(
    task: Task, engine: Engine, preset: str, structure: Structure | None, prev: Outcome | None
) -> Outcome:
    """The outcome of one task in the present folder, for `structure` or the final one of `prev`.

    For the jobs of an engine that brings its own; others are `EngineMaker`s.
    """
    return outcome_of(partial(calculate, task, engine, preset), structure, prev)


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
        return guarded(compute(start))
    except CalculationFailed as error:
        return CalculationFailure.from_error(error)
    except PluginMissing as error:
        return CalculationFailure(reason="plugin_missing", detail=str(error))


def calculate(
    task: Task, engine: Engine, preset: str, structure: Structure, scale: float = 1.0
) -> CalculationDoc:
    """Compute one task in the present folder.

    Parameters
    ----------
    scale
        Spacing of the k-points of uniform bands, in units of the preset's.

    Raises
    ------
    CalculationFailed
        With the engine's reasons, and `no_bands` if it computes none.
    """
    begun = time.perf_counter()
    result = _compute(task, engine, preset, structure, scale)
    return document(result, task, engine, preset, time.perf_counter() - begun)


def _compute(
    task: Task, engine: Engine, preset: str, structure: Structure, scale: float
) -> Calculation:
    if task == "uniform_bands":
        if engine.bands is None:
            raise CalculationFailed("no_bands", f"engine {engine.name!r} computes no bands")
        return engine.bands(structure, preset, Path.cwd(), scale)
    compute = engine.relax if task == "relax" else engine.static
    if engine.takes_folder:
        return compute(structure, preset, Path.cwd())
    return compute(structure, preset)


def document(
    result: Calculation, task: Task, engine: Engine, preset: str, seconds: float
) -> CalculationDoc:
    """The document of a result; an engine that fills in the provenance itself keeps its own.

    Parameters
    ----------
    seconds
        Wall time, for a result that does not tell its own.
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
        found["wall_seconds"] = seconds
    found["core_hours"] = found["wall_seconds"] * result.cores / 3600
    if engine.takes_folder or task == "uniform_bands":
        found["directory"] = f"{socket.gethostname()}:{Path.cwd()}"
    return CalculationDoc(task=task, preset=preset, **found)


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
        return prev.structure
    return prev or CalculationFailure(
        reason="no_structure", detail="the calculation before left no result"
    )


def lost_runs() -> list[str]:
    """Folders of earlier runs of the present job whose worker died, in order."""
    from jobflow import CURRENT_JOB

    job = CURRENT_JOB.job
    tags = job.metadata.get("tags", []) if job else []
    return [tag.removeprefix(LOST_RUN_TAG) for tag in tags if tag.startswith(LOST_RUN_TAG)]
