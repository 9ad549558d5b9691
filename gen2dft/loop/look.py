"""Whether the first look at a crystal says that nothing more need be computed of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gen2dft.calculation import GAP
from gen2dft.campaign import Target
from gen2dft.datasets.computed_labels import METAL
from gen2dft.loop.targets import is_met
from gen2dft.transport import POWER_FACTOR

OUTSIDE = "gap_outside_target"
# How far outside the target's window a looked-at gap must be, eV. A coarse mesh can only
# overestimate the gap, and the relaxation after it changes the lattice constant by some 1 %: at
# deformation potentials of 3 to 5 eV per unit of ln V that is 0.1 to 0.15 eV.
MARGIN_BELOW = 0.15
# Above, the mesh counts too: where edges lie off its points it finds gaps too wide by some 0.3 eV.
MARGIN_ABOVE = 0.5


@dataclass(frozen=True)
class Stop:
    """Why nothing more is computed.

    Parameters
    ----------
    reason
        Short snake_case name, counted.
    detail
        The same for people.
    """

    reason: str
    detail: str


def why_stop(targets: Sequence[Target], gap: float | None) -> Stop | None:
    """Why a crystal with a looked-at gap cannot be a hit; None: go on.

    Parameters
    ----------
    targets
        Those that the engine judges.
    gap
        eV on the mesh of the look, 0 for a metal; None: not known.
    """
    if gap is None:
        return None
    by_name = {target.property: target for target in targets}
    wanted = by_name.get(GAP)
    if gap == 0 and _needs_a_gap(by_name.get(POWER_FACTOR), wanted):
        return Stop(METAL, "it is a metal as the screen left it: no gap on an even mesh")
    if wanted is None:
        return None
    lowest, highest = window(wanted)
    if lowest - MARGIN_BELOW <= gap <= highest + MARGIN_ABOVE:
        return None
    asked = f"the target asks for {lowest:g} to {highest:g} eV"
    detail = f"its gap is {gap:.2f} eV as the screen left it, and {asked}"
    return Stop(OUTSIDE, detail)


def can_stop(targets: Sequence[Target]) -> bool:
    """Whether there is any gap at which `why_stop` gives a reason."""
    return any(target.property in {GAP, POWER_FACTOR} for target in targets)


def _needs_a_gap(power_factor: Target | None, gap: Target | None) -> bool:
    """Whether a metal misses a target: it has no power factor, and a gap of 0."""
    return power_factor is not None or (gap is not None and not is_met(gap, 0.0))


def window(target: Target) -> tuple[float, float]:
    """Smallest and largest value that meet a target; infinite without a bound."""
    lowest = -np.inf if target.min is None else target.min
    highest = np.inf if target.max is None else target.max
    if target.near and target.tolerance is not None:
        lowest = max(lowest, min(target.near) - target.tolerance)
        highest = min(highest, max(target.near) + target.tolerance)
    return float(lowest), float(highest)
