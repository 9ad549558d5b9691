import numpy as np
import pytest
from gen2dft.learning import calls_left, choose_batch, labels_to_learn, stop_reason, training_set
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import LearningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.store.documents import LabelDoc


def rng():
    return np.random.default_rng(0)


def test_without_diversity_and_audit_the_best_are_chosen():
    batch = choose_batch(
        np.array([[1.0, 3, 2]]), np.eye(3, dtype="f4"), LearningSpec(diversity=0, audit=0), 2, rng()
    )
    assert batch.rows == (1, 2)


def test_diversity_avoids_twins():
    value = np.array([[1.0, 0.99, 0.9]])
    latents = np.array([[0, 0], [0, 0.01], [5, 5]], dtype=np.float32)
    assert choose_batch(value, latents, LearningSpec(diversity=1, audit=0), 2, rng()).rows == (0, 2)


def test_audit_takes_its_share_at_random_from_the_rest():
    value = np.arange(100.0)[None]
    batch = choose_batch(
        value, rng().random((100, 2), "f4"), LearningSpec(diversity=0, audit=0.2), 10, rng()
    )
    assert batch.chosen_by.count("audit") == 2
    assert len(set(batch.rows)) == 10
    assert set(batch.rows[:8]) == set(range(92, 100))


def test_batch_larger_than_the_choice_takes_all():
    assert sorted(
        choose_batch(np.zeros((1, 3)), np.zeros((3, 2), "f4"), LearningSpec(), 50, rng()).rows
    ) == [0, 1, 2]
    assert (
        choose_batch(np.zeros((1, 0)), np.zeros((0, 2), "f4"), LearningSpec(), 50, rng()).rows == ()
    )


@pytest.mark.parametrize(
    ("spec", "hits", "calls", "hours", "reason"),
    [
        ({"rounds": 2}, [1, 0], 10, 0.1, "all 2 rounds"),
        ({"rounds": 5}, [1, 0], 10, 0.1, None),
        ({"rounds": 5, "budget": {"oracle_calls": 10}}, [1], 10, 0.1, "10 oracle calls"),
        ({"rounds": 5, "budget": {"core_hours": 0.1}}, [1], 10, 0.2, "0.1 core-hours"),
        ({"rounds": 5, "hits": 3}, [1, 2], 10, 0, "3 hits are found, 3 were wanted"),
        ({"rounds": 5, "hits": 4}, [1, 2], 10, 0, None),
        ({"rounds": 5, "patience": 2}, [1, 0, 0], 10, 0, "no new hit in the last 2"),
        ({"rounds": 5, "patience": 2}, [0, 1, 0], 10, 0, None),
    ],
)
def test_stopping_rules(spec, hits, calls, hours, reason):
    found = stop_reason(LearningSpec.model_validate(spec), hits, calls, hours)
    assert (found is None) if reason is None else (reason in found)


def test_budget_shortens_the_batch():
    spec = LearningSpec.model_validate({"batch": 8, "budget": {"oracle_calls": 10}})
    assert [calls_left(spec, n) for n in (0, 5, 10, 12)] == [8, 5, 0, 0]


def label(key, num_sites=1, **values):
    structure = Structure(
        Lattice.cubic(3 * num_sites),
        ["Po"] * num_sites,
        [[i / num_sites, 0, 0] for i in range(num_sites)],
    )
    return LabelDoc(
        id=key,
        candidate_id=key,
        campaign_id="c",
        round_index=0,
        engine="mlip",
        is_dft=False,
        preset="p",
        settings_hash="s",
        values=values,
        structure=structure.as_dict(),
        energy_per_atom=-1.0,
        hull_id="h",
    )


def test_labels_that_custodian_touched_can_be_left_out():
    untouched, touched = label("a"), label("b").model_copy(update={"settings_changed": True})
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
