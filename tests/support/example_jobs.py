"""Jobs that stand in for those of an engine with bands."""

from __future__ import annotations

import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from example_bands import cosine_bands, tetragonal
from gpaw_files import write_gpw
from jobflow import Maker, job
from pymatgen.core import Structure

from gen2dft.engines.base import CalculationDoc, CalculationFailure, Task

COARSE = 10  # k-points along each axis at a scale of 1


def document(task: Task, folder: Path | str) -> CalculationDoc:
    return CalculationDoc(
        task=task,
        engine="gpaw",  # which reads the bands below, whether GPAW is installed or not
        preset="example-v1",
        settings_hash="0",
        is_dft=False,
        structure=tetragonal(),
        energy=-1.0,
        energy_per_atom=-1.0,
        converged=True,
        max_force=0.0,
        num_steps=0,
        wall_seconds=0.0,
        cores=1,
        core_hours=0.25,
        versions={},
        directory=f"{socket.gethostname()}:{folder}",
    )


@dataclass
class ExampleMaker(Maker):
    """A calculation before the bands."""

    name: str = "example"
    gap: float | None = None

    @job
    def make(self, structure: Structure | None = None, prev: object = None) -> object:
        return document("static", Path.cwd()).model_copy(
            update={"values": {} if self.gap is None else {"band_gap": self.gap}}
        )


@dataclass
class OvertimeMaker(Maker):
    """A calculation during which the limit of CPU time is reached."""

    name: str = "overtime"

    @job
    def make(self, structure: Structure | None = None, prev: object = None) -> object:
        signal.raise_signal(signal.SIGPROF)


@dataclass
class ExampleBandsMaker(Maker):
    """Bands with the gap given.

    Without one it fails, as it does on meshes finer than the scale given.
    """

    name: str = "example bands"
    gap: float | None = 1.0
    finest: float = 0.0
    overtime: bool = False  # and then by reaching the limit of CPU time

    @job
    def make(
        self, structure: Structure | None = None, prev: object = None, scale: float = 1.0
    ) -> object:
        if self.overtime and scale < self.finest:
            signal.raise_signal(signal.SIGPROF)
        if self.gap is None or scale < self.finest:
            return CalculationFailure(reason="scf_not_converged", detail="stand-in")
        size = (2 * round(COARSE / scale / 2),) * 3
        write_gpw(Path("uniform.gpw"), cosine_bands(size, gap=self.gap, direct=self.gap > 0), 2.0)
        return document("uniform_bands", Path.cwd())
