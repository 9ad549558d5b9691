"""Columns that are not read come with options that can be typed as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path

from gen2dft.datasets.columns import Wanted
from gen2dft.datasets.proposals import proposals, proposals_for
from gen2dft.datasets.tables import Table


def found(*names: str, cells: tuple[str, ...] = (), **columns: str) -> dict[str, str]:
    row = cells or tuple("1.5" for _ in names)
    table = Table(Path("mine.csv"), names, (row,), ("line 2",))
    return {each.column: each.option for each in proposals(table, Wanted(columns))}


def test_the_nearest_property_by_name_and_unit_is_proposed() -> None:
    options = found("id", "Eg_HSE", "PF", "hull distance (meV/atom)", "Hform_PBE")
    assert options == {
        "Eg_HSE": "--column band_gap=Eg_HSE",
        "PF": "--column power_factor=PF",
        "hull distance (meV/atom)": "--column 'e_above_hull=hull distance (meV/atom):meV/atom'",
        "Hform_PBE": "--column formation_energy=Hform_PBE",
    }
    assert shlex.split(options["hull distance (meV/atom)"])[1].startswith("e_above_hull=hull d")


def test_a_unit_of_another_kind_is_no_match() -> None:
    (option,) = found("Eg_kj_mol").values()
    assert "band_gap" not in option


def test_other_numbers_can_be_properties_of_ones_own() -> None:
    options = found("S_300K", "note", cells=("120", "a text"))
    assert options == {"S_300K": "--column s_300k=S_300K:UNIT"}


def test_a_property_that_is_read_already_is_not_proposed_again() -> None:
    options = found("band_gap", "gap_hse")
    assert options == {"gap_hse": "--column gap_hse=gap_hse:UNIT"}


def test_crystal_files_have_no_columns(tmp_path: Path) -> None:
    assert proposals_for(tmp_path / "many.cif", {}) == []
