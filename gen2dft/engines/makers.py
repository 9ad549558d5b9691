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
from gen2dft.engines.kit import calculate, outcome_of, package_of


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
        `relax`, `static` or `uniform_bands`.
    preset
        Name of a preset of the engine.
    package
        Distribution and version that the engine is from, for workers that lack it; None if it
        ships with gen2dft.
    """

    name: str = "calculation"
    engine: str = "mlip"
    task: Task = "static"
    preset: str = "chgnet-v1"
    package: str | None = None

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
        prev: Outcome | None,  # noqa: ARG002
        scale: float,
    ) -> Outcome:
        """Call the engine; an engine whose tasks need `prev` overrides this."""
        engine = installed_engine(self.engine, self.package)
        return calculate(self.task, engine, self.preset, start, scale)


def makers_of(engine: Engine, preset: str) -> Makers:
    """The jobs of an engine: its own if it brings any, else generic ones.

    Raises
    ------
    CampaignError
        If the engine has no such preset.
    """
    engine.preset(preset)
    if engine.makers is not None:
        return engine.makers(preset)
    relax = _maker(engine, "relax", preset)
    static = _maker(engine, "static", preset)
    bands = None
    if engine.bands is not None:
        bands = _maker(engine, "uniform_bands", preset)
    return Makers(relax, static, bands)


def _maker(engine: Engine, task: Task, preset: str) -> EngineMaker:
    spoken = task.replace("_", " ")
    package = package_of(engine.name)
    origin = None
    if package is not None:
        origin = " ".join(package)
    return EngineMaker(f"{engine.name} {spoken}", engine.name, task, preset, origin)
