"""What every head offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a head says of n crystals.

    Parameters
    ----------
    values
        Property to (n,) values in its unit.
    members
        Property to (K, n) values of the members of an ensemble; empty without uncertainty.
    """

    values: Mapping[str, Array]
    members: Mapping[str, Array] = field(default_factory=dict)


class Head(Protocol):
    """A model that predicts properties of crystals."""

    @property
    def properties(self) -> tuple[str, ...]:
        """Properties that it predicts."""
        ...

    def predict(self, crystals: CrystalTable) -> Prediction:
        """Predictions for n crystals."""
        ...

    def to_bytes(self) -> bytes:
        """All that `from_bytes` needs."""
        ...
