"""The sets that ship, labelled with CHGNet: the starter set, partly with GPAW too, and vanadium
oxides made of it.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from importlib import resources

from gen2dft.dataset import Dataset
from gen2dft.datasets.computed_labels import join_labels, parse_labels
from gen2dft.datasets.label_tensors import LabelTensors
from gen2dft.errors import DatasetError
from gen2dft.properties import DEFAULT_TRANSPORT
from gen2dft.transport import POWER_FACTOR

FILE, OXIDES_FILE = "starter.npz", "vanadium_oxides.npz"
LABELS, TENSORS = "starter_labels.jsonl", "starter_tensors.npz"
LEVEL = "PBE without spin-orbit coupling"
STARTER, OXIDES = "the starter set", "the set of vanadium oxides"


@functools.cache
def load_starter(definition: str = DEFAULT_TRANSPORT, leave_open: bool = False) -> Dataset:
    """The starter set.

    Its provenance holds the command, seed and versions that made it, and all counts.

    Parameters
    ----------
    definition
        What the power factors mean, see `gen2dft.definitions.definition_of`.
    leave_open
        Go without power factors if the labels have none by this definition.
    """
    remedy = "compute it: gen2dft data label starter"
    labels = parse_labels(_shipped(LABELS, STARTER, remedy), f"labels of {STARTER}")
    labels = replace(labels, tensors=_shipped_tensors())
    joined = join_labels(starter_crystals(), labels, definition, leave_open)
    how = f"{labels.settings.engine}, {labels.settings.preset}, {LEVEL}"
    made = f"{how}; {labels.settings.cells}"
    sources = dict(joined.provenance["labels"])
    sources["band_gap"] = made
    sources[POWER_FACTOR] = f"{made}; definition {definition}"
    provenance = {**joined.provenance, "labels": sources}
    return replace(joined, provenance=provenance)


def starter_crystals() -> Dataset:
    """The crystals with the labels that CHGNet gave them."""
    remedy = "build it: gen2dft data build starter"
    return Dataset.from_bytes(_shipped(FILE, STARTER, remedy), origin=STARTER)


def _shipped_tensors() -> LabelTensors | None:
    """Tensors behind the labels; None where they do not ship."""
    file = resources.files("gen2dft.datasets") / TENSORS
    return LabelTensors.from_bytes(file.read_bytes(), TENSORS) if file.is_file() else None


@functools.cache
def load_vanadium_oxides() -> Dataset:
    """The vanadium oxides made of the starter set's binaries, see `vanadium_build`.

    The provenance holds all counts.
    """
    remedy = "build it: gen2dft data build vanadium-oxides"
    return Dataset.from_bytes(_shipped(OXIDES_FILE, OXIDES, remedy), origin=OXIDES)


def _shipped(name: str, what: str, remedy: str) -> bytes:
    """A file that ships with the package."""
    file = resources.files("gen2dft.datasets") / name
    if not file.is_file():
        raise DatasetError(
            f"{name} of {what} is missing from this installation; reinstall gen2dft, or {remedy}"
        )
    return file.read_bytes()
