"""Engine `mlip` as jobflow jobs: relax and static, each yielding a CalculationDoc or a
CalculationFailure.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobflow import Maker, job
from pymatgen.core import Structure

from gen2dft.engines.base import CalculationDoc, CalculationFailure, run_task
from gen2dft.engines.mlip import ENGINE, versions


@dataclass
class MLIPRelaxMaker(Maker):
    """Relax positions and cell with the ML potential.

    Parameters
    ----------
    name
        Name of the job.
    preset
        Name of a preset of engine `mlip`.
    """

    name: str = "mlip relax"
    preset: str = "chgnet-v1"

    @job
    def make(
        self,
        structure: Structure | None = None,
        prev: CalculationDoc | CalculationFailure | None = None,
    ) -> CalculationDoc | CalculationFailure:
        """Relax `structure`, or what `prev` ended with."""
        return run_task("relax", ENGINE, self.preset, structure, prev, versions())


@dataclass
class MLIPStaticMaker(Maker):
    """Energy, forces and stress of a structure as it is, with the ML potential.

    Parameters
    ----------
    name
        Name of the job.
    preset
        Name of a preset of engine `mlip`.
    """

    name: str = "mlip static"
    preset: str = "chgnet-v1"

    @job
    def make(
        self,
        structure: Structure | None = None,
        prev: CalculationDoc | CalculationFailure | None = None,
    ) -> CalculationDoc | CalculationFailure:
        """Compute `structure`, or what `prev` ended with."""
        return run_task("static", ENGINE, self.preset, structure, prev, versions())
