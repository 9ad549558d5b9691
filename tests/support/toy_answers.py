"""What the toy engine makes of a crystal that was asked for, as a script tells it."""

from __future__ import annotations

from typing import Any

from gen2dft.engines.base import CalculationDoc
from gen2dft.engines.kit import run_task
from gen2dft.rounds.asking import Asked
from tests.toys import TOY_ENGINE

BASIS = "toy:toy-v1"


def computed(crystal: Asked) -> dict[str, Any]:
    """Arguments of `Answer` and of `Campaign.tell`: a result, or why there is none."""
    relaxed = run_task("relax", TOY_ENGINE, "toy-v1", crystal.structure, None)
    found = run_task("static", TOY_ENGINE, "toy-v1", None, relaxed)
    if not isinstance(found, CalculationDoc):
        return {"failed": found.reason}
    if not found.converged:
        return {"failed": "not converged"}
    hours = relaxed.core_hours + found.core_hours
    told = {"structure": found.structure, "energy": found.energy, "core_hours": hours}
    return {**told, "basis": BASIS}
