import numpy as np
import pytest

from gen2dft.thermo.reference_phases import element_phase


@pytest.mark.parametrize(
    ("symbol", "group", "nearest"),
    [
        ("Al", "Fm-3m", 2.864),
        ("Si", "Fd-3m", 2.351),
        ("Ti", "P6_3/mmc", 2.896),
        ("Sn", "I4_1/amd", 3.02),
    ],
)
def test_crystals_are_those_of_the_table(symbol, group, nearest):
    phase = element_phase(symbol)
    structure = phase.literature()
    assert (phase.formula, phase.is_molecule) == (symbol, False)
    assert structure.get_space_group_info()[0] == group
    distances = [n.nn_distance for n in structure.get_neighbors(structure[0], 4.0)]
    assert min(distances) == pytest.approx(nearest, abs=0.02)
    assert "magmom" not in structure.site_properties


def test_gases_are_molecules_and_oxygen_is_a_triplet():
    oxygen, nitrogen = element_phase("O"), element_phase("N")
    assert (oxygen.formula, nitrogen.formula) == ("O2", "N2")
    assert oxygen.is_molecule
    assert np.allclose(oxygen.literature().site_properties["magmom"], 1)
    assert "magmom" not in nitrogen.literature().site_properties
    assert oxygen.literature().get_distance(0, 1) == pytest.approx(1.22)


def test_an_element_that_the_table_does_not_build_has_no_structure():
    phase = element_phase("S")
    assert (phase.formula, phase.literature) == ("S", None)
