"""CIF text: what is stated must be there, and nothing is guessed, dropped or doubled."""

from __future__ import annotations

import pytest

from gen2dft.datasets.refused import RefusedCrystal
from gen2dft.datasets.structure_text import parse_structure

ATOMS = "Mg1 Mg 0 0 0 1\nO1 O 0.5 0.5 0.5 1"
COLUMNS = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
WITHOUT_TYPES = ("label", "fract_x", "fract_y", "fract_z")
METALS = ("Mg1 Mg 0 0 0 1", "Mg2 Mg .5 .5 0 1", "Mg3 Mg .5 0 .5 1", "Mg4 Mg 0 .5 .5 1")
OXYGENS = ("O1 O .5 .5 .5 1", "O2 O 0 0 .5 1", "O3 O 0 .5 0 1", "O4 O .5 0 0 1")
ROCK_SALT = "\n".join([*METALS, *OXYGENS])
WITHOUT_HYDROGEN = "Mg1 Mg 0 0 0 1\nO1 O .3333 .6667 .2216 1"
BRUCITE = (
    "x,y,z", "-y,x-y,z", "-x+y,-x,z", "y,x,-z", "x-y,-y,-z", "-x,-x+y,-z",
    "-x,-y,-z", "y,-x+y,-z", "x-y,x,-z", "-y,-x,z", "-x+y,y,z", "x,x-y,z",
)  # fmt: skip
HEXAGONAL = {"angles": (90, 90, 120), "lengths": (3.142, 3.142, 4.766)}


def cif(
    atoms=ATOMS, formula="Mg O", units="1", lengths=(4.2,) * 3, angles=(90,) * 3,
    operations=("x,y,z",), columns=COLUMNS, group="P 1",
):  # fmt: skip
    """A CIF that another program than pymatgen might have written."""
    lines = ["data_t"]
    lines += [f"_chemical_formula_sum '{formula}'"] if formula else []
    lines += [f"_cell_formula_units_Z {units}"] if units else []
    lines += [f"_cell_length_{axis} {value}" for axis, value in zip("abc", lengths, strict=True)]
    names = ("alpha", "beta", "gamma")
    lines += [f"_cell_angle_{name} {value}" for name, value in zip(names, angles, strict=True)]
    lines += [f"_symmetry_space_group_name_H-M '{group}'"] if group else []
    if operations:
        lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{each}'" for each in operations)]
    lines += ["loop_", *(f"_atom_site_{name}" for name in columns), atoms]
    return "\n".join(lines) + "\n"


def brucite(x, y, **stated):
    hydrogens = f"Mg1 Mg 0 0 0 1\nO1 O {x} {y} 0.2216 1\nH1 H {x} {y} 0.4303 1"
    return cif(hydrogens, operations=BRUCITE, **HEXAGONAL, **{"formula": "H2 Mg O2", **stated})


def third(symbol, *, inversion=False, **stated):
    """The crystal with a third row; with an operation, it does not take the short cut."""
    operations = ("x,y,z", "-x,-y,-z") if inversion else ("x,y,z",)
    atoms = f"{ATOMS}\n{symbol}1 {symbol} .5 0 0 1"
    return cif(atoms, operations=operations, **{"formula": None, "units": None, **stated})


READ = {
    "plain": (cif(), "Mg1 O1"),
    "without a formula": (cif(formula=None, units=None), "Mg1 O1"),
    "formula unknown": (cif(formula="?", units="?"), "Mg1 O1"),
    "formula in words": (cif(formula="magnesia"), "Mg1 O1"),
    "formula of the unit": (cif(ROCK_SALT, units="4"), "Mg4 O4"),
    "formula of the cell": (cif(ROCK_SALT, formula="Mg4 O4", units="4"), "Mg4 O4"),
    "half a formula": (cif(formula="Mg0.5 O0.5", units="2"), "Mg1 O1"),
    "by the group alone": (cif(units="4", operations=(), group="F m -3 m"), "Mg4 O4"),
    "charges": (cif("Mg1 Mg2+ 0 0 0 1\nO1 O2- .5 .5 .5 1"), "Mg1 O1"),
    "uncertainties": (cif("Mg1 Mg 0 0 0 1\nO1 O 0.500(2) .5 .5 1.0(1)"), "Mg1 O1"),
    "lengths with uncertainties": (cif(lengths=("4.2(1)",) * 3), "Mg1 O1"),
    "occupancy unknown": (cif("Mg1 Mg 0 0 0 ?\nO1 O .5 .5 .5 ?"), "Mg1 O1"),
    "capitals": (cif("MG1 MG 0 0 0 1\nO1 O .5 .5 .5 1"), "Mg1 O1"),
    "labels": (cif("Mg1 0 0 0\nO1A .5 .5 .5", columns=WITHOUT_TYPES), "Mg1 O1"),
    "labels with capitals": (cif("MgA 0 0 0\nOB .5 .5 .5", columns=WITHOUT_TYPES), "Mg1 O1"),
    "two halves on one place": (cif("A Mg 0 0 0 .5\nB Mg 0 0 0 .5\nO1 O .5 .5 .5 1"), "Mg1 O1"),
    "an atom that is not there": (cif(f"{ATOMS}\nN1 N .2 .2 .2 0"), "Mg1 O1"),
    "oxygen of water": (third("Ow"), "Mg1 O2"),
    "deuterium": (third("D"), "Mg1 H1 O1"),
    "deuterium, with symmetry": (third("D", inversion=True, formula="Mg H O"), "Mg1 H1 O1"),
}


@pytest.mark.parametrize("kind", READ)
def test_what_a_file_states_is_read(kind):
    text, formula = READ[kind]
    assert parse_structure(text).formula == formula


SPECIAL = [(".333", ".667"), ("0.3333", "0.6667"), ("0.334", "0.667"), ("0.33333", "0.66667")]


@pytest.mark.parametrize(("x", "y"), SPECIAL)
@pytest.mark.parametrize("stated", [{}, {"formula": None, "units": None}])
def test_special_positions_of_few_digits_are_merged(x, y, stated):
    crystal = parse_structure(brucite(x, y, **stated))
    assert crystal.formula == "Mg1 H2 O2"
    assert crystal.get_space_group_info(symprec=0.02)[0] == "P-3m1"


def test_special_positions_of_too_few_digits_are_refused():
    with pytest.raises(RefusedCrystal, match=r"atoms_too_close: . and . are 0\.03 Angstrom apart"):
        parse_structure(brucite("0.33", "0.67"))


REFUSED = {
    "hydrogens left out": (
        cif(
            "Mg1 Mg 0 0 0 1\nO1 O .3333 .6667 .2216 1", "H2 Mg O2", operations=BRUCITE, **HEXAGONAL
        ),
        r"formula_mismatch: the cell holds Mg1 O2, but the file states H2 Mg1 O2",
    ),
    "hydrogens left out of P1": (cif(formula="H2 Mg O"), r"states H2 Mg1 O1"),
    "hydrogens attached": (
        cif(f"{ATOMS} 1".replace("0 0 0 1", "0 0 0 1 0"), columns=(*COLUMNS, "attached_hydrogens")),
        r"hydrogens_without_positions: 1 hydrogens are attached",
    ),
    "another formula": (cif(formula="Mg2 O"), r"holds Mg1 O1, but the file states Mg2 O1"),
    "formula over lines": (
        cif().replace("sum 'Mg O'", "sum\n;\n Mg2 O\n;"),
        r"formula_mismatch: the cell holds Mg1 O1, but the file states Mg2 O1",
    ),
    "an element too many": (cif(formula="Mg"), r"but the file states Mg1 \(Z = 1\)"),
    "symmetry left out": (cif(units="4", operations=(), group=None), r"formula_mismatch.*Z = 4"),
    "half the cell": (cif(units="2"), r"formula_mismatch.*Z = 2"),
    "partly empty": (cif(ATOMS[:-1] + "0.99"), r"partially_occupied"),
    "occupied twice": (cif(ATOMS[:-1] + "2"), r"occupancy 2 lies outside 0 to 1"),
    "occupied by less than nothing": (cif(ATOMS[:-1] + "-1"), r"occupancy -1 lies outside"),
    "occupancy in words": (cif(ATOMS[:-1] + "full"), r"occupancy 'full' is no number"),
    # pymatgen takes a point for 0 and leaves the atom out.
    "occupancy a point": (cif(ATOMS[:-1] + "."), r"occupancy '\.' is no number: write 1"),
    "coordinate a point": (cif(ATOMS.replace("0.5 0.5", ". 0.5")), r"coordinate '\.' is no number"),
    "coordinate unknown": (cif(ATOMS.replace("0.5 0.5", "? 0.5")), r"coordinate '\?' is no number"),
    "coordinate not finite": (cif(ATOMS.replace("0.5 0.5", "nan 0.5")), r"not_finite: a coord"),
    "length not finite": (cif(lengths=("nan",) * 3), r"not_finite: a length"),
    "length nothing": (cif(lengths=(4, 4, 0)), r"volume_out_of_range"),
    "length negative": (cif(lengths=(4, 4, -4)), r"_cell_length_c is -4, which no cell has"),
    "length unknown": (cif(lengths=("?", 4, 4)), r"_cell_length_a is '\?', which is no number"),
    "length beyond numbers": (cif(lengths=("1e300",) * 3), r"inf Angstrom\^3 per atom"),
    "length in nanometres": (cif(lengths=(0.42,) * 3), r"0\.037 Angstrom\^3 per atom"),
    "angle nothing": (cif(angles=(0, 90, 90)), r"_cell_angle_alpha is 0, which no cell has"),
    "angle flat": (cif(angles=(90, 180, 90)), r"_cell_angle_beta is 180"),
    "angles of no cell": (cif(angles=(30, 30, 170)), r"its cell has no volume"),
    "angles in radian": (cif(angles=(1.57,) * 3), r"volume_out_of_range: 0\.02"),
    "no operation": (cif(operations=("x,y,z", "x,x,x")), r"'x, x, x' is no operation of a space"),
    "two on one place": (cif(f"{ATOMS}\nO2 O .5 .5 .5 1", formula="Mg O2"), r"O and O are 0\.00"),
    "two elements on one place": (cif(f"{ATOMS}\nS1 S .5 .5 .5 1", "Mg O S"), r"O and S are 0\.00"),
    "corners of the cell": (cif(f"{ATOMS}\nMg2 Mg 1 1 1 1", "Mg2 O"), r"Mg and Mg are 0\.00"),
    "several crystals": (cif() + cif().replace("data_t", "data_u"), r"the text holds 2 crystals"),
    "cartesian": (
        cif("Mg1 Mg 0 0 0", columns=("label", "type_symbol", "Cartn_x", "Cartn_y", "Cartn_z")),
        r"unreadable: it has no _atom_site_fract_x",
    ),
    "a row cut off": (cif("Mg1 Mg 0 0 0 1\nO1 O .5"), r"unreadable: it is no valid CIF"),
    "no cell": ("data_x\nloop_\n_atom_site_label\nMg1\n", r"unreadable: it has no _cell_length_a"),
    "no atoms": ("data_x\n_cell_length_a 3\n", r"unreadable: no structures in it, as no atoms"),
    "a web page": ("<html>404</html>", r"unreadable: no structures in it"),
    "bytes": ("\x00\x01\x02data_", r"unreadable"),
    "a loop of nothing": ("data_x\nloop_\n", r"unreadable: it is no valid CIF"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_as_stated_is_refused(kind):
    text, message = REFUSED[kind]
    with pytest.raises(RefusedCrystal, match=message):
        parse_structure(text)


NO_ELEMENTS = ["X", "XX", "M", "Q", "Vac", "VA", "Du", "LP", "Z", "A", "Uuo", "12", "?", "T"]
GROUPS = ["Wat", "OH", "OH2", "NO3", "H2O"]


@pytest.mark.parametrize("inversion", [False, True])
@pytest.mark.parametrize("symbol", [*NO_ELEMENTS, *GROUPS])
def test_a_symbol_that_is_no_element_is_refused(symbol, inversion):
    with pytest.raises(RefusedCrystal, match=rf"no_element: '{symbol.replace('?', '.')}' is "):
        parse_structure(third(symbol, inversion=inversion))


@pytest.mark.parametrize("label", ["X1", "M1", "Q1", "Vac1", "Du1", "OH1", "Wat1", "T1"])
def test_a_label_that_begins_with_no_element_is_refused(label):
    atoms = f"Mg1 0 0 0\nO1 .5 .5 .5\n{label} .5 0 0"
    with pytest.raises(RefusedCrystal, match=rf"no_element: '{label}' is "):
        parse_structure(cif(atoms, formula=None, columns=WITHOUT_TYPES))


@pytest.mark.parametrize("symbol", ["NH4", "CO3", "CO", "NI", "VA1"])
def test_capitals_need_a_formula_where_they_may_be_a_group(symbol):
    atoms = f"Mg1 0 0 0\nO1 .5 .5 .5\n{symbol} .5 0 0"
    with pytest.raises(RefusedCrystal, match=r"may be an element or a group of atoms"):
        parse_structure(cif(atoms, formula=None, columns=WITHOUT_TYPES))


def test_a_formula_tells_an_element_from_a_group():
    atoms = "Mg1 Mg 0 0 0 1\nNI1 NI .5 .5 .5 1"
    assert parse_structure(cif(atoms, formula="Mg Ni")).formula == "Mg1 Ni1"
    with pytest.raises(RefusedCrystal, match=r"holds Co1 Mg1, but the file states C1 Mg1 O1"):
        parse_structure(cif(atoms.replace("NI", "CO"), formula="Mg C O"))
