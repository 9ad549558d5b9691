"""Labels become crystals to learn from."""

from dataclasses import replace

import numpy as np
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import LearningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
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
