import pytest
from pydantic import ValidationError
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.errors import CampaignError
from gen2dft.screening.elements import allowed_elements, element_gate

SPEC = ScreeningSpec()
NACL = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)


def pair(a: str, b: str, distance: float) -> Structure:
    return Structure(Lattice.cubic(5), [a, b], [[0, 0, 0], [0, 0, distance / 5]])


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
    with pytest.raises(ValidationError, match="element 'Xx' is not one of"):
        ScreeningSpec(allowed_elements=("Xx",))
    with pytest.raises(CampaignError, match="leaves no element"):
        allowed_elements(ScreeningSpec(excluded_elements=("Na", "Cl")), known)
