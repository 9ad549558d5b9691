"""CIF files hold the very structure, and say where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_campaign import structure
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifFile

from gen2dft.report.cif import cif_name, hit_cif, structure_cif, write_hit_cifs
from gen2dft.report.data import ReportData


def test_cif_gives_the_crystal_back(data: ReportData) -> None:
    same = StructureMatcher(ltol=1e-4, stol=1e-4, angle_tol=1e-2, scale=False)
    for hit in data.hits:
        back = Structure.from_str(hit_cif(hit, {"mlip"}), fmt="cif")
        assert same.fit(back, Structure.from_dict(hit.structure))


def test_cif_gives_the_conventional_cell_with_its_symmetry() -> None:
    half_heusler = Structure.from_spacegroup(
        "F-43m", Lattice.cubic(6.2), ["Li", "Zn", "Sb"], [[0.5] * 3, [0.25] * 3, [0] * 3]
    )
    text = structure_cif(half_heusler.get_primitive_structure().as_dict(), ())
    assert "_symmetry_space_group_name_H-M   F-43m" in text
    back = Structure.from_str(text, fmt="cif")
    assert (len(back), back.lattice.a) == (12, pytest.approx(6.2))
    (block,) = CifFile.from_str(text).data.values()
    assert block["_atom_site_type_symbol"] == ["Li", "Zn", "Sb"]


def test_cif_does_not_make_a_distorted_crystal_cubic() -> None:
    bent = Structure(Lattice.rhombohedral(4.0, 88.0), ["Cs", "Cl"], [[0] * 3, [0.5] * 3])
    text = structure_cif(bent.as_dict(), ())
    assert "_symmetry_space_group_name_H-M   R-3m" in text


def test_a_structure_that_spglib_cannot_read_is_written_as_stored() -> None:
    twice = Structure(Lattice.cubic(3.0), ["Po", "Po"], [[0] * 3, [0] * 3])
    assert "_symmetry_Int_Tables_number   1" in structure_cif(twice.as_dict(), ())


def test_comments_say_value_unit_basis_and_hull(data: ReportData) -> None:
    text = hit_cif(data.hits[0], {"mlip"})
    assert "eV/atom, mlip (surrogate)" in text
    assert "uW cm^-1 K^-2 at tau = 1e-14 s, predicted" in text
    assert f"hull {data.campaign.hull_id}" in text
    assert "(DFT)" not in text


def test_comments_cannot_leave_their_line() -> None:
    text = structure_cif(structure(0).as_dict(), ("first\ndata_evil\r_x \u00b5",))
    assert text.splitlines()[0] == "# first data_evil _x ?"


@pytest.mark.parametrize(
    ("formula", "key", "name"),
    [
        ("SrTiO3", "ab12", "SrTiO3_ab12.cif"),
        ("../x y", "a/b", "..xy_ab.cif"),
        (None, "ab", "crystal_ab.cif"),
    ],
)
def test_names_hold_nothing_dangerous(formula: str | None, key: str, name: str) -> None:
    assert cif_name(formula, key) == name


def test_one_file_per_hit(data: ReportData, tmp_path: Path) -> None:
    paths = write_hit_cifs(data.hits, {"mlip"}, tmp_path / "cif")
    assert len(set(paths)) == len(data.hits) == len(list((tmp_path / "cif").iterdir()))
