import numpy as np
import pytest

from gen2dft.campaign import SamplingSpec
from gen2dft.loop.sampling import (
    interpolate_spherically,
    local,
    mixture,
    random,
    sample,
    slerp,
    slerp_all_pairs,
)


@pytest.fixture
def seeds():
    return np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


def rng():
    return np.random.default_rng(1)


def test_slerp_reaches_both_ends(seeds):
    a, b = seeds[:2], seeds[2:4]
    assert interpolate_spherically(a, b, np.zeros(2, np.float32)) == pytest.approx(a, abs=1e-5)
    assert interpolate_spherically(a, b, np.ones(2, np.float32)) == pytest.approx(b, abs=1e-5)


def test_slerp_keeps_the_norm_of_vectors_of_one_length(seeds):
    unit = seeds / np.linalg.norm(seeds, axis=1, keepdims=True)
    between = interpolate_spherically(unit[:2], unit[2:4], np.array([0.3, 0.7], np.float32))
    assert np.linalg.norm(between, axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_slerp_of_parallel_vectors_is_the_straight_line(seeds):
    middle = interpolate_spherically(seeds[:1], 3 * seeds[:1], np.array([0.5], np.float32))
    assert middle == pytest.approx(2 * seeds[:1], abs=1e-4)


def test_slerp_pairs_are_different_seeds(seeds):
    assert all(i != j for i, j in slerp(seeds, 200, rng()).parents)


def test_local_uses_each_seed_equally_and_scales_each_dimension(seeds):
    scale = np.array([0, 0.1, 1, 10], np.float32)
    points = local(seeds, 5000, scale, rng())
    rows = np.array([p[0] for p in points.parents])
    assert np.bincount(rows).tolist() == [1000] * 5
    assert (points.points - seeds[rows]).std(axis=0) == pytest.approx(scale, rel=0.05)


def test_random_has_the_training_sets_spread(seeds):
    points = random(seeds.mean(0), seeds.std(0), 20000, rng()).points
    assert points.std(axis=0) == pytest.approx(seeds.std(0), rel=0.05)


def two_clouds() -> np.ndarray:
    """100 vectors about (0, 0, 0) and 100 about (10, 10, 0); the last number is always the same."""
    cloud = rng().standard_normal((100, 3)) * [1.0, 0.1, 0.0]
    return np.concatenate([cloud, cloud + np.array([10, 10, 0])]).astype(np.float32)


def test_mixture_draws_where_vectors_lie():
    points = mixture(two_clouds(), np.arange(200), 2000, 1.0, rng()).points
    away = np.abs(points[:, 1] - np.rint(points[:, 1] / 10) * 10)
    assert away.max() < 1.5  # random draws of one normal distribution lie 2.5 away on average
    assert (points[:, 0] > 5).mean() == pytest.approx(0.5, abs=0.05)
    assert points[:, 2] == pytest.approx(0.0, abs=0.2)


def test_mixture_keeps_to_the_components_of_the_seeds():
    narrow, wide = (
        mixture(two_clouds(), np.array([3, 7]), 500, scale, rng()).points for scale in (0.1, 1.0)
    )
    assert (wide[:, 0] < 5).all()
    assert narrow.std(axis=0)[0] < wide.std(axis=0)[0]


def test_sample_takes_the_best_seeds_and_names_them(seeds):
    merit = np.array([0.0, 3.0, 1.0, 2.0, -1.0])
    specs = [
        SamplingSpec(method="local", num_points=4, num_seeds=2),
        SamplingSpec(method="random", num_points=3),
    ]
    points = sample(specs, seeds, merit, rng())
    assert points.methods == ("local",) * 4 + ("random",) * 3
    assert {p[0] for p in points.parents[:4]} == {1, 3}
    assert points.parents[4:] == ((), (), ())


def test_same_seed_same_points(seeds):
    specs = [SamplingSpec(method=m, num_points=6) for m in ("local", "slerp", "random", "mixture")]
    first, second = (sample(specs, seeds, np.zeros(5), rng()) for _ in range(2))
    assert np.array_equal(first.points, second.points)
    assert first.parents == second.parents


def test_slerp_between_all_pairs_takes_every_step_once(seeds):
    points = slerp_all_pairs(seeds, 20, 10_000, rng())
    assert len(points) == 10 * 19
    assert points.parents[0] == (0, 1) and points.parents[-1] == (3, 4)
    assert len(set(points.parents)) == 10
    unit = slerp_all_pairs(
        seeds / np.linalg.norm(seeds, axis=1, keepdims=True), 20, 10_000, rng()
    ).points
    assert np.linalg.norm(unit, axis=1) == pytest.approx(np.ones(190), abs=1e-5)
    ends = [unit[[0, 18]] @ seeds[k] / np.linalg.norm(seeds[k]) for k in (0, 1)]
    assert ends[0][0] == pytest.approx(
        ends[1][1], abs=1e-5
    )  # m = 1 is as near to one end as m = 19 to the other


def test_too_many_steps_are_a_seeded_part_of_them(seeds):
    whole, part = slerp_all_pairs(seeds, 20, 190, rng()), slerp_all_pairs(seeds, 20, 30, rng())
    assert len(part) == 30
    assert {tuple(p) for p in part.points} <= {tuple(p) for p in whole.points}


def test_a_campaign_asks_for_all_pairs_by_steps(seeds):
    spec = SamplingSpec(method="slerp", num_points=1000, num_seeds=3, steps=4)
    points = sample([spec], seeds, np.array([0.0, 3.0, 1.0, 2.0, -1.0]), rng())
    assert len(points) == 9
    assert {i for pair in points.parents for i in pair} == {1, 2, 3}
    with pytest.raises(ValueError, match=r"method 'random' has none"):
        SamplingSpec(method="random", num_points=5, steps=4)
