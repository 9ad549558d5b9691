"""What calculations will cost, learnt from those that are finished, and what the budget allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MIN_COSTS = 5  # finished calculations from which costs are predicted
STEEPEST = 4.0  # exponent of the number of sites


@dataclass(frozen=True)
class CostModel:
    """Core-hours of a calculation: exp(intercept) * sites ** exponent."""

    intercept: float
    exponent: float

    @classmethod
    def fit(cls, num_sites: Sequence[int], core_hours: Sequence[float]) -> Self | None:
        """Least squares of the logarithms.

        None with too few calculations that cost anything to tell.
        """
        pairs = [(n, hours) for n, hours in zip(num_sites, core_hours, strict=True) if hours > 0]
        if len(pairs) < MIN_COSTS:
            return None
        logarithms = np.log(np.array(pairs, dtype=np.float64))
        x, y = logarithms.T
        # Cells of one size tell nothing of the slope; the floor then leaves it at 0.
        variance = max(np.var(x, ddof=1), 1e-12)
        covariance = np.cov(x, y)[0, 1]
        slope = float(np.clip(covariance / variance, 0.0, STEEPEST))
        intercept = y.mean() - slope * x.mean()
        return cls(float(intercept), slope)

    def core_hours(self, num_sites: NDArray[np.int64]) -> Array:
        """(m,) predicted core-hours of cells of (m,) sites."""
        logarithm = self.intercept + self.exponent * np.log(num_sites)
        return np.exp(logarithm)


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
