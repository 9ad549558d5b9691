"""Labels as the loop sees them, and the training set that they make."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gen2dft.campaign import LearningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, eq=False)
class Label:
    """What an engine found out about one crystal.

    Parameters
    ----------
    id
        Labels are taken in the order of their ids, whatever the order of their arrival.
    crystal
        The crystal as relaxed.
    values
        Property to value, in the property's unit.
    settings_changed
        Whether custodian had to change settings that the values depend on.
    is_hit
        Whether its candidate met all targets.
    """

    id: str
    crystal: Structure
    values: Mapping[str, float]
    settings_changed: bool = False
    is_hit: bool = False


def labels_to_learn(spec: LearningSpec, labels: Sequence[Label]) -> list[Label]:
    """The labels to learn from: all, or those whose settings custodian left alone."""
    if spec.corrected_labels == "include":
        return list(labels)
    return [label for label in labels if not label.settings_changed]


def training_set(
    base: Dataset, labels: Sequence[Label], max_sites: int, wanted: Collection[str] = ()
) -> Dataset:
    """The base set followed by what the engines have labelled so far.

    Relaxed cells of more than `max_sites` sites do not fit the representation and are left out.

    Parameters
    ----------
    wanted
        Properties to learn although the base set has none of them.
    """
    fitting = [label for label in labels if len(label.crystal) <= max_sites]
    if not fitting:
        return base
    taken = sorted(fitting, key=lambda label: label.id)
    told: set[str] = set()
    for label in taken:
        told |= label.values.keys()
    learnable = {*base.labels, "formation_energy", *wanted}
    columns = {}
    for name in sorted(told & learnable):
        values = [label.values.get(name, np.nan) for label in taken]
        columns[name] = np.array(values)
    crystals = CrystalTable.from_structures(label.crystal for label in taken)
    ids = tuple(f"{LABEL_ID}{label.id}" for label in taken)
    learnt = Dataset(crystals, ids, columns, properties=base.properties)
    return base.extend(learnt)


LABEL_ID = "label-"  # before a label's id, in the ids of a training set


def hits_among(known: Dataset, labels: Sequence[Label]) -> np.ndarray:
    """(n,) which of the known crystals are hits of earlier rounds."""
    hits = [f"{LABEL_ID}{label.id}" for label in labels if label.is_hit]
    return np.isin(known.ids, hits)
