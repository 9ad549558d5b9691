import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from gen2dft.cli import app as cli
from gen2dft.cli import data
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, PluginMissing
from tests.toys import toy_dataset

TABLE = pd.DataFrame({"mp_id": ["mp-1"], "pretty_formula": ["NaCl"], "PF_p": [2.0]})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data.console, "width", 200)  # no tables cut off
    monkeypatch.setattr("gen2dft.datasets.ricci.transport_table", lambda: TABLE)
    return tmp_path


def call(*arguments, answer=None):
    return CliRunner().invoke(data.app, list(arguments), input=answer, catch_exceptions=False)


def table(folder):
    cif = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]).to(fmt="cif")
    path = folder / "mine.csv"
    pd.DataFrame({"material_id": ["mp-1"], "cif": [cif], "gap_pbe": [5.0]}).to_csv(
        path, index=False
    )
    return str(path)


def test_list_shows_builtin_and_imported_datasets(folder):
    toy_dataset().save(folder / "home" / "datasets" / "toy.npz")
    names = [row["name"] for row in json.loads(call("list", "--json").stdout)]
    assert names[:4] == ["starter", "prototypes", "vanadium-oxides", "materials-project"]
    assert names[4] == "toy"
    assert "materials-project" in call("list").stdout


def test_import_under_a_name_and_show_it(folder):
    result = call(
        "import", table(folder), "--out", "salts", "--column", "band_gap=gap_pbe", "--ricci"
    )
    assert "1 crystals, 1 formulas (1 of 2 elements)" in result.stdout
    kept = Dataset.load(folder / "home" / "datasets" / "salts.npz")
    assert kept.label("band_gap").tolist() == [5.0]
    assert kept.label("power_factor").tolist() == pytest.approx([0.2])
    summary = json.loads(call("info", "salts", "--json").stdout)
    assert summary["elements"] == ["Na", "Cl"]
    assert summary["labels"]["band_gap"] == {"count": 1, "min": 5.0, "median": 5.0, "max": 5.0}


def test_import_asks_before_it_overwrites(folder):
    target = folder / "kept.npz"
    target.write_text("precious")
    assert call("import", table(folder), "-o", str(target), answer="n\n").exit_code == 1
    assert target.read_text() == "precious"
    assert call("import", table(folder), "-o", str(target), "--yes").exit_code == 0
    assert len(Dataset.load(target)) == 1


def test_dry_run_writes_nothing(folder):
    assert "Nothing was written" in call("import", table(folder), "--dry-run").stdout
    assert not (folder / "home" / "datasets").exists()


def test_info_shows_labels_with_units_and_provenance(folder):
    toy_dataset().save(folder / "toy.npz")
    text = call("info", "toy.npz").stdout
    assert "formation_energy" in text
    assert "eV/atom" in text


def test_malformed_column_is_explained(folder):
    with pytest.raises(DatasetError, match="--column gap: expected PROPERTY=COLUMN"):
        call("import", table(folder), "--column", "gap")


def test_only_sets_that_ship_can_be_built():
    with pytest.raises(DatasetError, match=r"'startr' is not one of .* Did you mean 'starter'"):
        call("build", "startr")


def test_label_works_on_the_cheapest_and_says_what_became_of_them(folder, monkeypatch):
    from gen2dft.shipped import label_build
    from tests.datasets.test_computed_labels import SETTINGS, labels, record

    dataset = toy_dataset()
    dataset.save(folder / "toy.npz")
    chosen = [label_build.LabelTask(name, "", None) for name in dataset.ids]
    calls = []

    def label(tasks, settings, out, workers, cpu_limit, progress):
        calls.append(([task.id for task in tasks], str(out), workers, cpu_limit))
        return labels(
            record(dataset, 0, band_gap=0.0, reason="metal"), record(dataset, 1, band_gap=1.0)
        )

    monkeypatch.setattr(label_build, "tasks", lambda *_: chosen)
    monkeypatch.setattr(label_build, "label_settings", lambda *_: SETTINGS)
    monkeypatch.setattr(label_build, "label_crystals", label)
    assert (
        "2 crystals, from toy-NaCl to toy-KBr"
        in call("label", "toy.npz", "--size", "2", "--dry-run").stdout
    )
    assert not calls
    result = call("label", "toy.npz", "--size", "2", "--out", "mine.jsonl", "--cpu-limit", "60")
    assert calls == [(["toy-NaCl", "toy-KBr"], "mine.jsonl", 1, 60.0)]
    assert "mine.jsonl: 1 labelled, 1 metal" in result.stdout


def test_label_refuses_a_program_that_is_missing(folder, monkeypatch):
    from gen2dft.shipped import label_build

    toy_dataset().save(folder / "toy.npz")
    monkeypatch.setattr(label_build, "tasks", lambda *_: [label_build.LabelTask("a", "", None)])
    monkeypatch.setitem(sys.modules, "BoltzTraP2", None)
    with pytest.raises(PluginMissing, match=r"program 'boltztrap2' needs .*make transport"):
        call("label", "toy.npz", "--program", "boltztrap2", "--dry-run")


def test_build_finishes_what_the_checkpoint_holds(folder, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "gen2dft.shipped.prototypes_build.ordered_formulas", lambda known, plan: list(known)
    )
    monkeypatch.setattr(
        "gen2dft.shipped.prototypes_build.build_checkpoint", lambda *args: calls.append(args) or []
    )
    monkeypatch.setattr(
        "gen2dft.shipped.prototypes_finish.finish", lambda records, plan, command: toy_dataset()
    )
    assert (
        "1 formulas; 7 crystals wanted"
        in call("build", "prototypes", "--size", "7", "--dry-run").stdout
    )
    assert not calls
    call("build", "prototypes", "--size", "7", "--seed", "3", "--out", "new.npz")
    ((formulas, plan, size, journal, workers, _),) = calls
    assert (formulas, plan.seed, size, str(journal), workers) == (
        ["NaCl"],
        3,
        7,
        "new.checkpoint.jsonl",
        1,
    )
    assert len(Dataset.load(folder / "new.npz")) == len(toy_dataset())


def test_tensors_are_made_of_kept_bands(tmp_path, monkeypatch):
    from gen2dft.datasets.computed_labels import to_line
    from gen2dft.datasets.label_tensors import LabelTensors, read_tensors
    from gen2dft.shipped.tensor_build import Built
    from tests.datasets.test_computed_labels import SETTINGS, record

    dataset = toy_dataset()
    path = tmp_path / "labels.jsonl"
    known = record(dataset, 0, band_gap=1.0, power_factor={"ftcp": 2.0})
    path.write_text(to_line(SETTINGS) + to_line(known))
    shape = (1, 2, 6, 1, 2)
    made = LabelTensors(
        (known.id,), (known.crystal,), np.array([600.0]), np.array([1e18, 1e19]),
        np.ones(shape, np.float32), np.ones(shape, np.float32),
    )  # fmt: skip
    folders = []

    def build(labels, bands, workers, progress):
        folders.append(bands)
        return Built(made, {"toy-KBr": "no_bands: none"}, {known.id: 0.004})

    monkeypatch.setattr("gen2dft.shipped.tensor_build.build_tensors", build)
    monkeypatch.setattr("gen2dft.cli.label_tensors.console.width", 200)
    result = call("tensors", str(path))
    assert folders == [tmp_path / "labels.bands"]
    assert "tensors of 1 crystals" in result.output
    assert "within 0.4 %" in result.output
    assert "toy-KBr: left out: no_bands: none" in result.output
    assert read_tensors(tmp_path / "labels.npz").ids == (known.id,)
    assert call("tensors", str(path), answer="n\n").exit_code == 1  # it exists
    call("tensors", str(path), "--bands", "b", "--out", "t.npz")
    assert folders[1:] == [Path("b")]
    assert Path("t.npz").is_file()


def salts_table(folder, labels=(-1.0, -1.0, -1.0), name="salts.csv"):
    rows = []
    for place, energy in enumerate(labels):
        cell = Lattice.cubic(4 + place)
        cif = Structure(cell, ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]).to(fmt="cif")
        rows.append({"id": f"000{place}", "cif": cif, "formation_energy": energy, "colour": 1})
    pd.DataFrame(rows).to_csv(folder / name, index=False)
    return str(folder / name)


def test_improbable_labels_are_accepted_once_by_name(folder):
    table = salts_table(folder)
    with pytest.raises(DatasetError, match=r"--accept formation_energy\.no_spread"):
        call("info", table)
    accept = ("--accept", "formation_energy.no_spread")
    assert "3 crystals" in call("info", table, *accept).stdout
    call("import", table, "-o", "salts", *accept)
    summary = json.loads(call("info", "salts", "--json").stdout)
    assert summary["provenance"]["accepted"] == ["formation_energy.no_spread"]
    assert summary["labels"]["formation_energy"]["count"] == 3


def test_impossible_labels_cannot_be_accepted(folder):
    table = salts_table(folder, (-2100.0, -3000.0, -1000.0))
    with pytest.raises(DatasetError, match="in meV/atom they could be right"):
        call("import", table, "--accept", "formation_energy.range")
    with pytest.raises(DatasetError, match="--accept: accepted finding 'foo' is not one of"):
        call("info", table, "--accept", "foo")


def test_info_and_dry_run_say_what_is_not_used_also_from_the_cache(folder):
    crystals = folder / "set"
    crystals.mkdir()
    for name in ("0998", "1000"):
        text = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]).to(fmt="cif")
        (crystals / f"{name}.cif").write_text(text)
    (crystals / "broken.cif").write_text("data_x")
    (crystals / "labels.csv").write_text("id,band_gap\n998,5\n1000,5\n")
    for command in (("info",), ("import", "--dry-run"), ("info",)):
        output = call(*command, str(crystals)).output
        assert "1 crystals left out: broken: unreadable" in output
        assert "1 rows have no .cif file: 998; near misses: 998 beside 0998" in output
        assert "1 crystals without band_gap: 0998" in output
        assert "DatasetWarning" not in output
    summary = json.loads(call("info", str(crystals), "--json").stdout.splitlines()[-1])
    assert len(summary["remarks"]) == 3


def test_names_with_markup_are_printed_as_they_are(folder):
    table = salts_table(folder, (-1.0, -2.0, -1.5), "[bold].csv")
    assert "[bold].csv" in call("info", table).stdout
    with pytest.raises(DatasetError, match="does not exist"):
        call("info", "[/]")


def test_sources_that_can_be_no_file_are_named(folder):
    with pytest.raises(DatasetError, match="no usable path"):
        call("info", "x" * 5000)


def test_labels_without_gpaw_are_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gen2dft.engines.gpaw.presets.PACKAGES", ("no-such-gpaw",))
    result = CliRunner().invoke(cli.app, ["data", "label", "/nowhere"])
    assert result.exit_code == 1
    assert "engine 'gpaw' needs the package no-such-gpaw: make gpaw" in result.stderr


@pytest.mark.parametrize("verb", ["info", "import"])
@pytest.mark.parametrize("source", ["", "a\x00b", "a\x1b[31m"])
def test_a_name_that_no_source_can_have(verb: str, source: str):
    result = CliRunner().invoke(cli.app, ["data", verb, source])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: source: ")
    assert len(result.stderr.splitlines()) == 1


def test_json_stands_alone_on_standard_output_where_crystals_were_left_out(folder):
    path = Path(table(folder))
    path.write_text(path.read_text() + "mp-2,no crystal,1.0\n")
    result = call("info", str(path), "--json")
    assert "1 crystals left out: mp-2" in result.stderr
    assert json.loads(result.stdout)["crystals"] == 1
    assert result.stdout.startswith("{")


def own_table(folder):
    cif = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]).to(fmt="cif")
    columns = {"id": ["a"], "cif": [cif], "Estab": [50.0], "Eg_HSE": [5.0], "S_300K": [120.0]}
    pd.DataFrame(columns).to_csv(folder / "own.csv", index=False)
    return str(folder / "own.csv")


def test_import_proposes_options_for_columns_that_are_not_read(folder):
    output = call("import", own_table(folder), "--dry-run").stdout
    assert "Eg_HSE looks like band_gap: --column band_gap=Eg_HSE" in output
    assert "S_300K can be a property of your own: --column s_300k=S_300K:UNIT" in output


def test_import_converts_units_and_defines_properties(folder):
    options = ("--column", "e_above_hull=Estab:meV/atom", "--column", "seebeck=S_300K:uV/K")
    output = call("import", own_table(folder), *options).stdout
    assert 'properties: {seebeck: {unit: "uV/K"}}' in output
    assert "Use it: --dataset own" in output
    kept = Dataset.load(folder / "home" / "datasets" / "own.npz")
    assert kept.label("e_above_hull").tolist() == pytest.approx([0.05])
    assert kept.label("seebeck").tolist() == [120]
    assert kept.properties["seebeck"].unit == "uV/K"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("e_above_hull=Estab:furlong", "units taken: eV/atom, meV/atom"),
        ("gap=Eg_HSE:eV", "this property is called band_gap here"),
        ("seebeck=S_300K:UNIT", "put its unit in the place of UNIT"),
        ("seebeck=S_300K", "'seebeck' is not one of"),
        ("round=S_300K:K", "'round' cannot name a property"),
    ],
)
def test_columns_that_cannot_be_are_refused(folder, column, message):
    with pytest.raises(DatasetError, match=message):
        call("import", own_table(folder), "--dry-run", "--column", column)


def test_the_name_of_a_set_that_ships_is_taken(folder):
    with pytest.raises(DatasetError, match="starter is the name of a dataset that ships"):
        call("import", table(folder), "--out", "starter")


def test_an_imported_set_is_a_source_by_its_name(folder):
    from gen2dft.campaign import DatasetSpec
    from gen2dft.datasets.sources import read_source

    call("import", table(folder), "--out", "salts", "--column", "band_gap=gap_pbe")
    assert read_source(DatasetSpec(source="salts")).ids == ("mp-1",)
    with pytest.raises(DatasetError, match="Did you mean 'salts'"):
        read_source(DatasetSpec(source="sallts"))
