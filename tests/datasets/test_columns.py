"""Columns: usual names with and without a unit; another unit and contradictions are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gen2dft.datasets.columns import Wanted, find_column, read_labels
from gen2dft.datasets.tables import Table
from gen2dft.errors import DatasetError
from gen2dft.properties import Properties, Property


def table(*names: str, cells: tuple[str, ...] | None = None) -> Table:
    row = cells or tuple("1" for _ in names)
    return Table(Path("t.csv"), names, (row,), ("line 2",))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("formation_energy", "formation_energy"),
        ("Formation Energy (eV/atom)", "formation_energy"),
        ("formation_energy_per_atom_eV", "formation_energy"),
        ("E_form [eV per atom]", "formation_energy"),
        ("E above hull", "e_above_hull"),
        ("gap pbe", "band_gap"),
        ("Band Gap (eV)", "band_gap"),
        ("Material ID", "id"),
        ("CIF", "structure"),
    ],
)
def test_usual_names_are_recognised(name: str, role: str) -> None:
    assert find_column(table("x", name), role, Wanted()) == name


@pytest.mark.parametrize("name", ["energy", "formation_enthalpy", "total_energy", "gap_error"])
def test_other_names_are_not(name: str) -> None:
    for role in ("formation_energy", "band_gap"):
        assert find_column(table(name), role, Wanted()) is None


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("formation_energy_kJ_mol", "kJ/mol"),
        ("Formation energy (meV/atom)", "meV/atom"),
        ("e_form_kcal", "kcal/mol"),
        ("formation_energy (Ry)", "Rydberg"),
    ],
)
def test_another_unit_is_refused_named_or_not(name: str, unit: str) -> None:
    problem = f"states the unit {unit}, but formation_energy is in eV/atom"
    with pytest.raises(DatasetError, match=problem):
        find_column(table("id", name), "formation_energy", Wanted())
    with pytest.raises(DatasetError, match=problem):
        find_column(table(name), "formation_energy", Wanted({"formation_energy": name}))


def test_ev_alone_is_taken_for_an_energy_per_atom_if_the_user_says_so() -> None:
    name = "formation_energy_eV"
    with pytest.raises(DatasetError, match=r"if they are in eV/atom, name it: --column"):
        find_column(table(name), "formation_energy", Wanted())
    assert find_column(table(name), "formation_energy", Wanted({"formation_energy": name})) == name


def test_two_columns_of_one_property_must_hold_the_same() -> None:
    names = ("formation_energy", "Formation_Energy", "id")
    assert find_column(table(*names), "formation_energy", Wanted()) == names[0]
    differing = table(*names, cells=("-2", "99", "a"))
    with pytest.raises(DatasetError, match=r"could both be formation_energy, and they differ"):
        find_column(differing, "formation_energy", Wanted())
    named = Wanted({"formation_energy": "Formation_Energy"})
    assert find_column(differing, "formation_energy", named) == "Formation_Energy"


def test_one_column_cannot_be_two_properties() -> None:
    with pytest.raises(DatasetError, match="'e' is named for both band_gap and e_above_hull"):
        Wanted.checked({"band_gap": "e", "e_above_hull": "e"}, Properties())


def test_properties_of_ones_own_go_by_their_name() -> None:
    energy_ev = Property("energy_ev", "eV", "some energy")
    wanted = Wanted({}, Properties([energy_ev]))
    assert read_labels(table("Energy_eV"), ["a"], wanted)["energy_ev"].tolist() == [1]


def test_a_message_lists_few_columns(tmp_path: Path) -> None:
    many = table(*(f"c{number}" for number in range(500)))
    with pytest.raises(DatasetError, match=r"it has c0, .*c19 and 480 more"):
        find_column(many, "id", Wanted({"id": "zz"}))


def test_a_named_unit_is_taken_and_converted() -> None:
    wanted = Wanted({"e_above_hull": "Ehull (meV/atom):meV/atom"})
    found = read_labels(table("id", "Ehull (meV/atom)", cells=("a", "50")), ["a"], wanted)
    assert found["e_above_hull"].tolist() == pytest.approx([0.05])


def test_a_column_whose_name_ends_like_a_unit_is_that_column() -> None:
    wanted = Wanted({"band_gap": "gap:eV"})
    assert read_labels(table("gap:eV", cells=("2",)), ["a"], wanted)["band_gap"].tolist() == [2]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("Ehull:kJ/mol", r"'kJ/mol' cannot be converted to eV/atom; units taken: eV/atom, meV/at"),
        ("Ehull:eV", "unit 'eV' cannot be converted to eV/atom"),
        ("Ehul:meV/atom", "has no column 'Ehul' .*did you mean 'Ehull'"),
        ("E (meV/atom):Rydberg/atom", "states the unit meV/atom, and --column the unit Rydberg"),
    ],
)
def test_units_that_cannot_be_are_refused(named: str, message: str) -> None:
    cells = table("Ehull", "E (meV/atom)", cells=("1", "2"))
    with pytest.raises(DatasetError, match=message):
        read_labels(cells, ["a"], Wanted({"e_above_hull": named}))


def test_ids_have_no_unit() -> None:
    with pytest.raises(DatasetError, match="id has no unit"):
        find_column(table("name"), "id", Wanted({"id": "name:eV"}))


def test_a_header_in_another_unit_names_the_option() -> None:
    option = r"--column 'e_above_hull=Ehull \(meV/atom\):meV/atom'"
    with pytest.raises(DatasetError, match=option):
        find_column(table("Ehull (meV/atom)"), "e_above_hull", Wanted())


def test_one_column_in_two_units_cannot_be_two_properties() -> None:
    wanted = Wanted({"formation_energy": "E:eV/atom", "e_above_hull": "E:meV/atom"})
    with pytest.raises(DatasetError, match="'E' is named for both formation_energy and e_above"):
        read_labels(table("E", cells=("1",)), ["a"], wanted)
