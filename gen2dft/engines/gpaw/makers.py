"""Engine `gpaw` as jobflow jobs: relax, static and uniform bands.

GPAW's files stay in the folder of the job.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jobflow import Maker, job
from pymatgen.core import Structure

from gen2dft.engines.base import (
    CalculationDoc,
    CalculationFailure,
    Relaxed,
    Task,
    starting_structure,
)
from gen2dft.engines.gpaw import engine
from gen2dft.engines.gpaw.presets import get_preset, versions
from gen2dft.engines.kept import computed_once
from gen2dft.errors import CalculationFailed

Outcome = CalculationDoc | CalculationFailure


@dataclass
class GPAWRelaxMaker(Maker):
    """Relax positions and cell with GPAW.

    Parameters
    ----------
    name
        Name of the job.
    preset
        Name of a preset of engine `gpaw`.
    """

    name: str = "gpaw relax"
    preset: str = "gpaw-v1"

    @job
    def make(self, structure: Structure | None = None, prev: Outcome | None = None) -> Outcome:
        """Relax `structure`, or what `prev` ended with."""
        return _outcome("relax", self.preset, engine.relax, structure, prev)


@dataclass
class GPAWStaticMaker(Maker):
    """Energy, forces, stress and gap of a structure as it is, with GPAW.

    Parameters
    ----------
    name
        Name of the job.
    preset
        Name of a preset of engine `gpaw`.
    """

    name: str = "gpaw static"
    preset: str = "gpaw-v1"

    @job
    def make(self, structure: Structure | None = None, prev: Outcome | None = None) -> Outcome:
        """Compute `structure`, or what `prev` ended with."""
        return _outcome("static", self.preset, engine.static, structure, prev)


@dataclass
class GPAWUniformBandsMaker(Maker):
    """Bands on a uniform mesh with GPAW, in `uniform.gpw` of the job's folder.

    Parameters
    ----------
    name
        Name of the job.
    preset
        Name of a preset of engine `gpaw`.
    """

    name: str = "gpaw uniform bands"
    preset: str = "gpaw-v1"

    @job
    def make(
        self, structure: Structure | None = None, prev: Outcome | None = None, scale: float = 1.0
    ) -> Outcome:
        """Bands of `structure`, or of what `prev` ended with; no file of it is needed."""
        compute = partial(
            engine.uniform_bands, spacing=scale * get_preset(self.preset).bands_spacing
        )
        return _outcome("uniform_bands", self.preset, compute, structure, prev)


@computed_once
def _outcome(
    task: Task,
    preset: str,
    compute: Callable[[Structure, str, Path], Relaxed],
    structure: Structure | None,
    prev: Outcome | None,
) -> Outcome:
    """The outcome of a task that computes in the folder of the job."""
    start = starting_structure(structure, prev)
    if isinstance(start, CalculationFailure):
        return start
    folder = Path.cwd()
    try:
        result = compute(start, preset, folder)
    except CalculationFailed as error:
        return CalculationFailure.from_error(error)
    place = f"{socket.gethostname()}:{folder}"
    return CalculationDoc.from_result(
        task, engine.ENGINE, preset, result, versions(), directory=place
    )
