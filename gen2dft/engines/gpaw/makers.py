"""Jobs of engine `gpaw` as fireworks in running databases name them; see `mlip_makers`."""

from __future__ import annotations

from dataclasses import dataclass

from gen2dft.engines.base import Task
from gen2dft.engines.makers import EngineMaker


@dataclass
class GPAWRelaxMaker(EngineMaker):
    """A relaxation that an earlier version stored."""

    name: str = "gpaw relax"
    engine: str = "gpaw"
    task: Task = "relax"
    preset: str = "gpaw-v1"


@dataclass
class GPAWStaticMaker(EngineMaker):
    """A static calculation that an earlier version stored."""

    name: str = "gpaw static"
    engine: str = "gpaw"
    preset: str = "gpaw-v1"


@dataclass
class GPAWUniformBandsMaker(EngineMaker):
    """A calculation of bands that an earlier version stored."""

    name: str = "gpaw uniform bands"
    engine: str = "gpaw"
    task: Task = "uniform_bands"
    preset: str = "gpaw-v1"
