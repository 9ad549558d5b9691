"""A relaxation in several attempts: one that was stopped goes on from its CONTCAR, up to the
preset's limit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pymatgen.core import Structure

from gen2dft.engines.base import (
    STEPS,
    CalculationDoc,
    CalculationFailure,
    CustodianCorrection,
    Outcome,
    Task,
)
from gen2dft.engines.kept import computed_once
from gen2dft.engines.vasp import corrections
from gen2dft.engines.vasp.presets import get_preset
from gen2dft.engines.vasp.run import Stopped, calculate

# What a fresh start from the last structure can mend: time was up, the machine failed, the
# optimiser got lost.
WORTH_ANOTHER = frozenset({"walltime", "vasp_died", "ionic_unconverged"})


class Spent(BaseModel):
    """What earlier attempts of the same relaxation have cost, and what custodian did in them."""

    model_config = ConfigDict(extra="forbid")

    reasons: list[str] = Field([], description="why each attempt ended")
    wall_seconds: float = 0.0
    core_hours: float = 0.0
    custodian: list[CustodianCorrection] = []
    lost_runs: int = Field(0, description="runs whose worker died that are among the reasons")

    def and_lost(self, folders: Sequence[str]) -> Spent:
        """With runs of this job whose worker died; what they cost is not known."""
        died = len(folders)
        reasons = [*self.reasons, *["worker_died"] * died]
        return self.model_copy(update={"reasons": reasons, "lost_runs": self.lost_runs + died})

    def and_attempt(self, failure: Stopped) -> Spent:
        """With one attempt more."""
        spent = self.model_copy()
        spent.reasons = [*self.reasons, failure.reason]
        spent.wall_seconds += failure.seconds
        spent.core_hours += failure.seconds * failure.cores / 3600
        spent.custodian = [*self.custodian, *corrections.applied(failure.log)]
        return spent

    def added_to(self, doc: CalculationDoc) -> CalculationDoc:
        """The document of the last attempt, with all that the others cost and corrected.

        The result belongs to the settings of the last attempt, which began anew with the preset's
        own; what custodian changed before is kept for the record.
        """
        if not self.reasons:
            return doc
        total = doc.model_copy()
        total.wall_seconds += self.wall_seconds
        total.core_hours += self.core_hours
        total.custodian = [*self.custodian, *doc.custodian]
        reasons = ", ".join(self.reasons)
        total.warnings = [*doc.warnings, f"went on from its CONTCAR after: {reasons}"]
        return total

    def failure(self, last: Stopped, task: Task = "relax") -> CalculationFailure:
        """The outcome when the last attempt failed too; its cost is among what was spent."""
        outcome = CalculationFailure.from_error(last)
        outcome.core_hours = self.core_hours
        outcome.costs = {STEPS[task]: self.core_hours}
        if len(self.reasons) > 1:
            reasons = ", ".join(self.reasons)
            outcome.detail = f"given up after {len(self.reasons)} attempts ({reasons}): "
            outcome.detail += last.detail
        return outcome


@dataclass(frozen=True)
class GoOn:
    """A relaxation that is to go on from a structure."""

    structure: Structure
    spent: Spent


def after_lost_runs(
    preset: str, structure: Structure, spent: Spent, folders: Sequence[str]
) -> GoOn | CalculationFailure:
    """Where a relaxation stands whose workers died: at the last structure that one of them left, if
    there is any.

    Parameters
    ----------
    folders
        Of all lost runs of the job, those that `spent` counts already first.
    """
    new = folders[spent.lost_runs :]
    spent = spent.and_lost(new)
    if len(spent.reasons) >= get_preset(preset).attempts:
        detail = f"given up after {len(spent.reasons)} attempts ({', '.join(spent.reasons)})"
        return CalculationFailure(reason="worker_died", detail=detail, core_hours=spent.core_hours)
    for folder in reversed(new):
        with contextlib.suppress(
            OSError, ValueError
        ):  # no CONTCAR there, an empty one, or a folder of another machine
            return GoOn(Structure.from_file(Path(folder) / "CONTCAR"), spent)
    return GoOn(structure, spent)


@computed_once
def relax_attempt(preset: str, structure: Structure, spent: Spent) -> Outcome | GoOn:
    """One attempt in the present folder: the document, where to go on, or why there is nothing to
    go on from.
    """
    try:
        return spent.added_to(calculate("relax", preset, structure))
    except Stopped as failure:
        spent = spent.and_attempt(failure)
        is_last = len(spent.reasons) >= get_preset(preset).attempts
        if failure.structure is None or failure.reason not in WORTH_ANOTHER or is_last:
            return spent.failure(failure)
        return GoOn(failure.structure, spent)


def single_attempt(
    task: Task, preset: str, structure: Structure, prev_dir: str | None = None, scale: float = 1.0
) -> Outcome:
    """A static or band calculation in the present folder.

    It has no intermediate structure to go on from.
    """
    try:
        return calculate(task, preset, structure, prev_dir, scale)
    except Stopped as failure:
        return Spent().and_attempt(failure).failure(failure, task)
