"""The plan of a build of the prototypes, and where its checkpoint is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
