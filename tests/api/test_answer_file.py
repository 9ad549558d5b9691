"""CSV files of answers: columns, units, structures, and rows that cannot be taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pymatgen.core import Structure

from gen2dft.api.answer_file import read_answers, told_structure
from gen2dft.errors import AnswerError
from gen2dft.properties import Properties
from tests.toys import rock_salt

SALT = rock_salt("Na", "Cl", 5.64)


def rows(folder: Path, text: str) -> list:
    file = folder / "answers.csv"
    file.write_text(text, encoding="utf-8")
    return list(read_answers(file, Properties()))


def test_cells_become_answers(tmp_path: Path):
    SALT.to(str(tmp_path / "one.vasp"), fmt="poscar")
    text = "\ufeffid,formula,band_gap (eV),structure,energy (eV),scale,dft,"
    text += "basis,failed,core_hours (h)\n"
    text += 'a1,NaCl,0.6,one.vasp,-13.5,mp2020,yes,"VASP 6, PBE",,2.5\n'
    text += "b2,NaCl,,,,,,,not converged,\n"
    first, second = rows(tmp_path, text)
    assert (first.line, first.id, first.problem) == (2, "a1", None)
    assert first.answer.values == {"band_gap": 0.6}
    assert first.answer.structure.composition == SALT.composition
    assert (first.answer.energy, first.answer.scale, first.answer.dft) == (-13.5, "mp2020", True)
    assert (first.answer.basis, first.answer.core_hours) == ("VASP 6, PBE", 2.5)
    assert second.answer.failed == "not converged"


def test_rows_that_say_nothing_are_passed_over(tmp_path: Path):
    text = "id,band_gap,basis,dft\na1,,VASP,true\n\n,,,\nb2,0.5,VASP,true\n"
    assert [row.id for row in rows(tmp_path, text)] == ["b2"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("band_gap", "has no column `id`"),
        ("", "has no column `id`"),
        ("id,bandgap", "column 'bandgap' is not one of .* mean 'band_gap'"),
        ("id,band_gap (meV)", "told in 'meV', and its unit is 'eV'"),
        ("id,energy (eV/atom)", "energy is in 'eV/atom', and its unit is 'eV'"),
        ("id,e_above_hull", "measured against the campaign's hull"),
        ("id,band_gap,band_gap (eV)", "two columns band_gap"),
        ("id;band_gap", "separates its columns by semicolons"),
        ("id," + 200_000 * "x", "field larger than|200,002 characters. is not one of"),
    ],
)
def test_columns_that_are_not_understood_refuse_the_file(tmp_path: Path, header, message):
    with pytest.raises(AnswerError, match=message) as caught:
        rows(tmp_path, f"{header}\na1,1,1\n")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("a1,wide,,,", "band_gap is 'wide', which is no number"),
        (",0.6,,,", "the row has no id"),
        ("a1,0.6,maybe,,", "dft is 'maybe': write true or false"),
        ("a1,0.6,,none.cif,", "none.cif: there is no such file"),
        ("a1,0.6,,broken.cif,", "broken.cif holds no crystal that can be read"),
        ("a1,0.6,,two.json,", "two.json holds 2 crystals: leave one in the file"),
        ("a1,0.6,,,VASP 6, PBE", "6 cells under 5 columns; quote texts with commas"),
    ],
)
def test_a_row_that_cannot_be_taken_says_why_and_leaves_the_others(tmp_path, cells, problem):
    (tmp_path / "broken.cif").write_text("data_nothing\n")
    (tmp_path / "two.json").write_text(json.dumps([SALT.as_dict()] * 2))
    found = rows(tmp_path, f"id,band_gap,dft,structure,basis\n{cells}\nb2,0.5,,,\n")
    assert found[0].answer is None
    assert problem in found[0].problem
    assert "\n" not in found[0].problem
    assert found[1].answer.values == {"band_gap": 0.5}


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path):
    with pytest.raises(AnswerError, match="No such file or directory; give a CSV file"):
        list(read_answers(tmp_path / "none.csv", Properties()))
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AnswerError, match=r"cannot read .*binary\.csv: .*UTF-8"):
        list(read_answers(tmp_path / "binary.csv", Properties()))


def test_a_structure_is_pymatgens_its_dictionary_or_a_file(tmp_path: Path):
    file = tmp_path / "salt.cif"
    SALT.to(str(file))
    for given in (SALT, SALT.as_dict(), file, str(file)):
        assert told_structure(given).composition == SALT.composition
    disordered = Structure(SALT.lattice, [{"Na": 0.5, "K": 0.5}, "Cl"], SALT.frac_coords)
    for given in (disordered, {"no": "structure"}, 3):
        with pytest.raises(AnswerError, match="the structure told: "):
            told_structure(given)


def test_a_structure_keeps_nothing_but_elements_and_places():
    charged = SALT.copy(site_properties={"magmom": [1.0, 2.0]})
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    plain = told_structure(charged)
    assert plain.site_properties == {}
    assert [str(site.specie) for site in plain] == ["Na", "Cl"]


def test_atoms_on_one_place_are_refused():
    squeezed = Structure(SALT.lattice, ["Na", "Cl"], [[0, 0, 0], [0, 0, 0.01]])
    with pytest.raises(AnswerError, match=r"Na and Cl are .* Angstrom apart"):
        told_structure(squeezed)
