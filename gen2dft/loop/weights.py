"""How much a label counts in training, by the error that it states."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gen2dft.dataset import Dataset
from gen2dft.generators.transforms import forward

Array = NDArray[np.float64]

# What heads miss of crystals that they have not seen, in units of the labels' spread: about half
# (benchmarks/bench_heads.py). A label's error adds to it.
MISSED_ANYWAY = 0.5


def weight_columns(known: Dataset, first: int, errors: Mapping[str, Array]) -> dict[str, Array]:
    """Property to the (n,) weights of the labels from row `first` on.

    Properties all of whose labels weigh 1 are left out.

    Parameters
    ----------
    known
        Base set and labels.
    errors
        Property to the (n,) errors that the labels state, in its unit; 0 where none is stated.
    """
    weights = {}
    for name, stated in errors.items():
        if not stated.any():
            continue
        transform = known.properties[name].transform
        values = known.label(name)
        spread = np.nanstd(forward(values, transform))
        own = values[first:]
        # The error on the scale that is learnt.
        learnt = forward(own + stated, transform) - forward(own, transform)
        found = weight_of(np.nan_to_num(learnt), float(spread))
        weights[name] = found
    return weights


def weight_of(errors: Array, spread: float) -> Array:
    """(n,) inverse variances of labels with these errors, in units of that of an exact label.

    The variance is that of what a head misses anyway plus the square of the label's error.
    """
    missed = max(MISSED_ANYWAY * spread, 1e-9)
    return 1.0 / (1.0 + (errors / missed) ** 2)
