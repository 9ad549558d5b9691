"""The checkpoint of a build of the prototypes: its plan, then one line per finished formula."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gen2dft.errors import DatasetError, OutputError


@dataclass(frozen=True)
class BuildPlan:
    """Everything that decides the outcome of a build; a checkpoint belongs to one plan.

    Parameters
    ----------
    seed
        Order in which formulas are taken.
    binaries
        Share of binaries among the formulas, two thirds of them plausible, one third
        intermetallics.
    max_sites
        Largest cell.
    sites_tried
        Prototypes are tried for a formula until their cells have so many sites in all; those of
        high symmetry (few free parameters) come first.
    refined
        How many of the best are ranked anew at their corrected volume.
    relaxations
        How many of the best prototypes of a formula are relaxed.
    max_energy_gap
        A further prototype is relaxed only within this score of the best, eV/atom.
    preset, max_steps
        Settings of CHGNet, and an upper bound of steps: what needs more is far from its prototype.
    """

    seed: int = 0
    binaries: float = 0.15
    max_sites: int = 10
    sites_tried: int = 80
    refined: int = 3
    relaxations: int = 3
    max_energy_gap: float = 0.25
    preset: str = "chgnet-screen-v1"
    max_steps: int = 40


def default_checkpoint(out: Path) -> Path:
    """Where the build of a data set keeps its checkpoint."""
    return out.with_suffix(".checkpoint.jsonl")


def read_checkpoint(path: Path, plan: BuildPlan) -> dict[str, dict[str, Any]]:
    """Records by formula; a last line cut off by a kill is dropped from the file."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    end = text.rfind("\n") + 1
    complete = text[:end]
    if complete != text:
        path.write_text(complete, encoding="utf-8")
    lines = [json.loads(line) for line in complete.splitlines()]
    if lines and lines[0] != {"plan": asdict(plan)}:
        raise DatasetError(
            f"checkpoint {path} belongs to another build ({lines[0]}); delete it or name another "
            "file"
        )
    return {record["formula"]: record for record in lines[1:]}


def append_record(path: Path, plan: BuildPlan, record: dict[str, Any]) -> None:
    """Add a record; the first line of a new checkpoint is the plan."""
    line = f"{json.dumps(record)}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.is_file() or path.stat().st_size == 0
        header = json.dumps({"plan": asdict(plan)})
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{header}\n{line}" if is_new else line)
    except OSError as err:
        raise OutputError(
            f"cannot write checkpoint {path}: {err.strerror}; choose a writable folder"
        ) from err
