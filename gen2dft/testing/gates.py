"""The contract of a gate as a test suite: inherit it and give the gate."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

import numpy as np
import pytest

from gen2dft.campaign import ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.screening.base import Gate, GateContext
from gen2dft.screening.contract import (
    DISGUISES,
    require_declarations,
    require_independence,
    require_invariance,
    require_verdicts,
)
from gen2dft.screening.gates import gate_context


class GateSuite:
    """Tests that every gate must pass.

    A plugin's test inherits them:

        class TestRareEarth(GateSuite):
            @pytest.fixture
            def gate(self) -> RareEarthGate:
                return RareEarthGate(Settings(max_fraction=0.1))

            @pytest.fixture
            def crystals(self) -> CrystalTable:
                return cscl_like([("Na", "Cl"), ("La", "N")])
    """

    invariances: ClassVar[Collection[str]] = tuple(DISGUISES)
    """Changes of description that must not change a verdict; take out those that may."""

    @pytest.fixture
    def gate(self) -> Gate[Any]:
        """The gate with its settings."""
        raise NotImplementedError("override the fixture `gate`")

    @pytest.fixture
    def crystals(self) -> CrystalTable:
        """Crystals of which the gate stops some, and lets others pass."""
        raise NotImplementedError("override the fixture `crystals`")

    @pytest.fixture
    def context(self) -> GateContext:
        """What the gate may compare with: here, a training set of three salts."""
        known = cscl_like([("Na", "F"), ("K", "Cl"), ("Mg", "O")])
        return gate_context(ScreeningSpec(), Dataset(known, ("a", "b", "c"), {}))

    def test_it_declares_what_the_funnel_needs(self, gate: Gate[Any]) -> None:
        require_declarations(gate)

    def test_each_crystal_gets_one_verdict(
        self, gate: Gate[Any], crystals: CrystalTable, context: GateContext
    ) -> None:
        require_verdicts(gate, crystals, context)

    def test_verdicts_do_not_depend_on_the_other_crystals(
        self, gate: Gate[Any], crystals: CrystalTable, context: GateContext
    ) -> None:
        require_independence(gate, crystals, context)

    def test_another_description_gets_the_same_verdict(
        self, gate: Gate[Any], crystals: CrystalTable, context: GateContext
    ) -> None:
        for name in self.invariances:
            require_invariance(gate, crystals, context, name)


def cscl_like(pairs: Collection[tuple[str, str]], length: float = 3.6) -> CrystalTable:
    """Crystals AB of the CsCl type.

    Parameters
    ----------
    pairs
        Symbols of A and B.
    length
        Lattice constant, Angstrom.
    """
    from pymatgen.core import Element

    numbers = [[Element(symbol).Z for symbol in pair] for pair in pairs]
    frac = [[[0.0] * 3, [0.5] * 3]] * len(numbers)
    return CrystalTable.from_arrays([length * np.eye(3)] * len(numbers), numbers, frac)
