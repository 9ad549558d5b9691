"""The starter set that ships with gen2dft: small crystals relaxed and labelled with CHGNet."""

from __future__ import annotations

import functools
from importlib import resources

from gen2dft.datasets.dataset import Dataset
from gen2dft.errors import DatasetError

FILE = "starter.npz"


@functools.cache
def load_starter() -> Dataset:
    """The starter set; its provenance holds the command, seed and versions that made it, and all counts."""
    file = resources.files("gen2dft.datasets") / FILE
    if not file.is_file():
        raise DatasetError(
            "the starter set is missing from this installation; reinstall gen2dft, or build it: "
            "gen2dft data build starter"
        )
    return Dataset.from_bytes(file.read_bytes(), origin="the starter set")
