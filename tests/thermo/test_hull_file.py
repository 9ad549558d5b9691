"""Hull files: each thing that would spoil every distance is named in one line."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest

from gen2dft.errors import DatasetError, MixedEnergies, StoreError
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.hull_file import file_content, is_hull_file, read_hull_file
from gen2dft.thermo.materials_project import whole_hull
from gen2dft.thermo.scales import MATERIALS_PROJECT, MIXED

LITHIA, PEROXIDE = {"Li": 2, "O": 1}, {"Li": 1, "O": 1}
HULL = ReferenceHull.build(
    [LITHIA, PEROXIDE], [-2.0, -1.5], scale=MATERIALS_PROJECT, mixed=[PEROXIDE]
)


def written(folder: Path, content: dict[str, Any] | bytes) -> Path:
    path = folder / "hull.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def changed(**fields: Any) -> dict[str, Any]:
    return {**json.loads(HULL.to_bytes()), **fields}


def test_a_file_holds_its_hull_and_its_hash(tmp_path: Path) -> None:
    path = written(tmp_path, file_content(HULL))
    assert is_hull_file(str(path))
    hull = read_hull_file(path, HULL.hull_hash, MATERIALS_PROJECT)
    assert hull.hull_hash == HULL.hull_hash == json.loads(path.read_bytes())["hash"]
    assert hull.mixed == HULL.mixed


def test_a_packed_file_is_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "hull.json.gz"
    path.write_bytes(gzip.compress(HULL.to_bytes()))
    assert read_hull_file(path).hull_hash == HULL.hull_hash


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (["Li1 F1", math.nan], r"entry 3 \(Li1 F1\): its energy is nan, no number"),
        (["Li1 F1", math.inf], r"entry 3 \(Li1 F1\): its energy is inf, no number"),
        (["Li1 F1", "-3.1"], r"entry 3 \(Li1 F1\): its energy '-3.1' is no number"),
        (["Li1 F1", None], r"entry 3 \(Li1 F1\): its energy None is no number"),
        (["Li1 F1", -616.0], r"its energy is -616: formation energies lie within 6 .*kJ/mol"),
        (["Li1 F1", -6.4], r"its energy is -6.4: .* eV per formula unit\) or a total energy"),
        (["Li4 O2", -1.9], r"entry 3: Li2 O1 is entry 1 already: leave the lowest"),
        (["LiF", -3.1], r"entry 3: 'LiF' is no formula like 'Li2 O1'"),
        (["", -3.1], r"entry 3: '' is no formula"),
        (["Li0 F1", -3.1], r"entry 3: 'Li0 F1' is no formula"),
        (["Li1 Q1", -3.1], r"entry 3: 'Li1 Q1' holds 'Q', which is no element"),
        ("Li1 F1", r"entry 3: 'Li1 F1' is no pair of formula and energy"),
    ],
)
def test_an_entry_that_no_hull_can_rest_on_is_named(
    tmp_path: Path, entry: Any, problem: str
) -> None:
    content = changed(entries=[["Li2 O1", -2.0], ["Li1 O1", -1.5], entry])
    with pytest.raises(DatasetError, match=rf"hull file .*hull\.json, .*{problem}"):
        read_hull_file(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", r"hull\.json is not a gen2dft hull or is damaged"),
        ({"format": 2}, r"hull\.json is not a gen2dft hull: it has no list `entries`"),
        (changed(format=99), r"hull\.json has format 99, this version reads 2"),
        (changed(hash="0" * 16), r"says that its hash is 0{16}, but its content has"),
    ],
)
def test_a_file_that_is_no_hull_is_refused(tmp_path: Path, content: Any, problem: str) -> None:
    with pytest.raises(StoreError, match=problem):
        read_hull_file(written(tmp_path, content))


def test_another_hull_than_the_campaign_was_written_for_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, file_content(HULL))
    with pytest.raises(StoreError, match=rf"hash {HULL.hull_hash}, and hull.hash asks for 0{{16}}"):
        read_hull_file(path, "0" * 16)


def test_an_edited_entry_no_longer_fits_the_hash(tmp_path: Path) -> None:
    content = json.loads(file_content(HULL))
    content["entries"][0][1] -= 0.1
    with pytest.raises(StoreError, match="it was changed after it was written"):
        read_hull_file(written(tmp_path, content))


def test_a_unit_other_than_ev_per_atom_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"its unit is 'kJ/mol', and must be 'eV/atom'"):
        read_hull_file(written(tmp_path, changed(unit="kJ/mol")))


def test_a_hull_on_another_scale_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, changed(scale="gpaw:PBE", mixed=[]))
    with pytest.raises(
        MixedEnergies, match=r"on scale 'gpaw:PBE', and hull.scale says 'materials-project'"
    ):
        read_hull_file(path, scale=MATERIALS_PROJECT)
    assert read_hull_file(path).scale == "gpaw:PBE"


@pytest.mark.parametrize("scale", [MIXED, "gpaw:PBE", None])
def test_the_mixed_scale_may_stand_beside_the_materials_projects_alone(
    tmp_path: Path, scale: str | None
) -> None:
    with pytest.raises(MixedEnergies, match="may stand beside those of scale 'materials-project'"):
        read_hull_file(written(tmp_path, changed(scale=scale)))


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hull.json.gz"
    path.write_bytes(gzip.compress(HULL.to_bytes())[:40])
    with pytest.raises(StoreError, match=r"hull file .*hull\.json\.gz cannot be read"):
        read_hull_file(path)


def test_a_hull_without_a_unit_is_refused_with_the_key_that_is_missing(tmp_path: Path) -> None:
    content = {key: value for key, value in changed().items() if key != "unit"}
    with pytest.raises(DatasetError, match=r'states no unit: .* add "unit": "eV/atom"'):
        read_hull_file(written(tmp_path, content))


def test_the_hull_that_ships_states_its_unit(tmp_path: Path) -> None:
    path = tmp_path / "whole.json"
    path.write_bytes(file_content(whole_hull()))
    assert json.loads(path.read_bytes())["unit"] == "eV/atom"
    assert read_hull_file(path).hull_hash == whole_hull().hull_hash


def test_elements_are_the_zero_of_a_hull(tmp_path: Path) -> None:
    content = changed(entries=[["Li1", -1.9], ["Li2 O1", -2.0]], mixed=[])
    with pytest.raises(DatasetError, match=r"\(Li1\): its energy is -1\.9 .* total energies"):
        read_hull_file(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "cannot be read: it is empty"),
        (b"[" * 100_000, "not a gen2dft hull or is damaged"),
        (b'{"unit": "meV", "unit": "eV/atom"}', "the key 'unit' stands there twice"),
        (changed(scale=[1]), "its scale is no text"),
        (changed(coverage="all"), "its coverage is 'all', and must be elements or compounds"),
        (changed(known_stable=5), "its known_stable is no list of formulas"),
        (changed(mixed=[{"Li": 1}]), "its mixed is no list of formulas"),
    ],
)
def test_broken_fields_of_a_hull_are_named(tmp_path: Path, content: Any, problem: str) -> None:
    with pytest.raises(StoreError, match=problem):
        read_hull_file(written(tmp_path, content))


def test_absurd_numbers_of_a_hull_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="its energy is 10000"):
        read_hull_file(written(tmp_path, changed(entries=[["Li1 F1", 10**400]])))
    with pytest.raises(DatasetError, match="has more than 1,000,000 atoms"):
        read_hull_file(written(tmp_path, changed(entries=[[f"Li{10**30} F1", -1.0]])))


def test_a_unit_that_is_an_object_is_not_dumped(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="its unit is an object, and must be 'eV/atom'"):
        read_hull_file(written(tmp_path, changed(unit={"@module": "os"})))


def test_a_device_in_the_place_of_a_hull_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hull.json"
    path.symlink_to("/dev/zero")
    with pytest.raises(StoreError, match="cannot be read: it is a device, not a file"):
        read_hull_file(path)
