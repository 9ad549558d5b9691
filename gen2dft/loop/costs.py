"""What calculations will cost, learnt from those that are finished, and what the budget allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pymatgen.core import Structure

Array = NDArray[np.float64]
MIN_COSTS = 5  # finished calculations from which costs are predicted
STEEPEST = 4.0  # exponent of the work
WORK_SPACING = 0.12  # 1/Angstrom, with 2 pi: the mesh whose k-points are counted
WORK_PER_HOUR = 5e6
# Two spins take twice the bands; where moments vanish, spin is dropped after the first look.
SPIN = 2.0
# Elements whose crystals DFT starts with magnetic moments.
MAGNETIC = frozenset({"V", "Cr", "Mn", "Fe", "Co", "Ni", "Mo", "W", "Ce", "Eu", "Gd"})


@dataclass(frozen=True)
class CostModel:
    """Core-hours of a calculation: exp(intercept) * work ** exponent, see `work_of`."""

    intercept: float
    exponent: float

    @classmethod
    def fit(cls, work: Sequence[float], core_hours: Sequence[float]) -> Self | None:
        """Least squares of the logarithms.

        None with too few calculations that cost anything to tell.
        """
        pairs = [(w, hours) for w, hours in zip(work, core_hours, strict=True) if hours > 0]
        if len(pairs) < MIN_COSTS:
            return None
        logarithms = np.log(np.array(pairs, dtype=np.float64))
        x, y = logarithms.T
        # Cells that need the same work tell nothing of the slope; the floor then leaves it at 0.
        variance = max(np.var(x, ddof=1), 1e-12)
        covariance = np.cov(x, y)[0, 1]
        slope = float(np.clip(covariance / variance, 0.0, STEEPEST))
        intercept = y.mean() - slope * x.mean()
        return cls(float(intercept), slope)

    def core_hours(self, work: NDArray[np.float64]) -> Array:
        """(m,) predicted core-hours of calculations that need (m,) work."""
        logarithm = self.intercept + self.exponent * np.log(work)
        return np.exp(logarithm)


# One CPU-hour of `gpaw-quick-v2` from the look to the power factor does about so much work:
# geometric mean of nine crystals of `thermoelectric-gpaw`, apart by factors of 2. It only has
# to put the first round's candidates in order, and finished calculations replace it.
BEFORE_ANY = CostModel(intercept=-float(np.log(WORK_PER_HOUR)), exponent=1.0)


def cost_model(
    work: Sequence[float], core_hours: Sequence[float], *, is_dft: bool
) -> CostModel | None:
    """What finished calculations tell of the costs to come.

    Before any are finished, the cost of DFT is taken to be proportional to the work. A potential's
    is then unknown, and small.
    """
    fitted = CostModel.fit(work, core_hours)
    if fitted is None and is_dft:
        return BEFORE_ANY
    return fitted


def work_of(structure: Structure, *, is_dft: bool) -> float:
    """Work that a crystal asks for, in arbitrary units: its sites for a potential, and for DFT
    irreducible k-points times volume times valence electrons, and more with spin.
    """
    if not is_dft:
        return float(len(structure))
    from gen2dft.transport.convergence import relative_cost

    symbols = {site.specie.symbol for site in structure}
    with_spin = SPIN if symbols & MAGNETIC else 1.0
    return with_spin * relative_cost(structure, WORK_SPACING)


def per_core_hour(values: Array, core_hours: Array | None, weight: float) -> Array:
    """Values per predicted core-hour: log(exp(value) / core_hours ** weight), up to a constant.

    Merits may be negative, so that they cannot be divided; as the logarithm of a worth they can.
    """
    if core_hours is None or weight == 0:
        return values
    if not values.size:
        return values
    relative = core_hours / np.median(core_hours)
    return values - weight * np.log(relative)


def within_budget(number: int, core_hours: Array | None, left: float | None) -> int:
    """How many of `number` chosen candidates, in their order, fit into the core-hours that are
    left.

    At least one as long as anything is left, since predictions may be wrong; all if nothing limits
    or predicts them.
    """
    if left is None:
        return number
    if left <= 0:
        return 0
    if core_hours is None:
        return number
    spent = np.cumsum(core_hours)
    fitting = int(np.searchsorted(spent, left, side="right"))
    return min(number, max(1, fitting))
