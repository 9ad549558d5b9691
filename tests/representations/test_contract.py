from __future__ import annotations

import numpy as np
import pytest
from example_crystals import example_table

from gen2dft.crystals import CrystalTable
from gen2dft.representations import FTCP, DecodeResult
from gen2dft.representations.contract import validate_representation


class Moves(FTCP):
    """Brings the first site back somewhere else."""

    def decode(self, tensors: np.ndarray) -> DecodeResult:
        result = super().decode(tensors)
        result.crystals.frac[0] = 0.123
        return result


class TakesHydrogenForEmpty(FTCP):
    """Does what the published code does."""

    def decode(self, tensors: np.ndarray) -> DecodeResult:
        tensors = tensors.copy()
        tensors[:, 0] = 0
        return super().decode(tensors)


class KeepsOrder(FTCP):
    """Writes double precision."""

    def encode(self, table: CrystalTable) -> np.ndarray:
        return super().encode(table).astype(float)


@pytest.mark.parametrize(
    ("broken", "problem"),
    [(Moves, "crystal 0 comes back with other positions"), (TakesHydrogenForEmpty, "comes back "
                                                                                   "with species"),
     (KeepsOrder, "not float32")],
)  # fmt: skip
def test_a_broken_promise_is_named(broken: type[FTCP], problem: str):
    with pytest.raises(ValueError, match=problem):
        validate_representation(broken(), example_table())
