"""What is proposed: repeatable, every draw counted, equal crystals of two sources told once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from toy_views import LISTED, TOY, content_of, view_of

from gen2dft.loop.ids import id_of
from gen2dft.loop.propose import Proposed, propose
from gen2dft.loop.sieve import Sifted
from gen2dft.loop.view import View
from gen2dft.screening.duplicates import DUPLICATE_IN_BATCH
from gen2dft.thermo.formulas import parse_formula
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

HALVES = (TOY, 0.5), (LISTED, 0.5)
LIMIT = 8


@pytest.fixture(scope="module")
def view() -> View:
    """Two sources that draw from the same 48 rock salts."""
    return view_of(content_of(*HALVES))


@pytest.fixture(scope="module")
def limited() -> View:
    """The same with unequal shares, and relaxations for a few crystals only."""
    surrogate = {**toys.TOY_CAMPAIGN["screening"]["surrogate"], "max_relaxations": LIMIT}
    shares = (TOY, 0.75), (LISTED, 0.25)
    learning = {**toys.TOY_CAMPAIGN["learning"], "acquisition": "greedy"}
    return view_of(content_of(*shares, screening={"surrogate": surrogate}, learning=learning))


def told(view: View, proposed: Proposed) -> list[tuple[str, str | None]]:
    """Id and reason of every draw, arm after arm."""
    found = []
    for part in proposed.parts:
        for row, reason in enumerate(part.reasons):
            found.append((id_of(view, part.drawn, row), reason))
    return found


def formulas(part: Sifted, reason: str | None) -> set[str]:
    """Formulas of an arm's crystals that share one fate."""
    proposal = part.drawn.proposal
    names = proposal.crystals.formulas()
    return {
        name for name, row in zip(names, proposal.kept, strict=True) if part.reasons[row] == reason
    }


def test_the_same_view_gives_the_same_draws_and_another_round_others(view: View) -> None:
    first, again = told(view, propose(view)), told(view, propose(view))
    assert first == again
    assert len({key for key, _ in first}) == len(first) == 99  # 50 of the toy, 1 + 48 listed
    later = replace(view, index=1)
    others = {key for key, _ in told(later, propose(later))}
    assert others.isdisjoint(key for key, _ in first)


def test_sources_take_turns_in_the_sieve(view: View) -> None:
    """Of two equal crystals the one of the source whose turn it is counts, and not the other."""
    for index, (first, second) in ((0, (TOY, LISTED)), (1, (LISTED, TOY)), (2, (TOY, LISTED))):
        parts = {part.drawn.arm.source: part for part in propose(replace(view, index=index)).parts}
        twice = formulas(parts[second], DUPLICATE_IN_BATCH)
        assert twice & formulas(parts[first], None)
        # The first source has doubles of its own only: whatever it lost, it also kept.
        assert formulas(parts[first], DUPLICATE_IN_BATCH) <= formulas(parts[first], None)


def test_results_come_in_the_order_of_the_arms_whoever_was_first(view: View) -> None:
    proposed = propose(replace(view, index=1))
    assert [part.drawn.arm for part in proposed.parts] == list(view.arms)


@pytest.mark.parametrize("index", [0, 1])
def test_equal_crystals_of_two_sources_become_one_that_names_both(view: View, index: int) -> None:
    proposed = propose(replace(view, index=index))
    parts = {part.drawn.arm.source: part for part in proposed.parts}
    (first, second) = (TOY, LISTED) if index == 0 else (LISTED, TOY)
    kept = Counter[str]()
    for part in proposed.parts:
        kept.update(part.crystals.formulas())
    assert set(kept.values()) == {1}
    names = parts[first].drawn.proposal.crystals.formulas()
    shared = {names[row]: others for row, others in parts[first].also_from.items() if others}
    both = formulas(parts[first], None) & formulas(parts[second], DUPLICATE_IN_BATCH)
    assert shared == {name: [second] for name in both}
    assert both
    assert not any(parts[second].also_from.values())


def test_no_source_is_named_beside_itself() -> None:
    """The learning arm and the control arm of one source draw some crystals twice."""
    learning = {"rounds": 2, "batch": 6, "control": 0.5, "ensemble": 2}
    parts = propose(view_of(content_of(*HALVES, learning=learning))).parts
    toy, listed, again, _ = parts
    assert toy.drawn.arm.source == again.drawn.arm.source == TOY
    assert formulas(toy, None) & formulas(again, DUPLICATE_IN_BATCH)
    for part, other in ((toy, LISTED), (listed, TOY)):
        assert {name for names in part.also_from.values() for name in names} == {other}


def test_reasons_add_up_to_the_funnel(limited: View) -> None:
    proposed = propose(limited)
    counts = proposed.counts
    assert [count.stage for count in counts[:2]] == ["sample", "invert"]
    assert counts[-1].stage == "shortlist"
    assert [count.n_out for count in counts[:-1]] == [count.n_in for count in counts[1:]]
    given = Counter(reason for part in proposed.parts for reason in part.reasons)
    passed = given.pop(None)
    by_stage = Counter[str]()
    for count in counts:
        by_stage.update(count.reasons)
    assert by_stage == given
    assert passed == counts[-1].n_out
    assert counts[0].n_in == passed + given.total()
    # Stages of every kind took part, or the sum would prove nothing.
    assert given["no_luck"] == 1
    assert {"no_atoms", DUPLICATE_IN_BATCH, "not_shortlisted"} <= set(given)


def test_formulas_of_the_hull_are_known_whichever_source_draws_them(view: View) -> None:
    drawn = {name for part in propose(view).parts for name in formulas(part, None)}
    known = sorted(drawn)[0]
    phases = [parse_formula(known)]
    parts = propose(replace(view, screen_hull=ReferenceHull.build(phases, [-1.0]))).parts
    assert any(known in formulas(part, "known_formula") for part in parts)
    assert not any(known in formulas(part, None) for part in parts)


def test_the_shortlist_is_shared_out_among_the_arms(limited: View) -> None:
    proposed = propose(limited)
    listed = {part.drawn.arm.source: part.reasons.count(None) for part in proposed.parts}
    assert listed == {TOY: 6, LISTED: 2}
    assert all("not_shortlisted" in part.reasons for part in proposed.parts)


def test_the_shortlist_keeps_what_is_predicted_best(limited: View) -> None:
    part = propose(limited).parts[0]
    energies = part.predicted.values["formation_energy"]
    rows = part.drawn.proposal.kept[part.kept]
    listed = np.array([part.reasons[row] is None for row in rows])
    missed = np.maximum(np.abs(energies + 1.0) - 0.3, 0.0)  # of the target -1.0 +- 0.3
    assert 0 < listed.sum() < len(listed)
    assert missed[listed].max() <= missed[~listed].min() + 1e-9


def test_each_arm_knows_which_of_its_crystals_a_gate_weighed() -> None:
    """Crystals with Na stay, with a smaller chance, whoever drew them."""
    gates = ["geometry", {"elements": {"mode": "weigh", "ratio": 0.25}}, "duplicates"]
    screening = {
        **toys.TOY_CAMPAIGN["screening"],
        "gates": gates,
        "excluded_elements": ["Na"],
        "novelty": "structure",
    }
    proposed = propose(view_of(content_of(*HALVES, screening=screening)))
    for part in proposed.parts:
        names = part.crystals.formulas()
        expected = [0.25 if "Na" in parse_formula(name) else 1.0 for name in names]
        assert part.weights.tolist() == expected
        assert 0.25 in expected
    (count,) = [count for count in proposed.counts if count.stage == "elements"]
    assert count.n_in == count.n_out
    assert count.weighed["element_not_allowed"] > 0
