"""Jobs of engine `mlip` as fireworks in running databases name them; new ones are `EngineMaker`s.

FireWorks imports a stored job's class by this path, so neither module nor names may change.
"""

from __future__ import annotations

from dataclasses import dataclass

from gen2dft.engines.base import Task
from gen2dft.engines.makers import EngineMaker


@dataclass
class MLIPRelaxMaker(EngineMaker):
    """A relaxation that an earlier version stored."""

    name: str = "mlip relax"
    task: Task = "relax"


@dataclass
class MLIPStaticMaker(EngineMaker):
    """A static calculation that an earlier version stored."""

    name: str = "mlip static"
