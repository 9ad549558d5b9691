"""Pairs of a label and what was expected of it, for parity plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """n labels of one property and the values expected of them, in the property's unit.

    Parameters
    ----------
    truth, predicted
        (n,) labels and expected values, all finite.
    errors
        (n,) errors that the labels state; 0 where none is stated.
    is_doubtful
        (n,) whether the label is doubted, see gen2dft.doubts.
    """

    truth: Floats
    predicted: Floats
    errors: Floats
    is_doubtful: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        truth: ArrayLike,
        predicted: ArrayLike,
        errors: Sequence[float] | None = None,
        is_doubtful: Sequence[bool] | None = None,
    ) -> Pairs:
        """The pairs of which both values are known."""
        t = np.asarray(truth, dtype=float)
        p = np.asarray(predicted, dtype=float)
        e = np.zeros(len(t)) if errors is None else np.array(errors, dtype=float)
        d = np.zeros(len(t), bool) if is_doubtful is None else np.array(is_doubtful, dtype=bool)
        known = np.isfinite(t) & np.isfinite(p)
        return cls(t[known], p[known], e[known], d[known])

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def least(self) -> float:
        """The lowest end of a value or of its error."""
        ends = self.truth - self.errors
        return float(min(ends.min(), self.predicted.min()))

    @property
    def greatest(self) -> float:
        """The highest end of a value or of its error."""
        ends = self.truth + self.errors
        return float(max(ends.max(), self.predicted.max()))
