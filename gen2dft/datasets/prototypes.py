"""The sets that CHGNet labelled: decorated prototypes, partly labelled by GPAW too, and vanadium
oxides made of them.
"""

from __future__ import annotations

import functools
from dataclasses import replace

from gen2dft.dataset import Dataset
from gen2dft.datasets.computed_labels import join_labels, parse_labels
from gen2dft.datasets.label_tensors import LabelTensors
from gen2dft.datasets.shipped_files import optional_file, shipped_file
from gen2dft.properties import DEFAULT_TRANSPORT
from gen2dft.transport import POWER_FACTOR

FILE, OXIDES_FILE = "prototypes.npz", "vanadium_oxides.npz"
LABELS, TENSORS = "prototypes_labels.jsonl", "prototypes_tensors.npz"
LEVEL = "PBE without spin-orbit coupling"
PROTOTYPES, OXIDES = "the set of prototypes", "the set of vanadium oxides"
ID_PREFIX = "starter-"
"""Begin of its ids: in version 0.1 the set was called `starter`, and campaigns of that time name
their parents so."""


@functools.cache
def load_prototypes(definition: str = DEFAULT_TRANSPORT, leave_open: bool = False) -> Dataset:
    """Known formulas on AFLOW's prototypes, relaxed and labelled by CHGNet.

    Its provenance holds the command, seed and versions that made it, and all counts.

    Parameters
    ----------
    definition
        What the power factors mean, see `gen2dft.definitions.definition_of`.
    leave_open
        Go without power factors if the labels have none by this definition.
    """
    remedy = "compute it: gen2dft data label prototypes"
    content = shipped_file(LABELS, PROTOTYPES, remedy)
    labels = parse_labels(content, f"labels of {PROTOTYPES}")
    labels = replace(labels, tensors=_shipped_tensors())
    joined = join_labels(prototype_crystals(), labels, definition, leave_open)
    how = f"{labels.settings.engine}, {labels.settings.preset}, {LEVEL}"
    made = f"{how}; {labels.settings.cells}"
    sources = dict(joined.provenance["labels"])
    sources["band_gap"] = made
    sources[POWER_FACTOR] = f"{made}; definition {definition}"
    provenance = {**joined.provenance, "labels": sources}
    return replace(joined, provenance=provenance)


def prototype_crystals() -> Dataset:
    """The crystals with the labels that CHGNet gave them."""
    remedy = "build it: gen2dft data build prototypes"
    return Dataset.from_bytes(shipped_file(FILE, PROTOTYPES, remedy), origin=PROTOTYPES)


def _shipped_tensors() -> LabelTensors | None:
    """Tensors behind the labels; None where they do not ship."""
    content = optional_file(TENSORS)
    return None if content is None else LabelTensors.from_bytes(content, TENSORS)


@functools.cache
def load_vanadium_oxides() -> Dataset:
    """The vanadium oxides made of the binaries among the prototypes, see `vanadium_build`.

    The provenance holds all counts.
    """
    remedy = "build it: gen2dft data build vanadium-oxides"
    return Dataset.from_bytes(shipped_file(OXIDES_FILE, OXIDES, remedy), origin=OXIDES)
