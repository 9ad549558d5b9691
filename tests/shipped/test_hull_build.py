"""The whole hull is built of a table; what is wrong in it is named with its line."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from gen2dft.campaign import parse_campaign
from gen2dft.cli.app import app
from gen2dft.datasets import mp_client
from gen2dft.datasets.remarks import DatasetWarning
from gen2dft.errors import DatasetError
from gen2dft.ground.hulls import campaign_hull
from gen2dft.shipped.hull_build import GGA as GGA_TYPE
from gen2dft.shipped.hull_build import MIXED as MIXED_TYPE
from gen2dft.shipped.hull_build import build_hull, hull_of_today
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.hull_file import read_hull_file
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


def document(name: str, formula: dict[str, float], energy: float | None) -> dict[str, Any]:
    return {"material_id": name, "composition": formula, "formation_energy_per_atom": energy}


LITHIA, PEROXIDE, OZONIDE = {"Li": 2.0, "O": 1.0}, {"Li": 2.0, "O": 2.0}, {"Li": 1.0, "O": 3.0}
# Answers as the API gives them: documents of every material, by thermo type.
RECORDED = {
    GGA_TYPE: [
        document("mp-1", LITHIA, -2.0),
        document("mp-5", {"Li": 4.0, "O": 2.0}, -1.9),
        document("mp-9", OZONIDE, -0.9),  # of GNoME, or deprecated: not listed
    ],
    MIXED_TYPE: [
        document("mp-1", LITHIA, -2.3),
        document("mp-2", PEROXIDE, -1.5),
        document("mp-3", OZONIDE, None),
    ],
}


class Recorded:
    """The API's end points with recorded answers, and what they were asked."""

    def __init__(self, answers: dict[str, list[dict[str, Any]]]) -> None:
        self.answers, self.asked = answers, []
        self.materials = SimpleNamespace(
            thermo=SimpleNamespace(search=self.thermo), summary=SimpleNamespace(search=self.listed)
        )
        self.db_version = "2026.11.30"

    def thermo(self, thermo_types: Sequence[str], **query: Any) -> list[dict[str, Any]]:
        (kind,) = thermo_types
        return self.answers[kind]

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        self.asked.append(query)
        return [{"material_id": f"mp-{number}"} for number in (1, 2, 3, 5)]


def test_todays_hull_comes_by_the_api() -> None:
    client = Recorded(RECORDED)
    with pytest.warns(DatasetWarning, match="all phases: 1 left out, energy .* no number: mp-3"):
        hull, version = hull_of_today(client)
    assert version == "2026.11.30"
    energies = {entry.composition: entry.formation_energy for entry in hull.entries}
    peroxide = (("Li", 1), ("O", 1))
    # GNoME's ozonide is left out, and the GGA energy wins over the mixed one.
    assert energies == {(("Li", 2), ("O", 1)): -2.0, peroxide: -1.5}
    assert hull.mixed == {peroxide}
    assert hull.scale == MATERIALS_PROJECT
    (query,) = client.asked
    assert (query["include_gnome"], query["deprecated"]) == (False, False)


def test_an_answer_that_is_no_hull_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"has no phase of thermo type 'GGA_GGA\+U_R2SCAN'"):
        hull_of_today(Recorded({**RECORDED, MIXED_TYPE: []}))
    wrong = {**RECORDED, MIXED_TYPE: [document("mp-2", PEROXIDE, -150.0)]}
    with pytest.raises(DatasetError, match="Li1 O1: its energy is -150: formation energies lie"):
        hull_of_today(Recorded(wrong))


def test_the_verb_without_a_table_asks_the_api_and_says_how_to_pin_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MP_API_KEY", "0" * 32)
    monkeypatch.setattr(mp_client, "_connect", lambda _: Recorded(RECORDED))
    out = tmp_path / "today.json"
    result = CliRunner().invoke(app, ["data", "build", "hull", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "version 2026.11.30, CC BY 4.0" in result.output
    assert "1 left out, energy that is no number: mp-3" in result.output
    hull = read_hull_file(out)
    (pin,) = re.findall(r"hull: \{.*\}", result.output)
    assert yaml.safe_load(pin) == {"hull": {"source": str(out), "hash": hull.hull_hash}}
    content = {
        "name": "pinned",
        "targets": [{"property": "e_above_hull", "max": 0.03}],
        "sampling": [{"method": "local", "num_points": 10}],
        **yaml.safe_load(pin),
    }
    spec = parse_campaign(yaml.safe_dump(content), "a test")
    assert campaign_hull(spec).hull_hash == hull.hull_hash
