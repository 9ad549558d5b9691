"""Gaps of VASP that would mislead: bands that cannot be filled, and a single k-point."""

import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.engines.vasp.run import calculate

ONE_KPOINT = "the gap is that of one k-point alone: a crystal's needs a mesh"


@pytest.mark.parametrize(
    ("preset", "symbols", "gap"),
    [
        ("vo-pbe-v1", ["V", "O"], 0.0),  # 17 electrons, two to a band
        ("vo-pbe-v1", ["V", "O", "V", "O"], 2.0),  # 34
        ("ggau-v1", ["V", "O"], 2.0),  # 17, one to a band of either spin
    ],
)
def test_an_odd_number_of_electrons_cannot_fill_bands_that_hold_two(vasp, preset, symbols, gap):
    vasp()
    places = [[0.5 * i, 0.5 * (i % 2), 0.5 * (i % 2)] for i in range(len(symbols))]
    cells = len(symbols) // 2
    places = [[x / cells, y, z] for x, y, z in places]
    lattice = Lattice.orthorhombic(2.9 * cells, 3.0, 3.1)
    doc = calculate("static", preset, Structure(lattice, symbols, places))
    assert doc.band_gap == gap
    assert doc.is_gap_direct is (True if gap else None)
    assert ONE_KPOINT not in doc.warnings


@pytest.mark.parametrize(("length", "is_warned"), [(13.0, True), (12.0, False)])
def test_a_gap_of_one_kpoint_carries_a_warning(vasp, length, is_warned):
    vasp()
    # k-points 0.5 1/Angstrom apart: Gamma alone from 12.6 Angstrom on.
    lattice = Lattice.orthorhombic(length, 13.5, 14.0)
    molecule = Structure(lattice, ["V", "O"], [[0, 0, 0], [0.15, 0, 0]])
    doc = calculate("static", "ggau-v1", molecule)
    assert doc.band_gap == 2.0
    assert (ONE_KPOINT in doc.warnings) is is_warned
