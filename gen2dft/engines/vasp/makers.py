"""Engine `vasp` as jobflow jobs: relax, static and uniform bands, each yielding a CalculationDoc or
a failure.

A job runs atomate2's own job as a function, in its own folder: so the failure of a run is still in
hand there, with custodian's log and the last structure, and becomes the job's output instead of a
fizzled firework.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobflow import Maker, Response, job
from pymatgen.core import Structure

from gen2dft.engines.base import CalculationDoc, CalculationFailure, lost_runs, starting_structure
from gen2dft.engines.vasp.attempts import (
    GoOn,
    Spent,
    after_lost_runs,
    relax_attempt,
    single_attempt,
)

Outcome = CalculationDoc | CalculationFailure


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
        """Relax `structure`, or what `prev` ended with.

        A stopped run is replaced by a job that goes on from it.
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
class VaspStaticMaker(Maker):
    """Energy, forces, gap and charge density of a structure as it is.

    Parameters
    ----------
    name
        Name of the job.
    preset
        Name of a preset of engine `vasp`.
    """

    name: str = "vasp static"
    preset: str = "ggau-v1"

    @job
    def make(self, structure: Structure | None = None, prev: Outcome | None = None) -> Outcome:
        """Compute `structure`, or what `prev` ended with."""
        start = starting_structure(structure, prev)
        return (
            start
            if isinstance(start, CalculationFailure)
            else single_attempt("static", self.preset, start)
        )


@dataclass
class VaspUniformBandsMaker(Maker):
    """Bands on a dense Gamma-centred mesh, from the charge density of a static calculation.

    Parameters
    ----------
    name
        Name of the job.
    preset
        Name of a preset of engine `vasp`.
    """

    name: str = "vasp uniform bands"
    preset: str = "ggau-v1"

    @job
    def make(
        self, structure: Structure | None = None, prev: Outcome | None = None, scale: float = 1.0
    ) -> Outcome:
        """Bands of what `prev`, a static calculation, was made of.

        Its folder must still be there.
        """
        start = starting_structure(structure, prev)
        if isinstance(start, CalculationFailure):
            return start
        if not isinstance(prev, CalculationDoc) or prev.task != "static" or prev.directory is None:
            detail = (
                "uniform bands need `prev`, a static calculation with its folder: they start "
                "from its CHGCAR"
            )
            return CalculationFailure(reason="no_charge_density", detail=detail)
        return single_attempt("uniform_bands", self.preset, start, prev.directory, scale)
