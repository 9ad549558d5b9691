"""The trees of NumPy are those of scikit-learn."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from gen2dft.heads import forest
from gen2dft.heads.forest import LEAF, Forest


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 7)) * [1, 1, 1, 1e6, 1e-6, 1, 1]
    x[:, 5] = rng.integers(3, size=300)
    return x, x[:, 0] + np.sin(x[:, 1]) + 0.1 * x[:, 5]


def wild(size: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    x = 3 * rng.standard_normal((size, 7)) * [1, 1, 1, 1e6, 1e-6, 1, 1]
    x[:, 5] = rng.integers(3, size=size)
    return x


@pytest.mark.parametrize("least_leaf", [1, 2, 40, 1000])
def test_they_predict_as_scikit_learn_does(data, least_leaf):
    model = ExtraTreesRegressor(20, min_samples_leaf=least_leaf, random_state=3).fit(*data)
    found = Forest.of_sklearn(model)
    for x in (data[0], wild(500)):
        assert np.abs(found.predict(x).mean(axis=0) - model.predict(x)).max() < 1e-10
        each = [tree.predict(x.astype(np.float32)) for tree in model.estimators_]
        assert np.array_equal(found.predict(x), each)


def test_features_next_to_a_threshold_go_the_way_that_scikit_learn_sends_them(data):
    model = ExtraTreesRegressor(5, random_state=3).fit(*data)
    found = Forest.of_sklearn(model)
    splits = found.numbers[found.features == 0]
    x = np.tile(data[0][:1], (3 * len(splits), 1))
    near = splits.astype(np.float32)
    x[:, 0] = np.concatenate([splits, near, np.nextafter(near, np.float32(np.inf))])
    assert np.abs(found.predict(x).mean(axis=0) - model.predict(x)).max() < 1e-10


def test_forests_put_together_are_the_trees_of_all(data):
    rng = np.random.default_rng(5)
    parts = [Forest.grow(*data, trees=n, least_leaf=2, rng=rng) for n in (3, 1, 2)]
    found = Forest.joined(parts)
    x = wild(50)
    assert np.array_equal(found.predict(x), np.concatenate([part.predict(x) for part in parts]))
    assert (found.children[0] == LEAF).sum() == (found.features == LEAF).sum()


def test_the_same_randomness_grows_the_same_trees(data):
    one, same, other = (
        Forest.grow(*data, trees=4, least_leaf=2, rng=np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one.numbers, same.numbers)
    assert not np.array_equal(one.predict(wild(9)), other.predict(wild(9)))


def test_many_crystals_are_asked_in_parts(data, monkeypatch):
    found = Forest.grow(*data, trees=4, least_leaf=2, rng=np.random.default_rng(0))
    whole = found.predict(wild(101))
    monkeypatch.setattr(forest, "AT_ONCE", 40)
    assert np.array_equal(found.predict(wild(101)), whole)
    assert found.predict(wild(0)).shape == (4, 0)


def test_a_tree_that_is_one_leaf(data):
    found = Forest.grow(data[0][:5], np.full(5, 2.5), trees=3, least_leaf=2,
                        rng=np.random.default_rng(0))  # fmt: skip
    assert len(found.features) == 3
    assert (found.predict(wild(4)) == 2.5).all()
