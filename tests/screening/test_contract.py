"""Every gate that ships keeps the contract, and the contract finds gates that do not."""

from typing import Any

import numpy as np
import pytest

from gen2dft.campaign import ScreeningSpec
from gen2dft.campaign.part import Part
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.plugins import SHIPPED
from gen2dft.screening.base import Gate, GateContext, NoSettings, as_reasons
from gen2dft.screening.charge import ChargeGate, ChargeSettings
from gen2dft.screening.contract import validate_gate
from gen2dft.screening.gates import GATES, gate_context, load_gate
from gen2dft.testing.gates import GateSuite, cscl_like

# One crystal for each reason of the gates that ship, two that pass all.
CRYSTALS = CrystalTable.concatenate(
    [
        cscl_like([("Na", "Cl"), ("K", "F")]),
        cscl_like([("Rb", "Br"), ("Na", "Mg")]),
        cscl_like([("K", "Cl")], length=3.5),
        cscl_like([("Mg", "F"), ("Na", "O")]),
        cscl_like([("Mg", "Cl")], length=9.0),
        cscl_like([("Mg", "Cl")], length=2.1),
        cscl_like([("Na", "Cl")], length=3.7),
    ]
)


class OfShipped(GateSuite):
    settings: Part = NoSettings()
    name: str

    @pytest.fixture
    def gate(self) -> Gate[Any]:
        return load_gate(self.name, self.settings.model_dump())

    @pytest.fixture
    def crystals(self) -> CrystalTable:
        return CRYSTALS


class TestGeometry(OfShipped):
    name = "geometry"

    @pytest.fixture
    def gate(self) -> Gate[Any]:
        return load_gate(self.name)


class TestElements(OfShipped):
    name = "elements"


class TestCharge(OfShipped):
    name = "charge"


class TestStrictCharge(OfShipped):
    name = "charge"
    settings = ChargeSettings(strict=True)


class TestElectrons(OfShipped):
    name = "electrons"
    invariances = ("translated", "permuted", "turned")  # two cells in one may pass

    @pytest.fixture
    def gate(self) -> Gate[Any]:
        return load_gate(self.name)


class TestFormula(OfShipped):
    name = "formula"


class TestDuplicates(OfShipped):
    name = "duplicates"


def test_all_gates_that_ship_are_tried_here():
    tried = {part.name for part in OfShipped.__subclasses__()}
    assert tried == set(SHIPPED["gen2dft.gates"])
    assert all(GATES[name]().name == name for name in tried)


class Odd(Gate[NoSettings]):
    """Keeps the contract; each of its subclasses breaks one promise."""

    name = "odd"
    reasons = {"light": "It is light."}

    def judge(self, table, context):
        return as_reasons(heaviest(table) < 20, "light")


def heaviest(table: CrystalTable) -> np.ndarray:
    return np.array([table.numbers[table.sites(i)].max() for i in range(len(table))], dtype=int)


class WrongName(Odd):
    name = "Odd gate"


class TakenName(Odd):
    name = "surrogate"


class NoReason(Odd):
    reasons = {}


class LoudReason(Odd):
    reasons = {"TooLight": "It is light."}


class NoSentence(Odd):
    reasons = {"light": "it is light"}


class Undeclared(Odd):
    reasons = {"heavy": "It is heavy."}


class Careless(Odd):
    def judge(self, table, context):
        return super().judge(table, context)[1:]


class Idle(Odd):
    def judge(self, table, context):
        return [None] * len(table)


class Meddling(Odd):
    def judge(self, table, context):
        verdicts = super().judge(table, context)
        table.frac[:] += 0.1
        return verdicts


class Forgetful(Odd):
    calls = 0

    def judge(self, table, context):
        type(self).calls += 1
        return as_reasons(heaviest(table) < 18 + 2 * (self.calls % 2), "light")


class Stubborn(Odd):
    def judge(self, table, context):
        return [*super().judge(table, context), *[None] * (not len(table))]


class Comparing(Odd):
    def judge(self, table, context):
        return as_reasons(heaviest(table) < heaviest(table).sum() / len(CRYSTALS), "light")


class Picky(Odd):
    def judge(self, table, context):
        first = np.arange(len(table)) < len(table) / 2
        return as_reasons(first, "light")


class OfOrigin(Odd):
    def judge(self, table, context):
        first = table.frac[table.offsets[:-1]]
        light = (heaviest(table) < 20) & (np.abs(first).sum(axis=1) < 1e-9)
        return as_reasons(light, "light")


class OfOrder(Odd):
    def judge(self, table, context):
        return as_reasons(table.numbers[table.offsets[:-1]] < 15, "light")


class OfAxes(Odd):
    def judge(self, table, context):
        light = (heaviest(table) < 20) & (np.abs(table.lattices[:, 0, 1]) < 1e-9)
        return as_reasons(light, "light")


class OfCells(Odd):
    def judge(self, table, context):
        return as_reasons((heaviest(table) < 20) & (table.num_sites < 3), "light")


@pytest.fixture
def context() -> GateContext:
    known = cscl_like([("Na", "F")])
    return gate_context(ScreeningSpec(), Dataset(known, ("a",), {}))


@pytest.mark.parametrize(("gate", "problem"), [
    (WrongName, "its name is not kebab-case"),
    (TakenName, "its name is that of another stage"),
    (NoReason, "it declares no reason"),
    (LoudReason, "reason 'TooLight' is not snake_case"),
    (NoSentence, "the text of 'light' is not one sentence"),
    (Undeclared, r"gate 'odd' gave \{'light'\}, but declares \['heavy'\]"),
    (Careless, "one verdict per crystal"),
    (Idle, "the crystals of the test do not try it"),
    (Meddling, "it changes the table"),
    (Forgetful, "it remembers earlier calls"),
    (Stubborn, "it gives verdicts on an empty table"),
    (Comparing, "verdicts depend on order or company"),
    (Picky, "it stops what has passed it"),
    (OfOrigin, "that are translated"),
    (OfOrder, "that are permuted"),
    (OfAxes, "that are turned"),
    (OfCells, "that are repeated"),
])  # fmt: skip
def test_a_gate_that_breaks_a_promise_is_refused(gate, problem, context):
    table = CRYSTALS.select(np.arange(len(CRYSTALS)))  # a copy, for the one that meddles
    with pytest.raises(ValueError, match=problem):
        validate_gate(gate(NoSettings()), table, context)


def test_a_gate_that_keeps_all_of_them_passes(context):
    validate_gate(Odd(NoSettings()), CRYSTALS, context)


def test_a_promise_that_does_not_hold_for_a_gate_is_taken_out(context):
    validate_gate(OfCells(NoSettings()), CRYSTALS, context, invariances=["turned", "permuted"])


def test_settings_of_another_gate_are_refused(context):
    with pytest.raises(ValueError, match="settings are of another class"):
        validate_gate(ChargeGate(NoSettings()), CRYSTALS, context)
