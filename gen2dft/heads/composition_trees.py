"""A head without latent vectors: extra trees on the composition.

Each member of the ensemble is a group of trees that has not seen a random tenth of the crystals.
The members' spread is scaled so that, on crystals that two or more members have not seen, it is as
large as their errors are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import ceil
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError
from gen2dft.generators.snapshot import write_archive
from gen2dft.generators.transforms import (
    as_header,
    backward,
    forward,
    from_header,
    transforms_of,
)
from gen2dft.heads.base import Prediction
from gen2dft.heads.composition import composition_features
from gen2dft.heads.element_table import element_table
from gen2dft.heads.forest import Forest
from gen2dft.heads.stored import damage_named, read_head
from gen2dft.properties import PROPERTIES, Property, Transform

Array = NDArray[np.float64]

FORMAT = "composition-trees-1"
TREES = 128  # of all members together, or the next multiple of their number
LEAST_LEAF = 2  # rows in a leaf: as accurate as 1, with a third of the nodes
UNSEEN = 0.1  # share of the crystals that a member does not see
WIDEST = 20.0  # largest factor on the members' spread
MIN_LABELS = 5
PARTS = tuple(part.name for part in fields(Forest))


@dataclass(frozen=True, eq=False)
class CompositionTrees:
    """Trees for `p` properties, in `K` groups of equal size.

    Parameters
    ----------
    properties
        Names of the properties.
    elements
        (119, q) properties of the elements; kept with the trees, so that they predict the same
        whatever a later version of pymatgen says of an element.
    forests
        One per property: the trees of the first member, then those of the second, ...
    factors
        (p,) by which the members' deviations from their mean are stretched.
    members
        Number of groups, K.
    transforms
        Of each property, the scale on which its trees have learnt it.
    """

    properties: tuple[str, ...]
    elements: Array
    forests: tuple[Forest, ...]
    factors: Array
    members: int
    transforms: tuple[Transform, ...]

    @classmethod
    def fit(
        cls,
        crystals: CrystalTable,
        labels: Array,
        properties: Sequence[str],
        rng: np.random.Generator,
        *,
        members: int = 8,
        known: Mapping[str, Property] = PROPERTIES,
        weights: Array | None = None,
    ) -> Self:
        """Fit to labelled crystals; the same crystals, labels and randomness give the same trees.

        Parameters
        ----------
        labels
            (n, p) labels in the properties' units, NaN where missing.
        members
            Members of the ensemble, K; at least two.
        known
            What the properties are.
        weights
            (n, p) how much each label counts; all the same unless given.

        Raises
        ------
        DatasetError
            A property with fewer than `MIN_LABELS` labels.
        """
        _require_labels(labels, properties)
        elements = element_table()
        x = composition_features(crystals, elements)
        forests: list[Forest] = []
        factors: list[float] = []
        if weights is None:
            weights = np.ones(labels.shape)
        transforms = transforms_of(properties, known)
        for column, counts, transform in zip(labels.T, weights.T, transforms, strict=True):
            labelled = np.isfinite(column)
            y = forward(column[labelled], transform)
            forest, factor = _fit_one(x[labelled], y, counts[labelled], members, rng)
            forests.append(forest)
            factors.append(factor)
        names = tuple(properties)
        return cls(names, elements, tuple(forests), np.array(factors), members, transforms)

    def predict(self, crystals: CrystalTable) -> Prediction:
        """Predictions for n crystals.

        Raises
        ------
        ValueError
            A crystal has no atoms.
        """
        x = composition_features(crystals, self.elements)
        values: dict[str, Array] = {}
        members: dict[str, Array] = {}
        for i, name in enumerate(self.properties):
            predicted = self.forests[i].predict(x)
            groups = _means_of_groups(predicted, self.members)
            mean = groups.mean(axis=0)
            deviations = groups - mean
            stretched = mean + self.factors[i] * deviations
            values[name] = backward(mean, self.transforms[i])
            members[name] = backward(stretched, self.transforms[i])
        return Prediction(values, members)

    def to_bytes(self) -> bytes:
        """The head as bytes; equal heads give equal bytes."""
        header = {"format": FORMAT, "properties": list(self.properties), "members": self.members}
        header |= as_header(self.properties, self.transforms)
        arrays: dict[str, NDArray[Any]] = {"elements": self.elements, "factors": self.factors}
        for i, forest in enumerate(self.forests):
            for part in PARTS:
                arrays[f"{part}_{i}"] = getattr(forest, part)
        return write_archive(header, arrays)

    @classmethod
    def from_bytes(cls, data: bytes, origin: str) -> Self:
        """Inverse of `to_bytes`; SnapshotError if the data are damaged or of another format."""
        with damage_named(origin):
            header, arrays = read_head(data, origin, FORMAT)
            names = tuple(header["properties"])
            forests: list[Forest] = []
            for i in range(len(names)):
                parts = {part: arrays[f"{part}_{i}"] for part in PARTS}
                forest = Forest(**parts)
                forests.append(forest)
            elements = arrays["elements"]
            factors = arrays["factors"]
            transforms = from_header(names, header)
            members = header["members"]
            return cls(names, elements, tuple(forests), factors, members, transforms)


def _require_labels(labels: Array, properties: Sequence[str]) -> None:
    labelled = np.isfinite(labels)
    counts = labelled.sum(axis=0)
    for name, count in zip(properties, counts, strict=True):
        if count < MIN_LABELS:
            raise DatasetError(
                f"property {name!r} has {count} labels, a head needs {MIN_LABELS}: add labelled "
                "crystals, or take it out of the campaign's targets and properties"
            )


def _fit_one(
    x: Array, y: Array, weights: Array, members: int, rng: np.random.Generator
) -> tuple[Forest, float]:
    """The trees of all members for one property, and the factor on their spread."""
    trees = ceil(TREES / members)
    drawn = rng.random((members, len(y)))
    unseen = drawn < UNSEEN
    groups: list[Forest] = []
    for without in unseen:
        rows = np.flatnonzero(~without)
        group = Forest.grow(
            x[rows], y[rows], weights[rows], trees=trees, least_leaf=LEAST_LEAF, rng=rng
        )
        groups.append(group)
    forest = Forest.joined(groups)
    predicted = _means_of_groups(forest.predict(x), members)
    factor = _factor(predicted, y, unseen)
    return forest, factor


def _means_of_groups(predicted: Array, members: int) -> Array:
    """(K, n) mean of each member's trees, of (T, n) predictions."""
    trees, size = predicted.shape
    groups = predicted.reshape(members, trees // members, size)
    return groups.mean(axis=1)


def _factor(predicted: Array, y: Array, unseen: NDArray[np.bool_]) -> float:
    """How much the members' spread must be stretched to be as large as their error.

    Both are taken over the members that have not seen a crystal: those that have agree on it, and
    say nothing of how sure they are.

    Parameters
    ----------
    predicted
        (K, n) predictions of the members.
    y
        (n,) labels, on the same scale.
    unseen
        (K, n) whether a member was grown without a crystal.
    """
    count = unseen.sum(axis=0)
    rows = count >= 2
    if not rows.any():
        return 1.0
    masked = np.ma.array(predicted, mask=~unseen)
    blind = masked[:, rows]
    errors = blind.mean(axis=0) - y[rows]
    variances = blind.var(axis=0, ddof=1)
    error = np.mean(errors**2)
    spread = max(variances.mean(), 1e-12)
    ratio = np.sqrt(error / spread)
    return float(np.clip(ratio, 1.0, WIDEST))
