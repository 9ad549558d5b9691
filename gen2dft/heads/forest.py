"""Regression trees as plain arrays: grown by scikit-learn, asked by NumPy alone.

Extremely randomised trees: Geurts, Ernst and Wehenkel, Mach. Learn. 63, 3 (2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAF = -1  # in the place of a feature
AT_ONCE = 2_000_000  # pairs of tree and crystal that are asked together, to bound the memory


@dataclass(frozen=True, eq=False)
class Forest:
    """T trees with N nodes in all.

    Parameters
    ----------
    roots
        (T,) each tree's first node.
    children
        (2, N) the nodes that a split leads to: where the feature is at most the threshold, and
        where it is above.
    features
        (N,) feature of a split; `LEAF` for a leaf.
    numbers
        (N,) threshold of a split, or value of a leaf.
    """

    roots: NDArray[np.int32]
    children: NDArray[np.int32]
    features: NDArray[np.int16]
    numbers: Array

    @classmethod
    def grow(
        cls,
        x: Array,
        y: Array,
        weights: Array | None = None,
        *,
        trees: int,
        least_leaf: int,
        rng: np.random.Generator,
    ) -> Self:
        """Extra trees for (n,) values at (n, f) features, each grown on all of them.

        Parameters
        ----------
        weights
            (n,) how much each value counts; all the same unless given.
        least_leaf
            Rows in a leaf at least.
        """
        from sklearn.ensemble import ExtraTreesRegressor

        seed = int(rng.integers(2**31))
        model = ExtraTreesRegressor(trees, min_samples_leaf=least_leaf, random_state=seed)
        model.fit(x, y, sample_weight=weights)
        return cls.of_sklearn(model)

    @classmethod
    def of_sklearn(cls, model: Any) -> Self:
        """The trees of a fitted forest of scikit-learn."""
        forests = []
        for estimator in model.estimators_:
            arrays = _of_tree(estimator.tree_)
            forests.append(cls(*arrays))
        return cls.joined(forests)

    @classmethod
    def joined(cls, forests: Sequence[Self]) -> Self:
        """The trees of several forests, one behind another."""
        roots: list[NDArray[np.int32]] = []
        children: list[NDArray[np.int32]] = []
        start = 0
        for forest in forests:
            moved = forest.children + start
            is_leaf = forest.children == LEAF
            moved[is_leaf] = LEAF
            roots.append(forest.roots + start)
            children.append(moved)
            start += len(forest.features)
        features = np.concatenate([forest.features for forest in forests])
        numbers = np.concatenate([forest.numbers for forest in forests])
        return cls(np.concatenate(roots), np.concatenate(children, axis=1), features, numbers)

    def predict(self, x: Array) -> Array:
        """(T, n) value that each tree gives for (n, f) features."""
        # scikit-learn compares single-precision features with double-precision thresholds; so must
        # this, or a feature next to a threshold goes the other way.
        single = np.asarray(x, dtype=np.float32)
        trees, number = len(self.roots), len(x)
        found = np.zeros((trees, number))
        size = max(1, AT_ONCE // trees)
        for start in range(0, number, size):
            rows = slice(start, start + size)
            leaves = self._leaves(single[rows])
            found[:, rows] = self.numbers[leaves]
        return found

    def _leaves(self, x: NDArray[np.float32]) -> NDArray[np.int32]:
        """(T, n) leaf in which each tree puts each row."""
        starts = self.roots[:, None]
        nodes = np.repeat(starts, len(x), axis=1)
        inner = self.features[nodes] != LEAF
        while inner.any():
            _, rows = np.nonzero(inner)
            here = nodes[inner]
            columns = self.features[here]
            above = x[rows, columns] > self.numbers[here]
            side = above.astype(np.int8)
            nodes[inner] = self.children[side, here]
            inner = self.features[nodes] != LEAF
        return nodes


def _of_tree(tree: Any) -> tuple[NDArray[Any], ...]:
    """The arrays of a `Forest` that is one tree of scikit-learn."""
    children = np.array([tree.children_left, tree.children_right], dtype=np.int32)
    is_leaf = children[0] == LEAF  # scikit-learn's mark is the same
    features = np.where(is_leaf, LEAF, tree.feature)
    values = tree.value[:, 0, 0]
    numbers = np.where(is_leaf, values, tree.threshold)
    root = np.zeros(1, dtype=np.int32)
    return root, children, features.astype(np.int16), numbers
