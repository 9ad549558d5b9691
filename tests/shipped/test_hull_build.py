"""The whole hull is built of a table; what is wrong in it is named with its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gen2dft.cli.app import app
from gen2dft.errors import DatasetError
from gen2dft.shipped.hull_build import build_hull
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.scales import MATERIALS_PROJECT

HEAD = "material_id,pretty_formula,formation_energy_per_atom,source\n"
GGA, MIXED = "MP-20/MPTS-52", "on or near the hull of 2025"
ROWS = (
    f"mp-1,Li2O,-2.0,{GGA}\n"
    f"mp-2,LiO,-1.5,{MIXED}\n"
    f"mp-3,Li2O,-1.9,{MIXED}\n"  # the GGA energy wins although the other is there too
    f"mp-4,Li4O2,-2.0,{GGA}\n"  # the same formula again
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return written(tmp_path, ROWS)


def written(folder: Path, rows: str, head: str = HEAD) -> Path:
    path = folder / "table.csv.gz"
    path.write_bytes(gzip.compress((head + rows).encode()))
    return path


def test_gga_energies_win_and_others_are_marked(table: Path) -> None:
    hull = build_hull(table)
    energies = {entry.composition: entry.formation_energy for entry in hull.entries}
    lithia, mixed = (("Li", 2), ("O", 1)), (("Li", 1), ("O", 1))
    assert energies == {lithia: -2.0, mixed: -1.5}
    assert hull.mixed == {mixed}
    assert hull.scale == MATERIALS_PROJECT
    assert ReferenceHull.from_bytes(hull.to_bytes()).mixed == {mixed}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (f"mp-9,LiO2,nan,{GGA}\n", r"line 6: formation_energy_per_atom is 'nan'"),
        (f"mp-9,LiO2,,{GGA}\n", r"line 6: formation_energy_per_atom is ''"),
        (f"mp-9,LiO2,-123.4,{GGA}\n", r"line 6: .* is -123.4: .* another unit .* or a total"),
        (f"mp-9,Lithium,-1.0,{GGA}\n", r"line 6: 'Lithium' is no formula"),
        (f"mp-9,Li0.5O,-1.0,{GGA}\n", r"line 6: 'Li0.5O' is no formula of whole"),
        (f"mp-9,Li2O,-2.5,{GGA}\n", r"line 6: Li2 O1 stands in line 2 already, with -2 instead"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, row: str, problem: str) -> None:
    with pytest.raises(DatasetError, match=problem):
        build_hull(written(tmp_path, ROWS + row))


def test_what_the_table_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no column formation_energy_per_atom, source"):
        build_hull(written(tmp_path, "Li2O,1\n", head="pretty_formula,energy\n"))
    with pytest.raises(DatasetError, match=r"no row whose source is other.*--gga-source"):
        build_hull(written(tmp_path, f"mp-1,Li2O,-2.0,{GGA}\n"), ["other"])
    with pytest.raises(DatasetError, match="cannot read the table"):
        build_hull(tmp_path / "absent.csv")
    path = written(tmp_path, ROWS)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DatasetError, match="cannot read the table"):
        build_hull(path)


def test_the_verb_writes_a_hull_that_campaigns_take(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "hull.json"
    arguments = ["data", "build", "hull", "--source", str(table), "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "2 formulas, 2 elements, 1 on the scale that mixes" in result.output.replace("\n", " ")
    assert ReferenceHull.from_bytes(out.read_bytes()).hull_hash == build_hull(table).hull_hash
