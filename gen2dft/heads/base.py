"""What every head offers: predictions for crystals, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted properties of n crystals, in the properties' units.

    Parameters
    ----------
    values
        Property to (n,) predictions.
    members
        Property to (K, n) predictions of the K members of an ensemble, whose spread is the
        uncertainty; empty if the head knows none.
    """

    values: Mapping[str, Array]
    members: Mapping[str, Array] = field(default_factory=dict)


class Head(Protocol):
    """A fitted model of properties of crystals."""

    @property
    def properties(self) -> tuple[str, ...]:
        """Names of the properties that it predicts."""
        ...

    def predict(self, crystals: CrystalTable) -> Prediction:
        """Predictions for n crystals; each depends on its crystal alone."""
        ...

    def to_bytes(self) -> bytes:
        """The head as bytes; equal heads give equal bytes."""
        ...

    @classmethod
    def from_bytes(cls, data: bytes, origin: str) -> Self:
        """Inverse of `to_bytes`; the copy predicts the same, bit for bit.

        Raises
        ------
        SnapshotError
            The data are damaged or of another format; `origin` is named.
        """
        ...
