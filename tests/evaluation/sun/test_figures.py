from dataclasses import dataclass

import numpy as np
import pytest

from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.sun.draws import Draws, Sieve
from gen2dft.evaluation.sun.figures import COLUMNS, Measured, Sample, figures_of, key_of
from gen2dft.evaluation.sun.relaxed import Relaxed
from gen2dft.statistics import share
from tests.toys import rock_salt

SALT = rock_salt("Na", "Cl", 5.6)


@dataclass(frozen=True)
class StandIn:
    e_above_hull: float
    unlike: bool = False

    def chance(self, most: float) -> float:
        return 0.5 if self.e_above_hull <= most else 0.125


def flags(*rows: int) -> np.ndarray:
    return np.isin(np.arange(8), rows)


def ended(row: int, distance: float, corrected: float, **fields) -> Relaxed:
    given = {
        "prototype": "AB_cF8_225_a_b",
        "is_new_prototype": False,
        "is_unique": True,
        "rmsd": 0.5,
    }
    return Relaxed(
        row,
        structure=SALT,
        e_above_hull=distance,
        estimate=StandIn(corrected, unlike=row == 5),
        **(given | fields),
    )


@pytest.fixture
def measured() -> Measured:
    """Ten draws, eight crystals, six of them new, four relaxed."""
    crystals = CrystalTable.from_structures([SALT] * 8)
    methods = ("local",) * 5 + ("mixture",) * 5
    draws = Draws(crystals, np.array([0, 1, 2, 3, 5, 6, 7, 8]), methods)
    most = flags(0, 1, 2, 4, 5, 6)
    sieve = Sieve(flags(*range(8)), flags(0, 1, 2, 3, 4, 5, 6), most, most, most, most)
    relaxed = [
        ended(0, -0.4, 0.0),
        ended(1, 0.04, 0.2, prototype="AB_aP2_1_a_a", is_new_prototype=True),
        Relaxed(4, "relaxation_unconverged"),
        ended(5, 0.09, 0.07, is_unique=False),
    ]
    return Measured(draws, sieve, relaxed, is_corrected=True)


def test_shares_are_of_the_draws_and_of_the_relaxations(measured):
    figures = figures_of(measured)
    expected = {
        "draws": 10,
        "decoded": 0.8,
        "valid_geometry": 0.8,
        "valid_charge": 0.7,
        "valid": 0.7,
        "unique": 0.6,
        "new": 0.6,
        "relaxed": 4,
        "failed": 0.25,
        "p1": 1 / 3,
        "new_prototype": 1 / 3,
        "rmsd": 0.5,
        "far_below": 0.25,
        "within_000": 0.25,
        "within_050": 0.5,
        "within_100": 0.75,
        "draw_100": 0.45,  # three quarters of the six new ones of ten
        "sun_000": 0.15,
        "sun_100": 0.3,
        "corrected_000": 0.25,
        "corrected_050": 0.25,
        "corrected_100": 0.5,
        "corrected_draw_100": 0.3,
        "corrected_sun_100": 0.15,
        "chance_000": (0.5 + 0.125 + 0.125) / 4,
        "chance_100": (0.5 + 0.125 + 0.5) / 4,
        "chances": 1.125,
        "unlike": 0.25,
    }
    assert {key: figures[key] for key in expected} == pytest.approx(expected)


def test_each_method_has_its_own_draws_and_relaxations(measured):
    local = figures_of(measured, "local")
    assert [local[key] for key in ("draws", "decoded", "new", "relaxed")] == [5, 0.8, 0.6, 2]
    assert local["within_100"] == 1.0
    mixture = figures_of(measured, "mixture")
    assert [mixture[key] for key in ("draws", "relaxed", "within_100")] == [5, 2, 0.5]


def test_intervals_are_wilsons(measured):
    figures = figures_of(measured)
    expected = share(3, 4)
    assert (figures["within_100_low"], figures["within_100_high"]) == (expected.low, expected.high)


def test_the_interval_per_draw_is_wider_than_that_of_all_draws_relaxed():
    part, whole = Sample(1000, 400, 100).per_draw(50), Sample(1000, 400, 400).per_draw(200)
    assert part.value == whole.value == 0.2
    assert whole == share(200, 1000)
    assert part.low < whole.low < whole.high < part.high


def test_without_new_crystals_none_is_stable():
    empty = Sample(100, 0, 0)
    assert empty.per_draw(0) == share(0, 100)
    assert empty.per_relaxation(0) is None


def test_new_crystals_without_relaxations_say_nothing():
    assert Sample(100, 40, 0).per_draw(0) is None


def test_without_a_correction_its_columns_are_left_out(measured):
    figures = figures_of(Measured(measured.draws, measured.sieve, measured.relaxed, False))
    assert not [key for key in figures if key.startswith(("corrected", "chance", "unlike"))]


def test_every_figure_has_a_column(measured):
    known = {key for column in COLUMNS for key in column.keys}
    assert set(figures_of(measured)) <= known


def test_keys_name_the_limit_in_millielectronvolts():
    assert [key_of("within", limit) for limit in (0.0, 0.05, 0.1)] == [
        "within_000",
        "within_050",
        "within_100",
    ]
