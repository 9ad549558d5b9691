"""By how much a head misjudges the energies of decoded crystals, as the potential found out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

PRIOR_CRYSTALS = 3.0
"""Crystals that weigh as much as not to shift: the variance of a head's error on decoded crystals
(0.37 eV/atom, squared) over that of its bias on them (0.23)."""


def energy_shift(predicted: ArrayLike, found: ArrayLike) -> float:
    """What is to be added to a head's energies: n / (n + k) times the mean residual.

    Heads learn from relaxed crystals; decoded ones are distorted. The estimate is the posterior
    mean of a normal mean with a normal prior, 0 without crystals.

    Parameters
    ----------
    predicted
        (n,) energies that the head predicts of crystals as decoded, eV/atom.
    found
        (n,) the potential's for the same crystals, relaxed, eV/atom.
    """
    residuals = np.asarray(found, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)
    return float(residuals.sum() / (len(residuals) + PRIOR_CRYSTALS))
