"""The contract of heads finds heads that break it."""

import numpy as np
import pytest

from gen2dft.heads.base import Prediction
from gen2dft.heads.contract import validate_head
from gen2dft.testing.gates import cscl_like

TABLE = cscl_like([("Na", "Cl"), ("K", "F"), ("Mg", "O"), ("Li", "Br")])


class Heavy:
    """Keeps the contract; each of its subclasses breaks one promise."""

    properties = ("band_gap",)

    def mass(self, table):
        numbers = [table.numbers[table.sites(i)].sum() for i in range(len(table))]
        return np.array(numbers, dtype=float)

    def predict(self, table):
        mass = self.mass(table)
        return Prediction({"band_gap": mass}, {"band_gap": np.stack([mass, mass + 1])})

    def to_bytes(self):
        return b"heavy"

    @classmethod
    def from_bytes(cls, data, origin):
        return cls()


class Silent(Heavy):
    def predict(self, table):
        return Prediction({})


class Flat(Heavy):
    def predict(self, table):
        return Prediction({"band_gap": self.mass(table)[:, None]})


class Unsure(Heavy):
    def predict(self, table):
        return Prediction({"band_gap": np.full(len(table), np.nan)})


class Comparing(Heavy):
    def predict(self, table):
        mass = self.mass(table)
        return Prediction({"band_gap": mass - mass.sum()})


class Transposed(Heavy):
    def predict(self, table):
        mass = self.mass(table)
        return Prediction({"band_gap": mass}, {"band_gap": np.stack([mass, mass], axis=1)})


class Talkative(Heavy):
    def predict(self, table):
        mass = self.mass(table)
        return Prediction({"band_gap": mass}, {"power_factor": mass[None]})


class Restless(Heavy):
    copies = 0

    def to_bytes(self):
        Restless.copies += 1
        return str(Restless.copies).encode()


class Changed(Heavy):
    def __init__(self, more=0.0):
        self.more = more

    def predict(self, table):
        return Prediction({"band_gap": self.mass(table) + self.more})

    @classmethod
    def from_bytes(cls, data, origin):
        return cls(more=1e-9)


def test_a_head_that_keeps_it_passes():
    validate_head(Heavy(), TABLE)


@pytest.mark.parametrize(("head", "problem"), [
    (Silent, "it does not predict its properties"),
    (Flat, r"band_gap: shape \(4, 1\), not \(4,\)"),
    (Unsure, "band_gap is not finite"),
    (Comparing, "band_gap depend on order or company"),
    (Transposed, r"members of band_gap: shape \(4, 2\), not \(4, 4\)"),
    (Talkative, "members of other properties"),
    (Restless, "has other bytes"),
    (Changed, "a reloaded head gives other band_gap"),
])  # fmt: skip
def test_a_head_that_breaks_a_promise_is_refused(head, problem):
    with pytest.raises(ValueError, match=problem):
        validate_head(head(), TABLE)
