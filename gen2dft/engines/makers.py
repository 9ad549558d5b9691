"""Engines as jobflow jobs: one Maker serves every task of every engine.

Jobflow stores the module path and the name of a Maker and imports it on the worker. `EngineMaker`
names its engine in a field instead, so that a stored job of a plugin can be read by a worker that
lacks the plugin, which then gives a reason instead of a crash.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobflow import Maker, job
from pymatgen.core import Structure

from gen2dft.engines import installed_engine
from gen2dft.engines.base import Engine, Makers, Outcome, Task
from gen2dft.engines.kept import computed_once
from gen2dft.engines.kit import Given, calculate, outcome_of, package_of


@dataclass
class EngineMaker(Maker):
    """One task of an engine as a job.

    Parameters
    ----------
    name
        Name of the job.
    engine
        Name of the engine, which the worker looks up.
    task
        `look`, `relax`, `static` or `uniform_bands`.
    preset
        Name of a preset of the engine.
    package
        Distribution and version that the engine is from, for workers that lack it; None if it
        ships with gen2dft.
    cpu_minutes
        CPU time that the candidate's calculations may use from this one on; None: no limit. What
        the calculation before has left counts instead, if it says so.
    """

    name: str = "calculation"
    engine: str = "mlip"
    task: Task = "static"
    preset: str = "chgnet-v1"
    package: str | None = None
    cpu_minutes: float | None = None

    @job
    def make(
        self,
        structure: Structure | None = None,
        prev: Outcome | None = None,
        scale: float = 1.0,
    ) -> Outcome:
        """Compute `structure`, or the final structure of `prev`.

        Parameters
        ----------
        scale
            Spacing of the k-points of uniform bands, in units of the preset's.
        """
        return computed_once(self.outcome)(structure, prev, scale)

    def outcome(
        self, structure: Structure | None, prev: Outcome | None, scale: float = 1.0
    ) -> Outcome:
        """Document or failure of the job, in the present folder."""
        return outcome_of(lambda start: self.compute(start, prev, scale), structure, prev)

    def compute(
        self,
        start: Structure,
        prev: Outcome | None,
        scale: float,
    ) -> Outcome:
        """Call the engine; an engine whose files are read by its next task overrides this."""
        engine = installed_engine(self.engine, self.package)
        limit = None if self.cpu_minutes is None else 60 * self.cpu_minutes
        given = Given(prev, scale, limit)
        return calculate(self.task, engine, self.preset, start, given)


def makers_of(engine: Engine, preset: str, cpu_minutes: float | None = None) -> Makers:
    """The jobs of an engine: its own if it brings any, else generic ones.

    Parameters
    ----------
    cpu_minutes
        Limit of CPU time for one candidate's calculations together; the jobs that an engine brings
        have none.

    Raises
    ------
    CampaignError
        If the engine has no such preset.
    """
    engine.preset(preset)
    if engine.makers is not None:
        return engine.makers(preset)
    relax = _maker(engine, "relax", preset, cpu_minutes)
    static = _maker(engine, "static", preset, cpu_minutes)
    bands, look = None, None
    if engine.bands is not None:
        bands = _maker(engine, "uniform_bands", preset, cpu_minutes)
    if engine.look is not None:
        look = _maker(engine, "look", preset, cpu_minutes)
    return Makers(relax, static, bands, look)


def _maker(engine: Engine, task: Task, preset: str, cpu_minutes: float | None) -> EngineMaker:
    spoken = task.replace("_", " ")
    package = package_of(engine.name)
    origin = None
    if package is not None:
        origin = " ".join(package)
    name = f"{engine.name} {spoken}"
    return EngineMaker(name, engine.name, task, preset, origin, cpu_minutes)
