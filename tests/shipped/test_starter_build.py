"""The starter set is chosen of a table of the Materials Project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from gen2dft.cli import data
from gen2dft.dataset import Dataset
from gen2dft.datasets.files import read_dataset
from gen2dft.errors import DatasetError
from gen2dft.shipped.starter_build import StarterPlan, build_starter

COMMAND = "the command"
FACTORS = pd.DataFrame(
    {"mp_id": ["mp-4", "mp-2", "mp-99"], "PF_p": [10.0, 20.0, 5.0], "PF_n": [1.0, 40.0, 5.0]}
)
# mp-id to elements, cubic cell edge in Angstrom, distance to the hull in eV/atom, gap in eV.
CRYSTALS = {
    "mp-2": (["Na", "Cl"], 4.0, 0.0, 5.0),
    "mp-4": (["K", "Br"], 4.5, 0.02, 4.0),
    "mp-11": (["Mg", "O"], 3.0, 0.0, 4.5),
    "mp-10": (["Ni", "Al"], 2.9, 0.0, 0.0),
    "mp-12": (["Ni", "Ti"], 3.0, 0.01, 0.0),
    "mp-13": (["Ni", "Al"], 3.1, 0.04, 0.0),
    "mp-14": (["Li", "Cl"], 3.6, 0.09, 6.0),
    "mp-15": (["Gd", "N"], 3.5, 0.0, 0.1),
    "mp-16": (["Si"], 2.7, 0.0, 0.6),
    "mp-17": (["Cs", "I"], 4.6, 0.0, np.nan),
    "mp-18": (["Ca", "S"] * 6, 9.0, 0.0, 2.0),
}


def table(folder: Path, ids: list[str], name: str = "table.csv") -> Path:
    rows = []
    for key in ids:
        elements, edge, distance, gap = CRYSTALS[key]
        places = np.arange(len(elements)) / len(elements)
        of_element = len(set(elements)) == 1
        crystal = Structure(Lattice.cubic(edge), elements, [[x, x, x] for x in places])
        rows.append(
            {
                "material_id": key,
                "formation_energy_per_atom": 0.0 if of_element else -1.0 - distance,
                "e_above_hull": distance,
                "band_gap": gap,
                "cif": crystal.to(fmt="cif"),
            }
        )
    pd.DataFrame(rows).to_csv(folder / name, index=False)
    return folder / name


def built(folder: Path, size: int) -> Dataset:
    source = read_dataset(table(folder, list(CRYSTALS)))
    return build_starter(source, StarterPlan(size=size), COMMAND, FACTORS)


def test_what_is_no_small_stable_binary_or_ternary_is_counted(tmp_path: Path) -> None:
    found = built(tmp_path, 100)
    assert found.ids == ("mp-2", "mp-4", "mp-10", "mp-11", "mp-12", "mp-13")
    (count,) = found.provenance["counts"]
    assert count["reasons"] == {
        "above_hull": 1,
        "excluded_element": 1,
        "max_sites": 1,
        "missing_label": 1,
        "num_elements": 1,
    }


def test_labels_are_those_of_the_table_and_the_published_power_factors(tmp_path: Path) -> None:
    found = built(tmp_path, 100)
    row = found.ids.index("mp-4")
    assert found.label("formation_energy")[row] == -1.02
    assert found.label("band_gap")[row] == 4.0
    assert found.label("power_factor")[row] == pytest.approx(1.0)
    assert found.label("power_factor_n")[row] == pytest.approx(0.1)
    assert found.num_labels()["power_factor"] == 2


def test_power_factors_come_first_then_gaps_then_new_elements_and_systems(tmp_path: Path) -> None:
    assert built(tmp_path, 2).ids == ("mp-2", "mp-4")
    assert built(tmp_path, 3).ids == ("mp-2", "mp-4", "mp-11")
    # NiAl stands there twice: the second comes after NiTi.
    systems = {"".join(found) for found in built(tmp_path, 5).crystals.formulas()}
    assert {"Al1 Ni1", "Ni1 Ti1"} <= systems


def test_equal_crystals_in_any_order_give_equal_bytes(tmp_path: Path) -> None:
    forwards = table(tmp_path, list(CRYSTALS))
    first = build_starter(read_dataset(forwards), StarterPlan(size=4), COMMAND, FACTORS)
    again = build_starter(read_dataset(forwards), StarterPlan(size=4), COMMAND, FACTORS)
    assert first.to_bytes() == again.to_bytes()
    backwards = table(tmp_path, list(reversed(CRYSTALS)), "backwards.csv")
    other = build_starter(read_dataset(backwards), StarterPlan(size=4), COMMAND, FACTORS)
    assert other.content_hash == first.content_hash


def test_the_command_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gen2dft.datasets.ricci.transport_table", lambda: FACTORS)
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path / "home"))
    source, out = table(tmp_path, list(CRYSTALS)), tmp_path / "mine.npz"
    arguments = ["build", "starter", "--source", str(source), "--size", "3"]
    CliRunner().invoke(
        data.app, [*arguments, "--out", str(out), "--dry-run"], catch_exceptions=False
    )
    assert not out.exists()
    CliRunner().invoke(data.app, [*arguments, "--out", str(out)], catch_exceptions=False)
    found = Dataset.load(out)
    assert found.ids == ("mp-2", "mp-4", "mp-11")
    assert found.provenance["command"] == ("gen2dft data build starter --source table.csv --size 3")


def test_bad_input_is_refused(tmp_path: Path) -> None:
    source = read_dataset(table(tmp_path, ["mp-2", "mp-4"]))
    with pytest.raises(DatasetError, match=r"no crystal among 2 is a binary .* 1 sites"):
        build_starter(source, StarterPlan(max_sites=1), COMMAND, FACTORS)
    with pytest.raises(DatasetError, match=r"none of the 2 ids .* is in the table ricci2017"):
        build_starter(source, StarterPlan(), COMMAND, FACTORS.iloc[2:])
    bare = pd.read_csv(tmp_path / "table.csv").drop(columns="band_gap")
    bare.to_csv(tmp_path / "bare.csv", index=False)
    with pytest.raises(DatasetError, match=r"has no band_gap.*--column band_gap=NAME"):
        build_starter(read_dataset(tmp_path / "bare.csv"), StarterPlan(), COMMAND, FACTORS)
    with pytest.raises(DatasetError, match=r"starter is built of a table: .* --source TABLE.csv"):
        CliRunner().invoke(data.app, ["build", "starter"], catch_exceptions=False)
