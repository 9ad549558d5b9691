"""Which exchanges a parent allows."""

from collections import Counter

import numpy as np
import pytest
from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionPredictor
from pymatgen.core import Species

from gen2dft.generators.substitution.exchanges import (
    ION_EXCHANGE,
    NEIGHBOURS,
    Parent,
    in_random_order,
    possible,
    species_of,
)
from gen2dft.generators.substitution.scales import least_chance
from gen2dft.generators.substitution.settings import SubstitutionSettings

ALL = frozenset(range(1, 97))
ZINC_SULFIDE = Parent(0, (16, 30), (1, 1))
LANTHANUM_OXIDE = Parent(0, (8, 57), (3, 2))
HALF_HEUSLER = Parent(0, (26, 41, 51), (1, 1, 1))  # FeNbSb
MAGNETITE = Parent(0, (8, 26), (4, 3))


def exchanges(parent, elements=ALL, seed=0, **settings):
    species = species_of(parent, SubstitutionSettings(**settings))
    return list(in_random_order(parent, species, elements, np.random.default_rng(seed)))


def test_ions_are_exchanged_as_pymatgen_predicts():
    species = species_of(ZINC_SULFIDE, SubstitutionSettings(min_probability=0.005))
    chosen, chances = possible(ZINC_SULFIDE, species, ALL)
    zinc, sulfur = Species("Zn", 2), Species("S", -2)
    predictor = SubstitutionPredictor(threshold=0.005)
    expected = {}
    for found in predictor.composition_prediction({zinc: 1, sulfur: 1}):
        new = {old: ion for ion, old in found["substitutions"].items()}
        pair = (new[sulfur].Z, new[zinc].Z)
        if pair != ZINC_SULFIDE.numbers:
            expected[pair] = found["probability"]
    numbers = species.scale.numbers[chosen].tolist()
    ours = {tuple(pair): chance for pair, chance in zip(numbers, chances, strict=True)}
    assert len(expected) > 10
    assert ours == pytest.approx(expected)


def test_ions_exchanged_are_neutral():
    species = species_of(LANTHANUM_OXIDE, SubstitutionSettings())
    chosen, _ = possible(LANTHANUM_OXIDE, species, ALL)
    charges = species.scale.charges[chosen] @ np.array(LANTHANUM_OXIDE.counts)
    assert len(charges) > 10 and not charges.any()


def test_each_exchange_comes_once_with_other_elements():
    found = exchanges(ZINC_SULFIDE)
    numbers = [exchange.numbers for exchange in found]
    assert len(set(numbers)) == len(numbers) > 20
    assert ZINC_SULFIDE.numbers not in numbers
    assert all(len(set(pair)) == 2 for pair in numbers)
    assert {exchange.way for exchange in found} == {ION_EXCHANGE}


def test_likely_exchanges_come_first_more_often():
    first = Counter(exchanges(ZINC_SULFIDE, seed=seed)[0].numbers for seed in range(400))
    chances = {exchange.numbers: exchange.chance for exchange in exchanges(ZINC_SULFIDE)}
    total = sum(chances.values())
    numbers, likeliest = max((chance, pair) for pair, chance in chances.items())[::-1]
    assert first[numbers] / 400 == pytest.approx(likeliest / total, abs=0.07)


def test_only_allowed_elements_come_in_but_a_forbidden_one_may_go_out():
    found = exchanges(ZINC_SULFIDE, frozenset({16, 48, 20}))
    assert {exchange.numbers for exchange in found} == {(16, 48), (16, 20)}


def test_elements_without_oxidation_states_give_way_to_their_neighbours():
    found = exchanges(HALF_HEUSLER)
    assert {exchange.way for exchange in found} == {NEIGHBOURS}
    assert (26, 73, 51) in [exchange.numbers for exchange in found]  # tantalum for niobium
    assert all(exchange.chance > least_chance(3) for exchange in found)
    fewer = exchanges(HALF_HEUSLER, max_steps=1)
    assert 0 < len(fewer) < len(found)
    assert all(exchange.chance > least_chance(1) for exchange in fewer)


def test_mixed_valence_counts_as_without_oxidation_states():
    assert {exchange.way for exchange in exchanges(MAGNETITE)} == {NEIGHBOURS}


def test_neighbours_can_be_switched_off():
    off = SubstitutionSettings(max_steps=0)
    assert species_of(HALF_HEUSLER, off) is None
    assert species_of(ZINC_SULFIDE, off).way == ION_EXCHANGE


def test_elements_beyond_the_scale_are_no_parents():
    assert species_of(Parent(0, (97, 98), (1, 3)), SubstitutionSettings()) is None
