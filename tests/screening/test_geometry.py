import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.screening.geometry import geometry_gate

SPEC = ScreeningSpec()
NACL = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)


def pair(a: str, b: str, distance: float) -> Structure:
    return Structure(Lattice.cubic(5), [a, b], [[0, 0, 0], [0, 0, distance / 5]])


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        (NACL, None),
        (pair("H", "O", 0.96), None),
        (pair("H", "H", 0.72), None),
        (pair("H", "H", 0.68), "atoms_too_close"),
        (pair("Na", "Cl", 1.5), "atoms_too_close"),
        (Structure(Lattice.cubic(1.4), ["H"], [[0, 0, 0]]), "volume_out_of_range"),
        (Structure(Lattice.cubic(6), ["Na"], [[0, 0, 0]]), "volume_out_of_range"),
        (
            Structure(Lattice.from_parameters(7, 7, 7, 20, 90, 90), ["Na"], [[0, 0, 0]]),
            "angle_out_of_range",
        ),
        (
            Structure(Lattice.from_parameters(5, 5, 9, 90, 90, 158), ["Na"], [[0, 0, 0]]),
            "angle_out_of_range",
        ),
    ],
)
def test_geometry(structure: Structure, reason: str | None):
    assert geometry_gate(CrystalTable.from_structures([structure]), SPEC) == [reason]


def test_geometry_of_many_is_that_of_each():
    structures = [
        NACL,
        pair("Na", "Cl", 1.5),
        NACL * (1, 1, 2),
        Structure(Lattice.cubic(1.4), ["H"], [[0, 0, 0]]),
    ]
    expected = [None, "atoms_too_close", None, "volume_out_of_range"]
    assert geometry_gate(CrystalTable.from_structures(structures), SPEC) == expected


def test_limits_come_from_the_spec():
    table = CrystalTable.from_structures([NACL])
    assert geometry_gate(table, ScreeningSpec(min_distance=2.9)) == ["atoms_too_close"]
    assert geometry_gate(table, ScreeningSpec(min_distance_ratio=1.1)) == ["atoms_too_close"]
    assert geometry_gate(table, ScreeningSpec(angles=(91, 120))) == ["angle_out_of_range"]


def test_nan_and_empty_crystals_are_refused():
    lattices = np.stack([np.eye(3) * 4, np.eye(3) * np.nan, np.eye(3) * 4])
    table = CrystalTable.from_arrays(
        lattices, [[11], [11], []], [[[np.nan, 0, 0]], [[0, 0, 0]], []]
    )
    assert geometry_gate(table, SPEC) == [
        "atoms_too_close",
        "volume_out_of_range",
        "volume_out_of_range",
    ]
    assert geometry_gate(CrystalTable.from_structures([]), SPEC) == []
