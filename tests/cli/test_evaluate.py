"""Every table once with the quick generator and engine, and the FTCP generator on a handful of
crystals.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from example_crystals import example_dataset
from typer.testing import CliRunner

from gen2dft.cli.app import app
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.evaluation.rediscovery import closest_errors
from gen2dft.evaluation.run import TABLES
from gen2dft.generators.snapshot import from_bytes
from tests.toys import ANIONS, CATIONS, formation_energy, rock_salt

TOY = (
    *(
        "--set",
        "generator.name=toy",
        "--epochs",
        "2",
        "--draws",
        "50",
        "--scale",
        "1.0",
        "--points",
        "2",
    ),
    *(
        "--set",
        "screening.surrogate={engine: toy, preset: toy-v1, max_e_above_hull: 0.5, "
        "min_e_above_hull: -9}",
    ),
)

# Drawing the prototypes of AFLOW takes seconds.
WAYS = ("--ways", "toy", "--ways", "substitution", "--ways", "both")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    structures = [rock_salt(c, a, 5.5) for c in CATIONS for a in ANIONS][:40]
    energies = np.array([formation_energy(s.composition) for s in structures])
    factor = np.where(np.arange(40) % 4 == 0, np.nan, np.arange(40.0))
    labels = {"formation_energy": energies, "power_factor": factor}
    Dataset(
        CrystalTable.from_structures(structures), tuple(f"t-{i}" for i in range(40)), labels
    ).save("toy.npz")
    example_dataset().save("example.npz")
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)], catch_exceptions=False)


def split_file(folder, train, test):
    path = folder / "split.json"
    path.write_text(
        json.dumps({"train": [f"t-{i}" for i in train], "test": [f"t-{i}" for i in test]})
    )
    return path


def test_all_tables_are_made_saved_and_printed(toy_plugins, folder):
    split = split_file(folder, range(30), range(30, 40))
    result = call(
        "--dataset", "toy.npz", "--split", split, *TOY, "--relaxations", 3, *WAYS, "--out", "out"
    )
    assert result.exit_code == 0, result.output
    document = json.loads((folder / "out" / "evaluation.json").read_text())
    assert set(document["tables"]) == set(TABLES)
    assert document["split"] == {"origin": "split file split.json", "train": 30, "test": 10}
    rows = {
        name: {r["name"]: r["figures"] for r in t["rows"]} for name, t in document["tables"].items()
    }
    assert rows["reconstruction"]["gen2dft, reads both"]["matched"] == 1.0
    assert rows["prediction"]["gen2dft, reads both"]["formation_energy"] == pytest.approx(
        0.0, abs=1e-6
    )
    assert rows["rediscovery"]["gen2dft, random"]["rediscovered"] >= 0.0
    drawn = rows["sun"]["toy"]
    assert drawn["draws"] == 50 and drawn["valid"] > 0
    assert drawn["new"] == drawn["sun_100"] == 0  # the hull of the Materials Project has them all
    assert set(rows["sun"]) > {"substitution", "both", "WyCryst (Kazeev)"}
    assert rows["semi-supervised"]["gen2dft, labelled crystals alone"]["num_train"] == 22
    assert rows["prediction"]["Ren et al., paper"]["band_gap"] == 0.231
    page = (folder / "out" / "evaluation.md").read_text()
    assert page.count("\n## ") == 5 and "arXiv:2512.04562" in page
    assert "Reconstruction" in result.output and "100.0%" in result.output


def test_json_and_references(toy_plugins, folder):
    theirs = {"name": "port", "tables": {"prediction": [{"figures": {"formation_energy": 0.152}}]}}
    (folder / "port.json").write_text(json.dumps(theirs))
    result = call(
        "--dataset", "toy.npz", *TOY, "--table", "prediction", "--json", "--reference", "port.json"
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["tables"]["prediction"]["rows"][-1]["figures"] == {"formation_energy": 0.152}
    assert (folder / "evaluation" / "evaluation.json").is_file()


def test_the_ftcp_generator_is_trained_kept_and_measured(folder):
    small = (
        "--set",
        "generator.latent_dim=4",
        "--epochs",
        1,
        "--max-crystals",
        40,
        "--snapshot-dir",
        "kept",
    )
    arguments = (
        "--dataset",
        "example.npz",
        "--variant",
        "published",
        *small,
        "--table",
        "reconstruction",
    )
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["tables"]["reconstruction"]["rows"]
    assert [row["name"] for row in rows] == [
        "published, reads both",
        "published, reads real",
        "Ren et al., paper",
    ]
    assert all(np.isfinite(row["figures"]["length_pmae"]) for row in rows)
    kept = sorted((folder / "kept").glob("*.snapshot"))
    assert len(kept) == 2
    generator, test = (
        from_bytes(kept[0].read_bytes()),
        example_dataset().crystals.select([0, 60, 120]),
    )
    errors, rmsds = closest_errors(
        generator, example_dataset().crystals, test, {0: [0], 1: [61, 60], 2: [120]}
    )
    assert (
        errors.sites_right.all() and errors.length.max() < 1e-4 and errors.coordinate.max() < 1e-6
    )
    assert rmsds == pytest.approx([0, 0, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--table", "suns"),
            r"table 'suns' is not one of .*Did you mean 'sun'\?",
        ),
        (("--dataset", "none.csv"), r"none.csv does not exist"),
        (("--split", "none.json"), r"split file none.json cannot be read"),
        (("--variant", "publishd"), r"generator.variant"),
        (
            ("--campaign", "photovoltaic", "-f", "mine.yaml"),
            r"give --campaign or -f FILE.yaml, not both",
        ),
        (
            ("--set", "screening.surrogate.engine=toys", "--table", "sun"),
            r"engine 'toys' is not one of",
        ),
        (("--table", "sun", "--ways", "substitutoin"), r"way 'substitutoin' is not one of"),
        (
            ("--table", "semi-supervised", "--dataset", "example.npz"),
            r"needs at least 3 crystals labelled",
        ),
    ],
)
def test_bad_input_is_refused_in_one_message(arguments, message):
    source = () if "--dataset" in arguments else ("--dataset", "toy.npz")
    result = call(*source, *arguments)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert re.search(message, re.sub(r"\s+", " ", result.output))


def test_unknown_ids_and_an_empty_test_set_are_refused(folder):
    result = call("--dataset", "toy.npz", "--split", split_file(folder, range(30), [99]))
    assert result.exit_code == 1 and "1 ids are not in the dataset, e.g. t-99" in result.output
    result = call("--dataset", "toy.npz", "--split", split_file(folder, range(30), []))
    assert result.exit_code == 1 and "no crystal to test on" in result.output
