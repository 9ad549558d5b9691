"""The starter set that ships with gen2dft: small crystals relaxed and labelled with CHGNet, some of them with GPAW."""

from __future__ import annotations

import functools
from importlib import resources

from gen2dft.datasets.computed_labels import join_labels, parse_labels
from gen2dft.datasets.dataset import Dataset
from gen2dft.errors import DatasetError
from gen2dft.properties import DEFAULT_TRANSPORT

FILE = "starter.npz"
LABELS = "starter_labels.jsonl"


@functools.cache
def load_starter(definition: str = DEFAULT_TRANSPORT) -> Dataset:
    """The starter set; its provenance holds the command, seed and versions that made it, and all counts.

    Parameters
    ----------
    definition
        What the power factors mean, see `gen2dft.properties.TRANSPORT_DEFINITIONS`.
    """
    crystals = Dataset.from_bytes(_shipped(FILE, "build it: gen2dft data build starter"), origin="the starter set")
    remedy = "compute it: gen2dft data label starter"
    return join_labels(crystals, parse_labels(_shipped(LABELS, remedy), "the starter set's labels"), definition)


def _shipped(name: str, remedy: str) -> bytes:
    """A file of the starter set."""
    file = resources.files("gen2dft.datasets") / name
    if not file.is_file():
        raise DatasetError(
            f"{name} of the starter set is missing from this installation; reinstall gen2dft, or {remedy}"
        )
    return file.read_bytes()
