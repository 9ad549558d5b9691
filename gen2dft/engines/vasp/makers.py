"""Jobs of engine `vasp`: a relaxation in several attempts, and bands that need a charge density.

A job runs atomate2's own job as a function, in its own folder: so the failure of a run is still in
hand there, with custodian's log and the last structure, and becomes the job's output instead of a
fizzled firework.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobflow import Maker, Response, job
from pymatgen.core import Structure

from gen2dft.engines.base import CalculationDoc, CalculationFailure, Outcome, Task
from gen2dft.engines.kit import lost_runs, starting_structure
from gen2dft.engines.makers import EngineMaker
from gen2dft.engines.vasp.attempts import (
    GoOn,
    Spent,
    after_lost_runs,
    relax_attempt,
    single_attempt,
)


@dataclass
class VaspRelaxMaker(Maker):
    """Relax positions and cell.

    Parameters
    ----------
    name
        Name of the job.
    preset
        Name of a preset of engine `vasp`.
    """

    name: str = "vasp relax"
    preset: str = "ggau-v1"

    @job
    def make(
        self,
        structure: Structure | None = None,
        prev: Outcome | None = None,
        spent: Spent | None = None,
    ) -> Response[Outcome] | Outcome:
        """Relax `structure`, or the final structure of `prev`.

        A stopped run is replaced by a job that resumes it.
        """
        start = starting_structure(structure, prev, resumes=True)
        if isinstance(start, CalculationFailure):
            return start
        resumed = after_lost_runs(self.preset, start, spent or Spent(), lost_runs())
        if isinstance(resumed, CalculationFailure):
            return resumed
        outcome = relax_attempt(self.preset, resumed.structure, resumed.spent)
        if isinstance(outcome, GoOn):
            return Response(replace=self.make(outcome.structure, spent=outcome.spent))
        return outcome


@dataclass
class VaspStaticMaker(EngineMaker):
    """Energy, forces, gap and charge density of a structure as it is."""

    name: str = "vasp static"
    engine: str = "vasp"
    preset: str = "ggau-v1"

    def compute(
        self,
        start: Structure,
        prev: Outcome | None,  # noqa: ARG002
        scale: float,  # noqa: ARG002
    ) -> Outcome:
        """One attempt in the present folder, whose failure tells its cost."""
        return single_attempt("static", self.preset, start)


@dataclass
class VaspUniformBandsMaker(EngineMaker):
    """Bands on a dense Gamma-centred mesh, from the charge density of a static calculation."""

    name: str = "vasp uniform bands"
    engine: str = "vasp"
    task: Task = "uniform_bands"
    preset: str = "ggau-v1"

    def compute(self, start: Structure, prev: Outcome | None, scale: float) -> Outcome:
        """Bands from `prev`, a static calculation whose folder must still be there."""
        if not isinstance(prev, CalculationDoc) or prev.task != "static" or prev.directory is None:
            detail = (
                "uniform bands need `prev`, a static calculation with its folder: they start "
                "from its CHGCAR"
            )
            return CalculationFailure(reason="no_charge_density", detail=detail)
        return single_attempt("uniform_bands", self.preset, start, prev.directory, scale)
