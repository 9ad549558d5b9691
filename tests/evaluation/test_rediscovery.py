import pytest

from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.rediscovery import Rediscovery, closest_errors, rediscover
from tests.toys import ToyGenerator, rock_salt


def table(*pairs: tuple[str, str, float]) -> CrystalTable:
    return CrystalTable.from_structures([rock_salt(*pair) for pair in pairs])


TRAIN = table(("Na", "Cl", 5.6), ("K", "Br", 6.6))
TEST = table(("Na", "Cl", 5.7), ("Li", "F", 4.0), ("Mg", "O", 4.2), ("Mg", "O", 4.6))


def test_formulas_count_once_and_new_ones_apart():
    samples = table(("Mg", "O", 4.3), ("Na", "Cl", 5.0), ("Mg", "O", 4.0), ("K", "Br", 6.0))
    found = rediscover(samples, TEST, TRAIN)
    assert found.figures() == {
        "rediscovered": pytest.approx(2 / 3),
        "rediscovered_new": pytest.approx(1 / 2),
    }
    assert found.pairs == {0: [1], 2: [0, 2], 3: [0, 2]}


def test_nothing_found_is_zero_and_nothing_to_find_is_unknown():
    assert rediscover(table(("K", "Br", 6.0)), TEST, TRAIN).figures()["rediscovered"] == 0.0
    assert Rediscovery(1, 0, 0, 0, {}).figures()["rediscovered_new"] is None


def test_structures_of_other_generators_are_matched():
    samples = table(("Mg", "O", 4.3), ("Na", "Cl", 5.0))
    errors, rmsds = closest_errors(ToyGenerator(), samples, TEST, {0: [1], 2: [0]})
    assert len(errors) == 0 and rmsds == pytest.approx([0.0, 0.0], abs=1e-6)
