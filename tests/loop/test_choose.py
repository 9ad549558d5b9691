"""A batch: the gate's audit first, then each arm's best, as far as the budget goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from toy_views import LISTED, TOY, content_of, view_of

from gen2dft.loop.acquisition import LEAST_CHANCE
from gen2dft.loop.choose import GATE_AUDIT, Choice, choose, places
from gen2dft.loop.costs import CostModel
from gen2dft.loop.propose import propose
from gen2dft.loop.shortlist import DISTANCE, ENERGY
from gen2dft.loop.verdicts import Verdict, unscreened
from gen2dft.loop.view import View
from gen2dft.streams import Stream
from tests import toys

ARM = TOY, "learning"
PAIRS = [(cation, anion) for cation in toys.CATIONS for anion in toys.ANIONS]


def view_with(*shares: tuple[str, float], **learning: Any) -> View:
    """A campaign that takes what is predicted best, without audit or diversity unless asked."""
    wanted = {"acquisition": "greedy", "audit": 0.0, "diversity": 0.0, "ensemble": 2, **learning}
    return view_of(content_of(*shares, learning=wanted))


@pytest.fixture(scope="module")
def view() -> View:
    return view_with()


@pytest.fixture(scope="module")
def arms() -> View:
    """Two sources, each with a learning arm and a control arm."""
    return view_with((TOY, 0.75), (LISTED, 0.25), control=0.5)


def verdicts(
    energies: Sequence[float], arm: tuple[str, str] = ARM, **changed: Any
) -> list[Verdict]:
    """Screened crystals of one arm with ids `a00`, `a01`, ...; -1.0 is in the middle of the target.

    The surrogate's energies are far outside the target but for one, so that the order is known.
    """
    letter = changed.pop("letter", "a")
    found = []
    for i, energy in enumerate(energies):
        crystal = toys.rock_salt(*PAIRS[i], 5.5)
        values = {ENERGY: energy, DISTANCE: 0.0}
        verdict = Verdict(f"{letter}{i:02d}", arm, crystal, values, None, {ENERGY: energy})
        found.append(replace(verdict, **changed))
    return found


def chosen(choices: Sequence[Choice]) -> dict[str, str]:
    return {choice.candidate_id: choice.by for choice in choices if choice.by}


def test_the_best_by_the_surrogate_are_chosen_and_every_candidate_gets_its_choice(view: View):
    given = verdicts([-5.0, -2.0, -4.0, -3.0])
    choices = choose(replace(view, calls_left=2), given)
    assert [choice.candidate_id for choice in choices] == ["a00", "a01", "a02", "a03"]
    assert chosen(choices) == {"a01": "acquisition", "a03": "acquisition"}
    scores = [choice.score for choice in choices]
    assert sorted(scores) == [scores[0], scores[2], scores[3], scores[1]]
    # The surrogate overrules the head, and what is believed in the end is written down.
    assert [choice.predicted[ENERGY] for choice in choices] == [-5.0, -2.0, -4.0, -3.0]


@pytest.mark.parametrize(
    ("errors", "best"),
    [({}, "a01"), ({DISTANCE: 0.05}, "a00")],
    ids=["potential", "corrected"],
)
def test_the_weight_of_a_gate_counts_until_a_correction_has_judged(
    view: View, errors: dict[str, float], best: str
):
    """Two crystals equal by the potential, of which a gate weighed the first."""
    first, second = verdicts([-1.0, -1.0], errors=errors)
    weighed = [replace(first, weight=0.3), second]
    assert chosen(choose(replace(view, calls_left=1), [first, second])) == {"a00": "acquisition"}
    assert chosen(choose(replace(view, calls_left=1), weighed)) == {best: "acquisition"}


def test_the_audit_of_the_gate_comes_first_and_keeps_its_predictions(view: View):
    passed = verdicts([-1.0, -1.0, -1.0])
    refused = verdicts([-9.0, -9.0], letter="z", reason="above_hull")
    choices = choose(replace(view, calls_left=3), [*passed, *refused])
    assert chosen(choices) == {"a00": "acquisition", "z00": GATE_AUDIT, "z01": GATE_AUDIT}
    audited = [choice for choice in choices if choice.by == GATE_AUDIT]
    assert [(choice.score, choice.predicted) for choice in audited] == [(None, {ENERGY: -9.0})] * 2
    one = choose(replace(view, calls_left=1), [*passed, *refused])
    assert chosen(one) == {"z00": GATE_AUDIT}


def test_a_random_audit_has_its_share_of_the_batch():
    view = view_with(audit=0.5)
    energies = [-1.0] * 4 + [-6.0] * 12
    batch = chosen(choose(replace(view, calls_left=4), verdicts(energies)))
    assert Counter(batch.values()) == {"acquisition": 2, "audit": 2}
    best = {key for key, by in batch.items() if by == "acquisition"}
    assert best == {"a00", "a01"}
    others = choose(replace(view, index=1, calls_left=4), verdicts(energies))
    assert chosen(others) != batch


def test_places_are_shared_out_and_the_rest_goes_to_the_first_part():
    assert places(10, [0.75, 0.25]) == [8, 2]
    assert places(7, [0.4, 0.3, 0.3]) == [3, 2, 2]
    assert places(5, [0.5, 0.5]) == [3, 2]
    assert places(0, [0.5, 0.5]) == [0, 0]


def test_rounding_never_gives_more_places_than_there_are():
    """Three sources with a control arm of a half: five parts of 1.5 places would round to 10."""
    assert places(9, [1 / 6] * 6) == [0, 2, 2, 2, 2, 1]
    assert places(5, [0.1, 0.3, 0.3, 0.3]) == [0, 2, 2, 1]


def test_arms_never_overdraw_the_calls_that_are_left(view: View):
    arm = view.arms[0]
    learners = [replace(arm.learner, name=f"arm-{i}") for i in range(6)]
    arms = tuple(replace(arm, learner=learner, share=1 / 6) for learner in learners)
    given = []
    for letter, one in zip("abcdef", arms, strict=True):
        given += verdicts([-1.0] * 4, one.key, letter=letter)
    with_streams = {learner.name: Stream.ACQUISITION for learner in learners}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gen2dft.loop.choose.ACQUISITION_STREAMS", with_streams)
        assert len(chosen(choose(replace(view, arms=arms, calls_left=9), given))) == 9


def test_arms_and_sources_have_their_shares_of_the_batch(arms: View):
    given = []
    for letter, arm in zip("abcd", arms.arms, strict=True):
        # The better an arm, the smaller its share: merit must not move places between arms.
        given += verdicts(np.linspace(-9.0, -2.0 - ord(letter) % 2, 10), arm.key, letter=letter)
    batch = chosen(choose(replace(arms, calls_left=16), given))
    assert Counter(key[0] for key in batch) == {"a": 6, "b": 2, "c": 6, "d": 2}
    keys = [arm.key for arm in arms.arms]
    assert keys == [(TOY, "learning"), (LISTED, "learning"), (TOY, "control"), (LISTED, "control")]


def test_places_that_a_source_cannot_fill_go_to_the_others_of_its_learner(arms: View):
    energies = [-1.0 - 0.1 * i for i in range(8)]
    few = verdicts(energies[:1], (LISTED, "learning"), letter="b")
    many = verdicts(energies, (TOY, "learning"), letter="a")
    control = verdicts(energies, (TOY, "control"), letter="c")
    choices = choose(replace(arms, calls_left=16), [*many, *few, *control])
    # Of 16: 6 and 2 for the sources that learn, of which one fills 1 of its 2; 6 for the control.
    taken = Counter(key[0] for key in chosen(choices))
    assert taken == {"a": 7, "b": 1, "c": 8}


def test_the_audit_is_taken_off_before_arms_share(arms: View):
    given = verdicts([-9.0] * 8, letter="z", reason="above_hull")
    for letter, arm in zip("abcd", arms.arms, strict=True):
        given += verdicts([-2.0] * 10, arm.key, letter=letter)
    batch = chosen(choose(replace(arms, calls_left=16), given))
    assert Counter(key[0] for key in batch) == {"z": 8, "a": 3, "b": 1, "c": 3, "d": 1}


@pytest.mark.parametrize(
    ("hours", "kept"),
    [(None, 4), (35.0, 3), (30.0, 3), (5.0, 1), (0.0, 0), (-1.0, 0)],
)
def test_core_hours_end_the_batch_after_the_best(view: View, hours: float | None, kept: int):
    """10 core-hours a crystal of two sites; at least one is computed while anything is left."""
    costs = CostModel(np.log(5.0), 1.0)
    limited = replace(view, calls_left=4, costs=costs, hours_left=hours)
    energies = [-5.0, -2.0, -4.0, -3.0, -6.0]
    batch = chosen(choose(limited, verdicts(energies)))
    best_first = ["a01", "a03", "a02", "a00"]
    assert set(batch) == set(best_first[:kept])


def test_the_audit_is_paid_for_first(view: View):
    limited = replace(view, calls_left=4, costs=CostModel(np.log(5.0), 1.0), hours_left=10.0)
    given = [*verdicts([-1.0] * 3), *verdicts([-9.0], letter="z", reason="above_hull")]
    assert chosen(choose(limited, given)) == {"z00": GATE_AUDIT}


def test_no_calls_left_choose_nothing(view: View):
    given = [*verdicts([-1.0] * 3), *verdicts([-9.0], letter="z", reason="above_hull")]
    choices = choose(replace(view, calls_left=0), given)
    assert len(choices) == 4
    assert not chosen(choices)
    assert choose(view, []) == []


@pytest.mark.parametrize("diversity", [0.1, 50.0])
@pytest.mark.parametrize("acquisition", ["greedy", "ucb", "thompson", "diverse", "random"])
def test_crystals_whose_hull_lacks_phases_come_last(acquisition: str, diversity: float):
    view = view_with(acquisition=acquisition, diversity=diversity)
    sound = verdicts([-5.0, -4.0, -3.0])
    marked = verdicts([-1.0, -1.2], letter="b", remark="hull_incomplete")
    three, four = (
        chosen(choose(replace(view, calls_left=number), [*sound, *marked])) for number in (3, 4)
    )
    assert set(three) == {"a00", "a01", "a02"}
    assert len(set(four) & {"b00", "b01"}) == 1  # kept: they fill the places that are left


def test_the_score_of_a_marked_crystal_is_its_value_all_the_same(view: View):
    (plain,) = choose(view, verdicts([-1.0]))
    (marked,) = choose(view, verdicts([-1.0], remark="hull_incomplete"))
    assert marked == plain


def test_unscreened_candidates_go_by_the_head(view: View):
    limited = replace(view, calls_left=3)
    given = unscreened(limited, propose(limited))
    assert len(given) > 3
    choices = choose(limited, given)
    assert list(chosen(choices).values()) == ["acquisition"] * 3
    by_id = {verdict.candidate_id: verdict for verdict in given}
    for choice in choices:
        verdict = by_id[choice.candidate_id]
        assert choice.predicted[ENERGY] == pytest.approx(verdict.predicted[ENERGY])
        # No surrogate told the distance to the hull; energy and hull do.
        assert DISTANCE in choice.predicted


def test_the_score_of_an_unscreened_candidate_has_its_chance_to_pass(view: View):
    """With a gate that all pass the chance adds nothing; with one that none passes, its floor."""
    given = unscreened(view, propose(view))
    scores = []
    for low, high in ((-99.0, 99.0), (-99.0, -50.0)):
        limits = {"min_e_above_hull": low, "max_e_above_hull": high}
        surrogate = view.spec.screening.surrogate.model_copy(update=limits)
        screening = view.spec.screening.model_copy(update={"surrogate": surrogate})
        spec = view.spec.model_copy(update={"screening": screening})
        choices = choose(replace(view, spec=spec), given)
        scores.append([choice.score for choice in choices])
    with_ease, in_vain = np.array(scores)
    assert in_vain - with_ease == pytest.approx(np.full(len(given), np.log(LEAST_CHANCE)))


def test_the_screens_gate_is_not_foreseen_for_what_it_has_seen(view: View):
    """A surrogate told distances: merit alone is the score, and 0 is the best merit there is."""
    (choice,) = choose(replace(view, calls_left=1), verdicts([-1.0]))
    assert choice.score == 0.0


@pytest.mark.parametrize("acquisition", ["thompson", "random"])
def test_the_order_is_reproducible_and_each_crystal_occurs_once(acquisition: str):
    view = view_with((TOY, 0.5), (LISTED, 0.5), acquisition=acquisition, audit=0.3, control=0.4)
    view = replace(view, calls_left=12)
    given = unscreened(view, propose(view))
    first, again = choose(view, given), choose(view, given)
    assert first == again
    assert [choice.candidate_id for choice in first] == [verdict.candidate_id for verdict in given]
    batch = chosen(first)
    assert 0 < len(batch) <= 12
    formulas = [v.crystal.composition.reduced_formula for v in given if v.candidate_id in batch]
    assert len(set(formulas)) == len(formulas) == len(batch)
