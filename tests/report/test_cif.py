"""CIF files hold the very structure, and say where it comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from example_campaign import structure
from pymatgen.core import Structure

from gen2dft.report.cif import cif_name, hit_cif, structure_cif, write_hit_cifs
from gen2dft.report.data import ReportData


def test_cif_gives_the_structure_back(data: ReportData) -> None:
    for hit in data.hits:
        back = Structure.from_str(hit_cif(hit, {"mlip"}), fmt="cif")
        stored = Structure.from_dict(hit.structure)
        assert np.allclose(back.lattice.parameters, stored.lattice.parameters)
        assert np.allclose(back.frac_coords, stored.frac_coords)
        assert back.species == stored.species


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
