"""The result of a calculation: arrays become plain values, and the gap is one of many."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError
from pymatgen.core import Lattice, Structure

from gen2dft.calculation import MAX_WARNING, MAX_WARNINGS, Calculation

CRYSTAL = Structure(Lattice.cubic(3.3), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
BARE = {"structure": CRYSTAL, "energy_per_atom": -3.5, "converged": True}


def test_arrays_become_plain_values():
    found = Calculation(
        **BARE, forces=np.zeros((2, 3)), stress=np.eye(3), magmoms=np.ones(2, dtype=np.float32)
    )
    plain = found.model_dump(exclude={"structure"})
    assert json.loads(json.dumps(plain))["stress"] == np.eye(3).tolist()
    assert found.forces == [(0.0, 0.0, 0.0)] * 2
    assert found.magmoms == [1.0, 1.0]


def test_forces_of_another_shape_are_refused():
    with pytest.raises(ValidationError, match="forces"):
        Calculation(**BARE, forces=np.zeros((2, 2)))


def test_the_gap_is_one_of_the_values():
    assert Calculation(**BARE).band_gap is None
    assert Calculation(**BARE, values={"band_gap": 1.5, "power_factor": 2.0}).band_gap == 1.5


def test_a_gap_in_a_field_of_its_own_joins_the_values():
    found = Calculation(**BARE, band_gap=0.0, values={"power_factor": 2.0})
    assert found.values == {"band_gap": 0.0, "power_factor": 2.0}
    assert Calculation(**BARE, band_gap=None).values == {}


def test_a_misspelt_field_is_refused():
    with pytest.raises(ValidationError, match="bandgap"):
        Calculation(**BARE, bandgap=1.0)


def test_warnings_are_cut():
    found = Calculation(**BARE, warnings=["x" * 10_000] * 1000)
    assert len(found.warnings) == MAX_WARNINGS
    assert {len(text) for text in found.warnings} == {MAX_WARNING}
