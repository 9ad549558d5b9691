"""What labels teach: learning arms know them and are refitted, the control arm is not."""

from __future__ import annotations

import numpy as np
import pytest
from toy_views import LISTED, TOY, content_of, view_of

from gen2dft.crystals import CrystalTable
from gen2dft.generators.snapshot import snapshot_id, to_bytes
from gen2dft.loop.labels import Label
from gen2dft.loop.learn import Lesson, fit_generator, learnt, tell
from gen2dft.loop.view import Arm, View
from tests import toys

LABELS = [
    Label("b", toys.rock_salt("Rb", "F", 5.9), {"formation_energy": -2.5}),
    Label("a", toys.rock_salt("K", "Cl", 6.3), {"formation_energy": -1.1}, is_hit=True),
]
CRYSTALS = CrystalTable.from_structures([toys.rock_salt("K", "Cl", 6.3)])


@pytest.fixture(scope="module")
def view() -> View:
    learning = {**toys.TOY_CAMPAIGN["learning"], "control": 0.5, "ensemble": 2}
    return view_of(content_of((TOY, 0.5), (LISTED, 0.5), learning=learning))


def by_learner(view: View, name: str) -> list[Arm]:
    return [arm for arm in view.arms if arm.learner.name == name]


def energy_of(arm: Arm) -> float:
    """What an arm's ensemble believes of KCl, eV/atom, as the mean of its members."""
    return float(arm.model.head.predict(CRYSTALS).members["formation_energy"].mean())


def test_learning_arms_know_the_labels_in_the_order_of_their_ids(view: View):
    following = tell(view, LABELS)
    learning = by_learner(following, "learning")
    assert [arm.source for arm in learning] == [TOY, LISTED]
    for arm in learning:
        known = arm.learner.known
        assert known.ids[: len(view.base)] == view.base.ids
        assert known.ids[len(view.base) :] == ("label-a", "label-b")
        assert known.label("formation_energy")[-2:].tolist() == [-1.1, -2.5]
        assert arm.learner.is_hit.tolist() == [False] * len(view.base) + [True, False]


def test_the_control_arms_stay_as_they_are(view: View):
    following = tell(view, LABELS)
    before, after = by_learner(view, "control"), by_learner(following, "control")
    assert len(after) == 2
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert len(after[0].learner.known) == len(view.base)


def test_the_given_view_is_not_changed(view: View):
    arms, earlier, base = view.arms, view.earlier.content_hash(), view.base.content_hash
    snapshots = [snapshot_id(to_bytes(arm.model.generator)) for arm in arms]
    believed = [energy_of(arm) for arm in arms]
    following = tell(view, LABELS, CRYSTALS)
    assert (view.index, following.index) == (0, 1)
    assert view.arms is arms
    assert view.earlier.content_hash() == earlier
    assert view.base.content_hash == following.base.content_hash == base
    assert [snapshot_id(to_bytes(arm.model.generator)) for arm in arms] == snapshots
    assert [energy_of(arm) for arm in arms] == believed
    assert all(len(arm.learner.known) == len(view.base) for arm in arms)


def test_generator_and_head_are_refitted_to_the_labels(view: View):
    """A label far from what the base set suggests moves what the heads believe of the crystal."""
    label = Label("a", toys.rock_salt("K", "Cl", 6.3), {"formation_energy": 4.0})
    following = tell(view, [label])
    for before, after in zip(view.arms, following.arms, strict=True):
        moved = energy_of(after) - energy_of(before)
        assert (moved > 0.3) == (after.learner.name == "learning")
    toy = by_learner(following, "learning")[0]
    assert toy.model.generator.training_set_hash == toy.learner.known.content_hash
    assert toy.model.snapshot_id == snapshot_id(to_bytes(toy.model.generator))
    assert toy.model.snapshot_id != by_learner(view, "learning")[0].model.snapshot_id
    again = tell(view, [label])
    assert [energy_of(arm) for arm in again.arms] == [energy_of(arm) for arm in following.arms]


def test_shares_and_places_of_arms_stay(view: View):
    following = tell(view, LABELS)
    assert [arm.key for arm in following.arms] == [arm.key for arm in view.arms]
    assert [(arm.share, arm.place) for arm in following.arms] == [(0.25, 0), (0.25, 1)] * 2


def test_screened_crystals_add_to_those_not_to_be_computed_again(view: View):
    once = tell(view, LABELS, CRYSTALS)
    other = CrystalTable.from_structures([toys.rock_salt("Rb", "F", 5.9)])
    twice = tell(once, LABELS, other)
    assert twice.earlier.formulas() == ["Cl1 K1", "F1 Rb1"]
    assert tell(view, LABELS).earlier.formulas() == []


def test_labels_without_a_cell_that_fits_and_corrected_ones_are_not_learnt(view: View):
    changed = Label("c", toys.rock_salt("K", "F", 5.5), {}, settings_changed=True)
    strict = view.spec.learning.model_copy(update={"corrected_labels": "exclude"})
    spec = view.spec.model_copy(update={"learning": strict})
    assert "label-c" in learnt(view.spec, view.base, [*LABELS, changed]).known.ids
    assert "label-c" not in learnt(spec, view.base, [*LABELS, changed]).known.ids
    large = Label("d", toys.rock_salt("K", "F", 5.5) * (4, 4, 4), {"formation_energy": -1.0})
    assert len(large.crystal) > view.spec.dataset.max_sites
    assert "label-d" not in learnt(view.spec, view.base, [*LABELS, large]).known.ids


def test_a_training_starts_from_the_parent_unless_a_new_head_becomes_possible(view: View):
    arm = view.arms[0]
    source, known, parent = arm.model.source, arm.learner.known, arm.model.generator
    same = Lesson(view.spec, source, known, len(known), parent.properties, parent)
    more = Lesson(view.spec, source, known, len(known), ("formation_energy", "band_gap"), parent)
    assert same.start is parent
    assert more.start is None
    assert fit_generator(same)[1].warm
    assert not fit_generator(more)[1].warm
    assert (same.total_epochs, more.total_epochs) == (source.epochs_warm, source.epochs)
    listed = Lesson(view.spec, source, known, len(known), (), view.arms[1].model.generator)
    assert listed.start is view.arms[1].model.generator


def test_retraining_starts_from_the_generator_and_holds_out_crystals_of_the_base_set_only(
    view: View, monkeypatch
):
    told = []
    fit = toys.ToyGenerator.fit

    def spy(self, *given, warm_start, may_hold_out, **more):
        told.append((warm_start, np.asarray(may_hold_out)))
        return fit(self, *given, warm_start=warm_start, **more)

    monkeypatch.setattr(toys.ToyGenerator, "fit", spy)
    tell(view, LABELS)
    ((parent, allowed),) = told
    assert parent is view.arms[0].model.generator
    assert allowed.tolist() == [True] * len(view.base) + [False] * len(LABELS)
