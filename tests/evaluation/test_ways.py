import numpy as np

from gen2dft.evaluation.ways import all_ways

LATENTS = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
SEEDS = np.arange(10)


def test_each_way_has_the_same_budget_and_depends_on_the_seed_alone():
    for way in all_ways((0.3, 0.6)):
        points = [way.draw(LATENTS, SEEDS, 20, np.random.default_rng(seed)) for seed in (1, 1, 2)]
        assert points[0].shape == (20, 4)
        assert np.array_equal(points[0], points[1]) and not np.array_equal(points[0], points[2])


def test_the_scale_is_in_units_of_the_spread():
    near, far = (
        way.draw(LATENTS, SEEDS, 5000, np.random.default_rng(1)) for way in all_ways((0.1, 0.6))[:2]
    )
    away = [points - LATENTS[np.resize(SEEDS, 5000)] for points in (near, far)]
    assert np.allclose(away[1].std(axis=0), 0.6 * LATENTS.std(axis=0), rtol=0.05)
    assert np.allclose(6 * away[0], away[1], atol=1e-5)
