"""Crystals of one's own: every file read, every broken one named with the remedy."""

import json

import pytest
from own_folder import disordered, write_salts
from pymatgen.core import DummySpecies, Lattice, Structure

from gen2dft.datasets.own_structures import read_one_crystal, read_own_structures
from gen2dft.errors import DatasetError
from tests.toys import rock_salt

POSCAR = "x\n1\n4 0 0\n0 4 0\n0 0 4\n{} Li\n1 1\ndirect\n0 0 0\n0.5 0.5 0.5\n"


def two_atoms(first, second, place=(0.5, 0.5, 0.5)):
    return Structure(Lattice.cubic(4.0), [first, second], [[0, 0, 0], place])


def salt_with(folder, name, text):
    write_salts(folder)
    (folder / name).write_text(text)
    return folder


def test_folders_are_read_with_their_subfolders_in_the_order_of_names(tmp_path):
    found = read_own_structures(write_salts(tmp_path))
    assert found.names == ("SrO.cif", "more/BaS.cif", "more/NaF.cif")
    assert found.crystals.formulas() == ["O1 Sr1", "Ba1 S1", "F1 Na1"]
    assert found.broken == ()


def test_equal_file_names_in_two_folders_are_two_crystals(tmp_path):
    write_salts(tmp_path, {"a/x.cif": ("Na", "Cl"), "b/x.cif": ("K", "Cl")})
    assert read_own_structures(tmp_path).names == ("a/x.cif", "b/x.cif")


def test_cells_come_as_they_stand_in_their_files(tmp_path):
    conventional = rock_salt("Na", "Cl", 5.6).get_primitive_structure() * (2, 1, 1)
    conventional.to(filename=str(tmp_path / "double.cif"))
    (crystal,) = read_own_structures(tmp_path).crystals.structures()
    assert len(crystal) == 4
    assert crystal.volume == pytest.approx(conventional.volume, rel=1e-4)


def test_poscars_and_json_are_read(tmp_path):
    salt = rock_salt("Na", "Cl", 5.6)
    salt.to(filename=str(tmp_path / "POSCAR_NaCl"), fmt="poscar")
    (tmp_path / "one.json").write_text(json.dumps(salt.as_dict()))
    (tmp_path / "list.json").write_text(json.dumps([salt.as_dict(), salt.as_dict()]))
    (tmp_path / "named.json").write_text(json.dumps({"mine": salt.as_dict()}))
    found = read_own_structures(tmp_path)
    assert found.names == (
        "POSCAR_NaCl", "list.json[1]", "list.json[2]", "named.json[mine]", "one.json",
    )  # fmt: skip
    assert set(found.crystals.formulas()) == {"Cl1 Na1"}


def test_one_file_is_enough(tmp_path):
    write_salts(tmp_path)
    assert read_own_structures(tmp_path / "SrO.cif").names == ("SrO.cif",)


def test_every_block_of_a_cif_is_a_crystal(tmp_path):
    blocks = [rock_salt("Na", "Cl", 5.6).to(fmt="cif"), rock_salt("K", "Cl", 6.3).to(fmt="cif")]
    (tmp_path / "many.cif").write_text("\n".join(["data_global", "_journal_year 2020", *blocks]))
    found = read_own_structures(tmp_path)
    assert found.names == ("many.cif[1]", "many.cif[2]")
    assert found.crystals.formulas() == ["Cl1 Na1", "Cl1 K1"]


def test_oxidation_states_are_left_aside(tmp_path):
    (tmp_path / "ionic.json").write_text(json.dumps(two_atoms("Na+", "Cl-").as_dict()))
    assert read_own_structures(tmp_path).crystals.formulas() == ["Cl1 Na1"]


def test_deuterium_is_read_as_hydrogen(tmp_path):
    text = two_atoms("H", "Li").to(fmt="cif").replace("  H  H", "  D  D")
    (tmp_path / "a.cif").write_text(text)
    (tmp_path / "POSCAR").write_text(POSCAR.format("D"))
    assert read_own_structures(tmp_path).crystals.formulas() == ["H1 Li1"] * 2


@pytest.mark.parametrize("symbol", ["T", "X", "Vac"])
def test_a_poscar_holds_elements_alone(tmp_path, symbol):
    (tmp_path / "POSCAR").write_text(POSCAR.format(symbol))
    with pytest.raises(DatasetError, match=r"1 of 1 crystals cannot be used:\n  POSCAR: "):
        read_own_structures(tmp_path)


@pytest.mark.parametrize("place", ["nan 0 0", "inf 0 0", "0.5 0.5 0.5"])
def test_a_poscar_is_checked_like_every_crystal(tmp_path, place):
    (tmp_path / "POSCAR").write_text(POSCAR.format("Na").replace("0 0 0\n", f"{place}\n"))
    with pytest.raises(DatasetError, match=r"a coordinate is no number|are 0\.00 Angstrom apart"):
        read_own_structures(tmp_path)


def test_one_crystal_is_read_of_a_file(tmp_path):
    write_salts(tmp_path)
    assert read_one_crystal(tmp_path / "SrO.cif").composition.reduced_formula == "SrO"
    (tmp_path / "two.json").write_text(json.dumps([rock_salt("Na", "Cl", 5.6).as_dict()] * 2))
    with pytest.raises(DatasetError, match=r"two.json holds 2 crystals: leave one"):
        read_one_crystal(tmp_path / "two.json")
    with pytest.raises(DatasetError, match=r"nowhere.cif holds no crystal that can be read"):
        read_one_crystal(tmp_path / "nowhere.cif")


def test_hidden_files_are_left_alone(tmp_path):
    write_salts(tmp_path)
    write_salts(tmp_path / ".ipynb_checkpoints")
    (tmp_path / "._SrO.cif").write_text("a resource fork")
    assert len(read_own_structures(tmp_path).names) == 3


BROKEN = {
    "disordered": (disordered().to(fmt="cif"), r"shared by several species.*ordered cell"),
    "overlapping": (
        two_atoms("Si", "Ge", (0.02, 0, 0)).to(fmt="cif"),
        r"0\.08 Angstrom apart \(sites 1 and 2\): remove one",
    ),
    "on-one-site": (
        two_atoms("Si", "Ge", (0, 0, 0)).to(fmt="cif"),
        r"Si and Ge are 0\.00 Angstrom apart",
    ),
    "dummy": (two_atoms(DummySpecies("X"), "Li").to(fmt="cif"), r"'X0\+' is no element"),
    "empty": ("", r"cannot be read \(the file is empty\)"),
    "no-atoms": (
        rock_salt("Na", "Cl", 5.6).to(fmt="cif").split("loop_\n _atom_site")[0],
        "it holds no atoms",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named_with_problem_and_remedy(tmp_path, kind):
    text, message = BROKEN[kind]
    salt_with(tmp_path, f"{kind}.cif", text)
    with pytest.raises(DatasetError, match=rf"1 of 4 crystals.*\n  {kind}\.cif: .*{message}"):
        read_own_structures(tmp_path)
    with pytest.raises(DatasetError, match=r"To go on without them: --skip-broken"):
        read_own_structures(tmp_path)
    found = read_own_structures(tmp_path, skip_broken=True)
    assert len(found.names) == 3
    ((name, problem),) = found.broken
    assert (name, bool(problem)) == (f"{kind}.cif", True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bad.json", "{", "no JSON"),
        ("number.json", "[3]", r"number\.json\[1\]: cannot be read"),
        ("POSCAR", "nothing", "no POSCAR"),
        (
            "old.vasp",
            "?\n1\n4 0 0\n0 4 0\n0 0 4\n1 1\ndirect\n0 0 0\n.5 .5 .5\n",
            "without the line of its elements' symbols",
        ),
    ],
)
def test_other_kinds_of_files_are_named_too(tmp_path, name, text, message):
    with pytest.raises(DatasetError, match=message):
        read_own_structures(salt_with(tmp_path, name, text))


def test_many_broken_files_are_counted(tmp_path):
    for number in range(25):
        (tmp_path / f"{number:02}.cif").write_text("")
    with pytest.raises(DatasetError, match=r"25 of 25 crystals") as caught:
        read_own_structures(tmp_path, skip_broken=True)
    assert "and 9 more" in str(caught.value)
    assert len(str(caught.value).splitlines()) < 20
    assert "--skip-broken" not in str(caught.value)


def test_a_cell_without_volume_is_broken(tmp_path):
    flat = two_atoms("Na", "Cl").as_dict()
    flat["lattice"] = {"matrix": [[4.0, 0, 0], [4.0, 0, 0], [0, 0, 4.0]]}
    (tmp_path / "flat.json").write_text(json.dumps(flat))
    with pytest.raises(DatasetError, match="its cell has no volume"):
        read_own_structures(tmp_path)


def test_nothing_to_read_says_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("no crystal")
    with pytest.raises(DatasetError, match=r"nothing to read; looked for CIF files \(\*\.cif\)"):
        read_own_structures(tmp_path)
    with pytest.raises(DatasetError, match="there is no such folder or file"):
        read_own_structures(tmp_path / "nowhere")
