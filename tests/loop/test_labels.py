"""Labels become crystals to learn from."""

from dataclasses import replace

import numpy as np
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import LearningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.doubts import MESH_NOT_CONVERGED, NARROW_GAP
from gen2dft.loop.labels import Label, hits_among, labels_to_learn, training_set


def label(key, num_sites=1, **values):
    structure = Structure(
        Lattice.cubic(3 * num_sites),
        ["Po"] * num_sites,
        [[i / num_sites, 0, 0] for i in range(num_sites)],
    )
    return Label(key, structure, values)


def test_labels_that_custodian_touched_can_be_left_out():
    untouched, touched = label("a"), replace(label("b"), settings_changed=True)
    assert labels_to_learn(LearningSpec(), [untouched, touched]) == [untouched, touched]
    assert labels_to_learn(LearningSpec(corrected_labels="exclude"), [untouched, touched]) == [
        untouched
    ]


def test_training_set_does_not_depend_on_the_order_of_arrival():
    crystals = CrystalTable.from_structures([Structure(Lattice.cubic(3), ["Po"], [[0, 0, 0]])])
    base = Dataset(crystals, ("known",), {"formation_energy": np.array([0.0])})
    labels = [label("b", formation_energy=-1.0), label("a", formation_energy=-2.0), label("c", 30)]
    first, second = training_set(base, labels, 20), training_set(base, labels[::-1], 20)
    assert first.content_hash == second.content_hash
    assert first.ids == ("known", "label-a", "label-b")
    assert first.label("formation_energy").tolist() == [0.0, -2.0, -1.0]


def test_a_property_that_only_labels_tell_is_learnt_if_it_is_wanted():
    crystals = CrystalTable.from_structures([Structure(Lattice.cubic(3), ["Po"], [[0, 0, 0]])])
    base = Dataset(crystals, ("known",), {"formation_energy": np.array([0.0])})
    labels = [label("a", formation_energy=-1.0, band_gap=0.7)]
    assert "band_gap" not in training_set(base, labels, 20).labels
    known = training_set(base, labels, 20, wanted=("band_gap", "power_factor"))
    assert set(known.labels) == {"formation_energy", "band_gap"}
    assert np.array_equal(known.label("band_gap"), [np.nan, 0.7], equal_nan=True)


def test_hits_are_told_from_other_known_crystals():
    crystals = CrystalTable.from_structures([Structure(Lattice.cubic(3), ["Po"], [[0, 0, 0]])])
    base = Dataset(crystals, ("known",), {"formation_energy": np.array([0.0])})
    labels = [label("a", formation_energy=-1.0), replace(label("b"), is_hit=True)]
    assert hits_among(training_set(base, labels, 20), labels).tolist() == [False, False, True]


def power_factors(*known: float) -> Dataset:
    """A base set with these power factors."""
    one = Structure(Lattice.cubic(3), ["Po"], [[0, 0, 0]])
    crystals = CrystalTable.from_structures([one] * len(known))
    ids = tuple(f"known-{row}" for row in range(len(known)))
    columns = {"band_gap": np.ones(len(known)), "power_factor": np.array(known)}
    return Dataset(crystals, ids, columns)


def test_a_power_factor_across_a_narrow_gap_is_learnt_only_if_asked():
    doubtful = replace(label("a", band_gap=0.1, power_factor=9.0), doubts=(NARROW_GAP,))
    (learnt,) = labels_to_learn(LearningSpec(), [doubtful])
    assert learnt.values == {"band_gap": 0.1}
    (asked,) = labels_to_learn(LearningSpec(doubtful_labels="include"), [doubtful])
    assert asked is doubtful


def test_a_mesh_that_is_not_converged_does_not_keep_a_power_factor_from_training():
    rough = replace(label("a", power_factor=9.0), doubts=(MESH_NOT_CONVERGED,))
    assert labels_to_learn(LearningSpec(), [rough]) == [rough]


def test_two_labels_of_a_candidate_are_one_crystal():
    own = replace(
        label("b", formation_energy=-1.0, e_above_hull=0.1, band_gap=2.0),
        candidate="c1",
        is_hit=True,
    )
    by_dft = replace(
        label("a", num_sites=2, band_gap=0.8, power_factor=3.0),
        candidate="c1",
        is_dft=True,
        errors={"power_factor": 0.5},
    )
    other = replace(label("c", formation_energy=-2.0), candidate="c2")
    for labels in ([own, by_dft, other], [other, by_dft, own]):
        learnt = {found.candidate: found for found in labels_to_learn(LearningSpec(), labels)}
        assert len(learnt) == 2
        merged = learnt["c1"]
        assert (merged.id, merged.is_hit, merged.errors) == ("b", True, {"power_factor": 0.5})
        assert merged.crystal is own.crystal
        assert merged.values == {
            "formation_energy": -1.0, "e_above_hull": 0.1, "band_gap": 0.8, "power_factor": 3.0,
        }  # fmt: skip


def test_energies_of_another_scale_do_not_replace_the_campaigns():
    own = replace(label("b", formation_energy=-1.0, e_above_hull=0.1), candidate="c")
    other = replace(label("a", e_above_hull=0.9, power_factor=1.0), candidate="c", is_dft=True)
    (merged,) = labels_to_learn(LearningSpec(), [own, other])
    assert merged.values == {"formation_energy": -1.0, "e_above_hull": 0.1, "power_factor": 1.0}


def test_a_doubtful_power_factor_does_not_replace_a_good_one():
    good = replace(label("b", power_factor=1.0), candidate="c", is_dft=True)
    doubted = replace(
        label("a", band_gap=0.1, power_factor=9.0),
        candidate="c",
        is_dft=True,
        doubts=(NARROW_GAP,),
    )
    (merged,) = labels_to_learn(LearningSpec(), [good, doubted])
    assert merged.values == {"band_gap": 0.1, "power_factor": 1.0}


def test_labels_with_an_error_weigh_less_and_published_ones_weigh_one():
    base = power_factors(1.0, 3.0, 9.0)
    exact = label("a", power_factor=5.0, band_gap=1.0)
    sure = replace(label("b", power_factor=5.0), errors={"power_factor": 0.1})
    rough = replace(label("c", power_factor=5.0), errors={"power_factor": 5.0})
    known = training_set(base, [rough, exact, sure], 20)
    weights = known.weight("power_factor")
    assert weights[:4].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert 0.9 < weights[4] < 1.0
    assert 0.0 < weights[5] < 0.5
    assert set(known.weights) == {"power_factor"}


def test_without_errors_the_training_set_is_as_it_was():
    known = training_set(power_factors(1.0, 2.0), [label("a", power_factor=5.0)], 20)
    assert not known.weights


def test_metals_teach_the_gap_and_leave_the_power_factor_out():
    known = training_set(power_factors(1.0), [label("a", band_gap=0.0)], 20)
    assert known.label("band_gap").tolist() == [1.0, 0.0]
    assert np.array_equal(known.label("power_factor"), [1.0, np.nan], equal_nan=True)
