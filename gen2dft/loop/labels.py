"""Labels as the loop sees them, and the training set that they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gen2dft.campaign import LearningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.doubts import is_unfit
from gen2dft.loop.weights import weight_columns
from gen2dft.transport import POWER_FACTOR

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
    candidate
        Labels of the same candidate are one crystal; empty: a candidate of its own.
    is_dft
        Whether a DFT engine, not a surrogate, computed it.
    errors
        Property to the error that its value states, in the property's unit.
    doubts
        See `gen2dft.doubts`.
    """

    id: str
    crystal: Structure
    values: Mapping[str, float]
    settings_changed: bool = False
    is_hit: bool = False
    candidate: str = ""
    is_dft: bool = False
    errors: Mapping[str, float] = field(default_factory=dict)
    doubts: Collection[str] = ()


def labels_to_learn(spec: LearningSpec, labels: Sequence[Label]) -> list[Label]:
    """The labels to learn from, one of each candidate, without what the campaign excludes.

    Excluded are labels whose settings custodian changed, and power factors in doubt.
    """
    taken = list(labels)
    if spec.corrected_labels == "exclude":
        taken = [label for label in taken if not label.settings_changed]
    if spec.doubtful_labels == "exclude":
        taken = [_without_doubtful(label) for label in taken]
    return merged_by_candidate(taken)


def _without_doubtful(label: Label) -> Label:
    """The label without a power factor that it doubts; its gap stays."""
    if POWER_FACTOR not in label.values or not is_unfit(label.doubts):
        return label
    values = {name: value for name, value in label.values.items() if name != POWER_FACTOR}
    return replace(label, values=values)


def merged_by_candidate(labels: Sequence[Label]) -> list[Label]:
    """One label of each candidate, in the order of the first ones.

    A power factor computed by hand is a second label of its candidate; two rows of one crystal
    would contradict each other.
    """
    groups: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        groups[label.candidate or label.id].append(label)
    return [_merged(group) for group in groups.values()]


def _merged(labels: Sequence[Label]) -> Label:
    """The campaign's own label with the values of the others, DFT's before a surrogate's.

    The own one has the formation energy, whose scale is the campaign's.
    """
    if len(labels) == 1:
        return labels[0]
    ordered = sorted(labels, key=_trust)
    own = next((label for label in ordered if "formation_energy" in label.values), ordered[0])
    values: dict[str, float] = {}
    errors: dict[str, float] = {}
    for label in [*ordered, _energies_of(own)]:
        for name, value in label.values.items():
            values[name] = value
            errors.pop(name, None)
            if name in label.errors:
                errors[name] = label.errors[name]
    is_hit = any(label.is_hit for label in labels)
    return replace(own, values=values, errors=errors, is_hit=is_hit)


def _trust(label: Label) -> tuple[bool, bool, str]:
    """Place in the order in which labels of one candidate are believed, the most trusted last."""
    return label.is_dft, POWER_FACTOR in label.values, label.id


def _energies_of(label: Label) -> Label:
    """A label's values that depend on a scale of energies."""
    kept = {name: label.values[name] for name in ENERGIES if name in label.values}
    return replace(label, values=kept)


def training_set(
    base: Dataset, labels: Sequence[Label], max_sites: int, wanted: Collection[str] = ()
) -> Dataset:
    """The base set followed by what the engines have labelled so far.

    Relaxed cells of more than `max_sites` sites do not fit the representation and are left out.
    Labels that state an error weigh less.

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
    errors = {}
    for name in sorted(told & learnable):
        values = [label.values.get(name, np.nan) for label in taken]
        columns[name] = np.array(values)
        stated = [label.errors.get(name, 0.0) for label in taken]
        errors[name] = np.array(stated)
    crystals = CrystalTable.from_structures(label.crystal for label in taken)
    ids = tuple(f"{LABEL_ID}{label.id}" for label in taken)
    learnt = Dataset(crystals, ids, columns, properties=base.properties)
    weights = weight_columns(base.extend(learnt), len(base), errors)
    return base.extend(replace(learnt, weights=weights))


ENERGIES = ("formation_energy", "e_above_hull")
LABEL_ID = "label-"  # before a label's id, in the ids of a training set


def hits_among(known: Dataset, labels: Sequence[Label]) -> np.ndarray:
    """(n,) which of the known crystals are hits of earlier rounds."""
    hits = [f"{LABEL_ID}{label.id}" for label in labels if label.is_hit]
    return np.isin(known.ids, hits)
