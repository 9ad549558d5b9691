import numpy as np
import pytest
from toy_settings import HULL, toy_setting

from gen2dft.campaign import ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.setting import Budget
from gen2dft.evaluation.sun.draws import Draws, draw, seed_merit, sift
from gen2dft.evaluation.sun.known import Known, Prototypes
from gen2dft.evaluation.sun.ways import all_ways
from gen2dft.screening.novelty import StructureIndex
from gen2dft.symmetry import prototype
from tests.toys import rock_salt

PAIRS = [
    ("Na", "Cl", 5.5),  # a known structure
    ("Mg", "O", 4.2),
    ("Mg", "O", 4.3),  # the one before, larger
    ("Li", "F", 1.0),  # crushed
    ("Sr", "Se", 6.2),  # a formula of the source, whose structure is another
    ("Ba", "S", 6.4),  # a formula of the hull
    ("Na", "O", 4.8),  # not neutral
]
SAMPLES = CrystalTable.from_structures([rock_salt(*pair) for pair in PAIRS])


def known() -> Known:
    salt = CrystalTable.from_structures([rock_salt("Na", "Cl", 5.6)])
    return Known(
        StructureIndex.from_table(salt),
        frozenset(["Cl1 Na1", "Se1 Sr1"]),
        frozenset(["Ba1 S1"]),
        Prototypes(salt),
    )


def rows(flags) -> list[int]:
    return np.flatnonzero(flags).tolist()


def test_each_rule_is_counted_apart():
    sieve = sift(SAMPLES, ScreeningSpec(), known())
    assert rows(~sieve.geometry) == [3]
    assert rows(~sieve.charge) == [6]
    assert rows(sieve.valid) == [0, 1, 2, 4, 5]
    assert rows(sieve.unique) == [0, 1, 4, 5]
    assert rows(sieve.structure) == [1, 2, 4, 5]
    assert rows(sieve.source) == [1, 2, 5]
    assert rows(sieve.hull) == [0, 1, 2, 4]
    assert rows(sieve.new) == [1]


def test_nothing_drawn_is_nothing_sifted():
    sieve = sift(SAMPLES.select([]), ScreeningSpec(), known())
    assert len(sieve.new) == 0


def test_draws_are_told_apart_by_their_method():
    draws = Draws(SAMPLES.select([0, 1]), np.array([0, 2]), ("local", "local", "mixture"))
    assert (len(draws), draws.number_of(None), draws.number_of("local")) == (3, 3, 2)
    assert draws.crystals_of("mixture").tolist() == [False, True]
    assert draws.crystals_of(None).tolist() == [True, True]


def test_the_campaign_says_how_points_are_drawn(toy_plugins):
    setting = toy_setting(budget=Budget(draws=50))
    ways = all_ways(setting.any_spec)
    drawn = draw(setting, Known.of(setting, HULL), ways["toy"])
    assert (drawn.number_of("local"), drawn.number_of("random")) == (30, 20)  # 60 to 40
    again = draw(setting, Known.of(setting, HULL), ways["toy"])
    assert drawn.crystals.content_hash() == again.crystals.content_hash()
    other = toy_setting(budget=Budget(draws=50), seed=1)
    differs = draw(other, Known.of(other, HULL), ways["toy"])
    assert drawn.crystals.content_hash() != differs.crystals.content_hash()


def test_both_draw_half_of_each(toy_plugins):
    setting = toy_setting(budget=Budget(draws=20))
    ways = all_ways(setting.any_spec)
    drawn = draw(setting, Known.of(setting, HULL), ways["both"])
    from_substitution = drawn.number_of("ion-exchange")
    assert from_substitution == 10
    assert drawn.number_of("local") + drawn.number_of("random") == 10
    crystals = drawn.crystals_of("ion-exchange")
    assert crystals[-10:].all() and not crystals[:-10].any()


def test_substitution_avoids_the_formulas_of_source_and_hull(toy_plugins):
    setting = toy_setting(budget=Budget(draws=30))
    known = Known.of(setting, HULL)
    drawn = draw(setting, known, all_ways(setting.any_spec)["substitution"])
    formulas = set(drawn.crystals.formulas())
    assert formulas and not formulas & (known.source | known.hull)


def test_seeds_are_best_by_the_targets_as_labelled():
    setting = toy_setting()
    merit = seed_merit(setting.any_spec, setting.train)
    distance = np.abs(setting.train.label("formation_energy") + 1.0)
    assert merit.argmax() == distance.argmin()


def test_a_prototype_is_known_whatever_the_elements():
    prototypes = Prototypes(CrystalTable.from_structures([rock_salt("Na", "Cl", 5.6)]))
    magnesia = rock_salt("Mg", "O", 4.2)
    assert prototypes.holds(magnesia, prototype(magnesia))
    broken = magnesia.copy()
    broken.translate_sites([1], [0.1, 0.03, 0.0])
    assert not prototypes.holds(broken, prototype(broken))
    three = magnesia.copy()
    three.append("O", [0.25, 0.25, 0.25])
    assert not prototypes.holds(three, "AB2_cF12_225_a_c")


def test_learned_generators_need_labels(toy_plugins):
    from gen2dft.dataset import Dataset
    from gen2dft.errors import DatasetError

    labelled = toy_setting()
    bare = Dataset(labelled.dataset.crystals, labelled.dataset.ids, {})
    setting = toy_setting(bare)
    with pytest.raises(DatasetError, match=r"neither formation_energy nor band_gap is labelled"):
        draw(setting, Known.of(setting, HULL), all_ways(setting.any_spec)["toy"])
