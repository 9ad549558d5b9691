"""A batch: the best, spread out, and an audit at random."""

import numpy as np

from gen2dft.campaign import LearningSpec
from gen2dft.loop.batch import choose_batch


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
