"""The starter set: crystals of the Materials Project with published labels, which ships."""

from __future__ import annotations

import functools

from gen2dft.dataset import Dataset
from gen2dft.datasets.published_factors import by_definition
from gen2dft.datasets.shipped_files import shipped_file
from gen2dft.properties import DEFAULT_TRANSPORT

FILE = "starter.npz"
STARTER = "the starter set"


@functools.cache
def load_starter(definition: str = DEFAULT_TRANSPORT, leave_open: bool = False) -> Dataset:
    """Binaries and ternaries of the Materials Project, chosen by `gen2dft.shipped.starter_build`.

    Labels: formation energy and distance to the Materials Project's hull (GGA/GGA+U with MP2020
    corrections; eV/atom), PBE band gap (eV), and the power factors of Ricci et al. where there are
    any. The provenance holds command, source, counts and licences.

    Parameters
    ----------
    definition
        What the power factors mean, see `gen2dft.definitions.definition_of`.
    leave_open
        Go without power factors if the published ones do not answer this definition.

    Raises
    ------
    DatasetError
        If they do not answer it, or the file is missing.
    """
    remedy = "build it: gen2dft data build starter --source TABLE"
    stored = Dataset.from_bytes(shipped_file(FILE, STARTER, remedy), origin=STARTER)
    return by_definition(stored, definition, leave_open)
