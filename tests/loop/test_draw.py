"""What is asked of a source, what it draws, and the ids of the draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy_views import LISTED, TOY, Listed, content_of, view_of

from gen2dft.campaign import SamplingSpec
from gen2dft.crystals import CrystalTable
from gen2dft.generators.draw_ids import draw_id
from gen2dft.generators.proposals import Draw, Proposal, Request
from gen2dft.loop.draw import draw, only_crystals, request, seed_merit, seed_rank, shared_out
from gen2dft.loop.ids import candidate_id, id_of
from gen2dft.loop.learn import learnt
from gen2dft.loop.view import Arm, View, part_of
from gen2dft.streams import Stream, Streams
from gen2dft.thermo.hull import ReferenceHull
from tests import toys


@pytest.fixture(scope="module")
def view() -> View:
    """A source with latents and one without, each with a learning and a control arm."""
    learning = {**toys.TOY_CAMPAIGN["learning"], "control": 0.5, "ensemble": 2}
    return view_of(content_of((TOY, 0.6), (LISTED, 0.4), learning=learning))


def arm_of(view: View, source: str, learner: str = "learning") -> Arm:
    return view.arm_of[source, learner]


def ids(view: View, arm: Arm) -> list[str]:
    drawn = draw(view, arm)
    return [id_of(view, drawn, row) for row in range(len(drawn.proposal))]


@pytest.mark.parametrize(("charges", "asked"), [("strict", True), (True, False), (False, False)])
def test_a_source_is_told_of_a_strict_gate(charges: bool | str, asked: bool):
    screening = {**toys.TOY_CAMPAIGN["screening"], "charge_balance": charges}
    strict = view_of(content_of((TOY, 0.6), (LISTED, 0.4), screening=screening))
    assert request(strict, arm_of(strict, LISTED)).semiconducting is asked


def test_a_strict_gate_that_weighs_leaves_the_source_free():
    gates = [{"charge": {"strict": True, "mode": "weigh", "ratio": 0.3}}]
    screening = {**toys.TOY_CAMPAIGN["screening"], "gates": gates}
    free = view_of(content_of((TOY, 0.6), (LISTED, 0.4), screening=screening))
    assert request(free, arm_of(free, LISTED)).semiconducting is False


def test_a_source_without_latents_is_asked_for_its_share_of_the_draws(view: View):
    arm = arm_of(view, LISTED)
    drawn = draw(view, arm)
    (asked,) = Listed.asked
    assert isinstance(asked, Request)
    assert asked.number == len(drawn.proposal) == 20  # of 100: 0.4 for the source, half for the arm
    assert asked.targets == view.spec.targets
    assert asked.known is arm.learner.known
    assert asked.merit.tolist() == seed_merit(view, arm).tolist()
    assert asked.merit.shape == (8,)
    # Those of the known crystals.
    assert asked.elements == {3, 11, 19, 37, 12, 20, 38, 56, 9, 17, 35, 8, 16, 34}
    assert asked.num_elements == {2}
    assert asked.max_sites == view.spec.dataset.max_sites
    assert drawn.known_latents is None
    assert drawn.proposal.latents is None


def test_what_is_no_crystal_is_a_draw_with_a_reason(view: View):
    salts = [toys.rock_salt("Na", "Cl", 5.6), toys.rock_salt("K", "Cl", 0.6)]
    crystals = CrystalTable.from_structures([*salts, toys.rock_salt("K", "F", 5.4)])
    crystals.frac[-1] = np.nan
    drawn = [Draw("no_crystal", key="none", method="m")]
    drawn += [Draw(salts[0], key=str(number), method="m") for number in range(3)]
    given = replace(Proposal.of_draws(drawn), crystals=crystals)
    kept = only_crystals(given)
    assert kept.reasons == ("no_crystal", None, "volume_out_of_range", "not_finite")
    assert kept.kept.tolist() == [1]
    assert kept.crystals.formulas() == ["Cl1 Na1"]
    assert kept.keys == given.keys


def test_known_phases_of_the_hull_and_earlier_crystals_are_taken(view: View):
    earlier = CrystalTable.from_structures([toys.rock_salt("Cs", "I", 7.0)])
    hull = ReferenceHull.build([{"Fe": 2, "O": 3}], [-1.7])
    asked = request(replace(view, earlier=earlier, screen_hull=hull), arm_of(view, LISTED))
    assert {"Cs1 I1", "Fe2 O3", *view.known.crystals.formulas()} == asked.taken


def test_a_small_share_still_asks_for_one_draw(view: View):
    arm = replace(arm_of(view, LISTED), share=0.001)
    assert request(view, arm).number == 1
    two = [SamplingSpec(method="local", num_points=60), SamplingSpec(method="random", num_points=7)]
    assert [spec.num_points for spec in shared_out(two, 0.5)] == [30, 4]
    assert [spec.num_points for spec in shared_out(two, 0.001)] == [1, 1]


def test_what_the_campaign_allows_limits_the_elements_asked_for(view: View):
    screening = view.spec.screening.model_copy(update={"excluded_elements": ("F", "Ba")})
    narrow = replace(view, spec=view.spec.model_copy(update={"screening": screening}))
    asked = request(narrow, arm_of(narrow, LISTED))
    assert not asked.elements & {9, 56}
    assert 17 in asked.elements


def test_elements_are_those_that_the_learning_arm_knows_whichever_arm_asks(view: View):
    """The gates compare with what the learning arms know, so a control arm is asked for it too."""
    learner = learnt(view.spec, toys.dataset_of([("Cs", "Cl"), ("Na", "Cl")]), [])
    arms = tuple(
        replace(arm, learner=learner) if arm.learner.name == "learning" else arm
        for arm in view.arms
    )
    wider = replace(view, arms=arms)
    asked = request(wider, arm_of(wider, LISTED, "control"))
    assert 55 in asked.elements
    assert len(asked.known) == len(asked.merit) == 8


def labelled(arm: Arm, row: int, energy: float) -> Arm:
    """The arm with another label of one known crystal."""
    known = arm.learner.known
    energies = known.label("formation_energy").copy()
    energies[row] = energy
    changed = replace(known, labels={"formation_energy": energies})
    return replace(arm, learner=replace(arm.learner, known=changed))


def test_merit_goes_by_labels_and_where_there_is_none_by_prediction(view: View):
    arm = arm_of(view, TOY)
    merit = seed_merit(view, arm)
    best = int(np.argmax(merit))
    # A label overrules what is predicted, which is exact here.
    wrong = seed_merit(view, labelled(arm, best, 50.0))
    assert np.argmin(wrong) == best
    unknown = seed_merit(view, labelled(arm, best, np.nan))
    assert np.argmax(unknown) == best
    assert np.isfinite(unknown).all()


def test_hits_of_earlier_rounds_are_the_first_seeds(view: View):
    arm = arm_of(view, LISTED)
    merit = seed_merit(view, arm)
    worst = int(np.argmin(merit))
    is_hit = np.arange(len(merit)) == worst
    hit = replace(arm, learner=replace(arm.learner, is_hit=is_hit))
    assert np.argmax(request(view, hit).merit) == worst
    two = seed_rank(np.array([0.0, -2.0, -1.0]), np.array([False, True, True]))
    assert np.argsort(-two).tolist() == [2, 1, 0]


def test_draws_of_one_seed_are_equal_and_of_another_round_seed_or_arm_others(view: View):
    other_round = replace(view, index=1)
    other_seed = replace(view, spec=view.spec.model_copy(update={"seed": 1}))
    found = []
    for source in (TOY, LISTED):
        arm = arm_of(view, source)
        assert ids(view, arm) == ids(view, arm)
        found.append(ids(view, arm))
        found.append(ids(view, arm_of(view, source, "control")))
        found.append(ids(other_round, arm))
        found.append(ids(other_seed, arm))
    assert len(set.union(*map(set, found))) == sum(map(len, found)) == 4 * (30 + 20)


def test_the_id_of_a_latent_draw_is_made_of_the_snapshot_and_the_vector(view: View):
    arm = arm_of(view, TOY)
    drawn = draw(view, arm)
    latents = drawn.proposal.latents
    assert latents is not None
    assert id_of(view, drawn, 7) == candidate_id(arm.model.snapshot_id, latents[7])
    assert candidate_id("s", latents[7]) == candidate_id("s", latents[7].astype(">f4"))
    assert len({candidate_id("s", latents[7]), candidate_id("t", latents[7])}) == 2
    assert candidate_id("s", latents[7]) != candidate_id("s", latents[8])
    # Stored campaigns hold such ids: they must never change.
    assert candidate_id("snapshot", np.arange(3, dtype=np.float32)) == "a7026a67dc3772fa"


def test_the_id_of_another_draw_is_made_of_source_seed_and_key(view: View):
    arm = arm_of(view, LISTED)
    drawn = draw(view, arm)
    proposal = drawn.proposal
    seed = [view.spec.seed, 0, int(Stream.SAMPLING), 1]  # 1: the source's place
    assert id_of(view, drawn, 3) == draw_id(arm.model.source, seed, proposal.keys[3])
    # Nothing but its key tells a draw from another: its row may change.
    rows = np.arange(1, len(proposal))[::-1]
    turned = replace(
        proposal,
        crystals=proposal.crystals.select(np.arange(len(proposal.crystals))[::-1]),
        kept=np.arange(len(rows)),
        reasons=tuple(proposal.reasons[row] for row in rows),
        methods=tuple(proposal.methods[row] for row in rows),
        parents=tuple(proposal.parents[row] for row in rows),
        keys=tuple(proposal.keys[row] for row in rows),
    )
    again = replace(drawn, proposal=turned)
    assert id_of(view, again, len(rows) - 3) == id_of(view, drawn, 3)


def test_the_first_source_has_the_stream_itself():
    """Campaigns with one source drew from it before there were several."""
    assert part_of(Stream.SAMPLING, 0) == (Stream.SAMPLING,)
    assert part_of(Stream.SAMPLING, 2) == (Stream.SAMPLING, 2)
    draws = [Streams(0, 0).rng(*part_of(Stream.SAMPLING, place)).random() for place in range(3)]
    assert len(set(draws)) == 3
