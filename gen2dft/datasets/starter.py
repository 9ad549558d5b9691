"""The sets that ship with gen2dft, labelled with CHGNet: the starter set, and vanadium oxides made of its binaries."""

from __future__ import annotations

import functools
from importlib import resources

from gen2dft.datasets.dataset import Dataset
from gen2dft.errors import DatasetError

FILE, OXIDES_FILE = "starter.npz", "vanadium_oxides.npz"


@functools.cache
def load_starter() -> Dataset:
    """The starter set; its provenance holds the command, seed and versions that made it, and all counts."""
    return _shipped(FILE, "the starter set", "gen2dft data build starter")


@functools.cache
def load_vanadium_oxides() -> Dataset:
    """The vanadium oxides made of the starter set's binaries, see `vanadium_build`; the provenance holds all counts."""
    return _shipped(OXIDES_FILE, "the set of vanadium oxides", "gen2dft data build vanadium-oxides")


def _shipped(name: str, what: str, command: str) -> Dataset:
    file = resources.files("gen2dft.datasets") / name
    if not file.is_file():
        raise DatasetError(f"{what} is missing from this installation; reinstall gen2dft, or build it: {command}")
    return Dataset.from_bytes(file.read_bytes(), origin=what)
