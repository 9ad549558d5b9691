"""Acquisition functions do what their names say; the registry is checked entry by entry."""

import numpy as np
import pytest
from scipy.stats import norm

from gen2dft.campaign import LearningSpec, Target
from gen2dft.errors import CampaignError
from gen2dft.loop.acquisition import (
    ACQUISITIONS,
    Beliefs,
    chance_of_all,
    load_acquisition,
)
from gen2dft.loop.batch import choose_batch
from gen2dft.loop.targets import margin, violation

MERIT = np.array([0.0, 1.0, 0.9, -1.0])
MEMBERS = MERIT + np.array([[0, 0, 1.0, 0], [0, 0, -1.0, 0], [0.1, 0, 0, 0]])
CHANCE = np.array([0.5, 0.1, 0.1, 0.9])
BELIEFS = Beliefs(MERIT, MEMBERS, CHANCE)
LATENTS = np.array([[0, 0], [0, 0.1], [5, 5], [9, 9]], dtype=np.float32)


def rng(seed=0):
    return np.random.default_rng(seed)


def chosen(name, size=1, seed=0, beliefs=BELIEFS, **fields):
    spec = LearningSpec(acquisition=name, audit=0, **({"diversity": 0.0} | fields))
    value = load_acquisition(name)(beliefs, spec, rng(seed))
    return choose_batch(value, LATENTS, spec, size, rng(seed)).rows


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_every_acquisition_gives_finite_values_and_repeats_itself(name):
    spec = LearningSpec(acquisition=name)
    for beliefs in (
        BELIEFS,
        Beliefs(MERIT, MERIT[None], CHANCE),
        Beliefs(np.zeros(0), np.zeros((3, 0)), np.zeros(0)),
    ):
        value = load_acquisition(name)(beliefs, spec, rng())
        assert value.ndim == 2 and value.shape[1] == len(beliefs.merit)
        assert np.isfinite(value).all()
        assert np.array_equal(value, load_acquisition(name)(beliefs, spec, rng()))


def test_greedy_takes_the_best_and_ucb_the_one_that_may_be_better():
    assert chosen("greedy") == chosen("predicted-value") == (1,)
    assert chosen("ucb") == (2,)
    assert chosen("ucb", exploration=0.0) == (1,)


def test_probability_takes_the_likeliest_and_of_equals_the_better():
    assert chosen("probability", size=4) == (3, 0, 1, 2)


def test_the_chance_is_that_of_the_distribution_the_members_are_drawn_from():
    wanted = (
        Target(property="formation_energy", near=(-0.5,), tolerance=0.1),
        Target(property="e_above_hull", max=0.0),
    )
    members = {"formation_energy": rng().normal(-0.45, 0.15, (4000, 1))}
    members["e_above_hull"] = (
        members["formation_energy"] + 0.55
    )  # one goes with the other: only -0.6 to -0.55 will do
    expected = norm.cdf(-0.55, -0.45, 0.15) - norm.cdf(-0.6, -0.45, 0.15)
    assert chance_of_all(wanted, members) == pytest.approx([expected], abs=0.03)
    alone = {name: values[:1] for name, values in members.items()}
    assert chance_of_all(wanted, alone)[0] in (0.0, 1.0)
    unknown = {**members, "e_above_hull": np.full((4000, 1), np.nan)}
    assert chance_of_all(wanted, unknown) == [0.0]
    assert chance_of_all(wanted[:1], unknown)[0] > 0.3


@pytest.mark.parametrize(
    ("fields", "value", "within"),
    [
        ({"near": (-0.5, 2.0), "tolerance": 0.1}, 2.05, 0.05),
        ({"near": (-0.5,), "tolerance": 0.1}, 0.0, -0.4),
        ({"min": 1.0, "max": 3.0}, 2.5, 0.5),
        ({"max": 0.1}, 0.3, -0.2),
        ({"optimise": "maximise"}, 7.0, np.inf),
        ({"max": 0.1}, np.nan, -np.inf),
    ],
)
def test_how_far_a_value_lies_within_a_target(fields, value, within):
    target = Target(property="band_gap", **fields)
    assert margin(target, [[value]]) == pytest.approx(np.array([[within]]))
    assert (margin(target, value) >= 0) == (
        np.nan_to_num(violation(target, value), nan=1.0)[0] == 0
    )


def test_thompson_follows_its_members_in_turn():
    assert {chosen("thompson", seed=seed)[0] for seed in range(20)} == {1, 2}
    assert set(chosen("thompson", size=2)) == {1, 2}


def test_diverse_spreads_over_the_better_half():
    assert sorted(chosen("diverse", size=2, diversity=1.0)) == [1, 2]
    with pytest.raises(ValueError, match="`diversity` must be above 0"):
        LearningSpec(acquisition="diverse", diversity=0)


def test_random_does_not_look():
    assert {chosen("random", seed=seed)[0] for seed in range(40)} == {0, 1, 2, 3}


def test_beliefs_come_from_targets_and_the_members_that_tell():
    wanted = (
        Target(property="band_gap", min=1.0),
        Target(property="formation_energy", optimise="minimise"),
    )
    values = {"band_gap": np.array([0.5, 2.0]), "formation_energy": np.array([-1.0, -1.0])}
    members = {"band_gap": np.array([[0.0, 2.0], [1.0, 2.0]])}
    beliefs = Beliefs.of(wanted, values, members, {"band_gap": 1.0, "formation_energy": 1.0})
    assert beliefs.merit.tolist() == [0.0, 1.0]
    assert beliefs.members.tolist() == [[-1.0, 1.0], [1.0, 1.0]]
    assert beliefs.uncertainty[1] == 0 < beliefs.uncertainty[0]
    assert Beliefs.of(
        wanted, values, {}, {"band_gap": 1.0, "formation_energy": 1.0}
    ).uncertainty.tolist() == [0, 0]


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(
        CampaignError, match=r"learning.acquisition 'gready' is not one of .*Did you mean 'greedy'"
    ):
        load_acquisition("gready")
