"""The starter set that ships with gen2dft: small crystals relaxed and labelled with CHGNet, some of them with GPAW."""

from __future__ import annotations

import functools
from dataclasses import replace
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
    remedy = "compute it: gen2dft data label starter"
    labels = parse_labels(_shipped(LABELS, remedy), "the starter set's labels")
    joined = join_labels(starter_crystals(), labels, definition)
    made = f"{labels.settings.engine}, {labels.settings.preset}; {labels.settings.cells}"
    sources = {**joined.provenance["labels"], "band_gap": made, "power_factor": f"{made}; definition {definition}"}
    return replace(joined, provenance={**joined.provenance, "labels": sources})


def starter_crystals() -> Dataset:
    """The crystals with the labels that CHGNet gave them."""
    return Dataset.from_bytes(_shipped(FILE, "build it: gen2dft data build starter"), origin="the starter set")


def _shipped(name: str, remedy: str) -> bytes:
    """A file of the starter set."""
    file = resources.files("gen2dft.datasets") / name
    if not file.is_file():
        raise DatasetError(
            f"{name} of the starter set is missing from this installation; reinstall gen2dft, or {remedy}"
        )
    return file.read_bytes()
