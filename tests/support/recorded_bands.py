"""Recorded uniform meshes of VASP, where a folder of them lies beside the checkout or is named.

Else skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = (
    Path(os.environ.get("GEN2DFT_TEST_DATA", Path(__file__).resolve().parents[3] / "shared"))
    / "vasp"
    / "uniform"
)
RECORDED = {
    "Si": "pymatgen_Si_uniform.vasprun.xml.gz",
    "GaAs": "amset_GaAs_dense.vasprun.xml.gz",
    "PbTe": "pymatgen_PbTe_btp2.vasprun.xml",
    "N2": "pymatgen_N2_spin_btp2.vasprun.xml",
}


def recorded_file(name: str) -> Path:
    """A recorded file; the test is skipped if it is not there."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(
            f"no recorded {name}; GEN2DFT_TEST_DATA names the folder of recorded calculations"
        )
    return path
