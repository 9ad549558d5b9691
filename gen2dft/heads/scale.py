"""The scale on which heads learn a property, and the way back to its unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.properties import PROPERTIES

Array = NDArray[np.float64]


def to_scale(values: Array, name: str) -> Array:
    """Values in the property's unit on the scale that its `transform` names; NaN stays NaN."""
    if not _is_skewed(name):
        return values
    return np.log1p(np.maximum(values, 0.0))


def from_scale(values: Array, name: str) -> Array:
    """Inverse of `to_scale`; a property learnt by its logarithm is never negative."""
    if not _is_skewed(name):
        return values
    return np.maximum(np.expm1(values), 0.0)


def _is_skewed(name: str) -> bool:
    return PROPERTIES[name].transform == "log1p"
