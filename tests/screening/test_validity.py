import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.errors import CampaignError
from gen2dft.screening.validity import allowed_elements, element_gate, geometry_gate

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


def test_elements():
    table = CrystalTable.from_structures([NACL, pair("K", "Cl", 3), pair("K", "Br", 3)])
    assert element_gate(table, {11, 17, 19}, {2}) == [None, None, "element_not_allowed"]


def test_a_decoder_that_drops_elements_makes_no_candidate():
    sodium = Structure(Lattice.cubic(4), ["Na"], [[0, 0, 0]])
    table = CrystalTable.from_structures([NACL, sodium, pair("K", "Cl", 3)])
    assert element_gate(table, {11, 17}, {2, 3}) == [
        None,
        "number_of_elements",
        "element_not_allowed",
    ]


def test_allowed_elements_are_the_training_sets_unless_named():
    known = CrystalTable.from_structures([NACL, pair("K", "Cl", 3)])
    assert allowed_elements(SPEC, known) == {11, 17, 19}
    assert allowed_elements(ScreeningSpec(excluded_elements=("K",)), known) == {11, 17}
    assert allowed_elements(
        ScreeningSpec(allowed_elements=("V", "O"), excluded_elements=("O",)), known
    ) == {23}


def test_wrong_symbols_are_refused():
    known = CrystalTable.from_structures([NACL])
    with pytest.raises(
        CampaignError, match=r"screening.allowed_elements: element 'Xx' is not one of"
    ):
        allowed_elements(ScreeningSpec(allowed_elements=("Xx",)), known)
    with pytest.raises(CampaignError, match="leaves no element"):
        allowed_elements(ScreeningSpec(excluded_elements=("Na", "Cl")), known)
