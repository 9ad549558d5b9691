"""What `submit` and `run` find out about the engine before anything is written."""

import importlib.metadata
import json
from dataclasses import replace

import pytest
import stand_in_environment
import yaml
from example_campaign import CAMPAIGN_ID
from typer.testing import CliRunner

from gen2dft.cli import campaigns
from gen2dft.cli.app import app
from tests.toys import toy_dataset

REFERENCES = {"V": -1.8, "O": -0.1}
CAMPAIGN = {
    "name": "oxides",
    "targets": [{"property": "formation_energy", "near": -1.0, "tolerance": 0.3}],
    "dataset": {"min_labels": 5},
    "sampling": [{"method": "random", "num_points": 10}],
    "screening": {"allowed_elements": ["V", "O"]},
    "validation": {"engine": "vasp", "preset": "ggau-v1", "references": REFERENCES},
}


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Runs a verb with a campaign file that differs from CAMPAIGN in some keys of `validation`."""
    folder = tmp_path / "data"
    toy_dataset().save(folder / "toy.npz")
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(folder))
    monkeypatch.setattr(campaigns.console, "width", 400)
    stand_in_environment.install(monkeypatch, tmp_path)

    def run(verb, *options, **validation):
        file = tmp_path / "oxides.yaml"
        file.write_text(
            json.dumps({**CAMPAIGN, "validation": {**CAMPAIGN["validation"], **validation}})
        )
        return CliRunner().invoke(
            app, [verb, "-f", str(file), "--dataset", str(folder / "toy.npz"), *options]
        )

    return run


def test_a_dry_run_checks_the_engine_and_writes_nothing(call):
    result = call("submit", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "nothing was written" in result.output


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ({"preset": "ggau"}, "preset of engine 'vasp' 'ggau' is not one of"),
        (
            {"references": {}},
            "the targets ask for energies, but engine 'vasp' has no elemental reference energies",
        ),
        ({"references": {"V": -1.8}}, "validation.references has no energy of O"),
    ],
)
def test_what_cannot_work_is_refused(call, validation, message):
    result = call("submit", "--dry-run", **validation)
    assert result.exit_code == 1
    assert message in result.stderr


def test_elements_that_a_preset_is_not_for_are_refused(call):
    result = call("submit", "--dry-run", "--set", "screening.allowed_elements=[]")
    assert result.exit_code == 1
    assert "validation.references has no energy of" in result.stderr
    result = call(
        "submit",
        "--dry-run",
        "--set",
        "screening.allowed_elements=[V, O, Cs]",
        references={**REFERENCES, "Cs": 0},
    )
    assert "preset ggau-v1 of engine 'vasp' has no pseudopotential and U for Cs" in result.stderr


def test_a_missing_command_stops_the_work_here_but_not_a_submission(call, monkeypatch):
    import atomate2

    monkeypatch.setattr(atomate2.SETTINGS, "VASP_CMD", "no_such_vasp")
    submitted, worked = call("submit", "--dry-run"), call("run")
    assert submitted.exit_code == 0
    assert worked.exit_code == 1
    for text in (submitted.output, worked.stderr):
        assert "VASP's command `no_such_vasp` is not found on" in text


def test_without_gpaw_its_campaign_stops_at_once_and_names_the_remedy(monkeypatch, tmp_path):
    def version(package):
        if package == "gpaw":
            raise importlib.metadata.PackageNotFoundError(package)
        return found(package)

    found = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(campaigns.console, "width", 400)
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path / "data"))
    chosen = ["--campaign", "thermoelectric-gpaw"]
    worked = CliRunner().invoke(app, ["run", *chosen])
    assert worked.exit_code == 1
    assert worked.stderr == "error: engine 'gpaw' needs the package gpaw: make gpaw\n"
    assert not (tmp_path / "data").exists()  # no database was started
    # Those that compute may have it.
    submitted = CliRunner().invoke(app, ["submit", "--dry-run", *chosen])
    assert submitted.exit_code == 0
    assert "engine 'gpaw' needs the package gpaw: make gpaw" in submitted.output


def test_missing_pseudopotentials_are_found_at_submission(call, monkeypatch, tmp_path):
    monkeypatch.setenv("PMG_VASP_PSP_DIR", str(tmp_path))
    result = call("submit", "--dry-run")
    assert result.exit_code == 1
    assert "POT_GGA_PAW_PBE is not a folder" in result.stderr


def resolved(output):
    """The resolved campaign that a dry run shows."""
    text = output[output.index("name: oxides") : output.index("training set")]
    return yaml.safe_load(text)


def test_an_engine_is_all_that_a_user_types(call):
    refine = {"preset": "ggau-refine-v1", "max_e_above_hull": 0.1, "references": REFERENCES}
    result = call("submit", "--dry-run", "--engine", "gpaw", refine=refine)
    assert result.exit_code == 0, result.output
    spec = resolved(result.output)
    validation = spec["validation"]
    assert (validation["engine"], validation["preset"]) == ("gpaw", "gpaw-quick-v2")
    assert (validation["refine"], validation["references"]) == (None, {})
    assert [target["by"] for target in spec["targets"]] == ["screen"]
    assert spec["learning"]["quorum"] == 0.8
    said = "formation_energy by: screen (mlip chgnet-screen-v1): energies of engine gpaw have no"
    assert result.output.count(said) == 1


def test_the_engine_of_the_file_keeps_its_preset_and_references(call):
    result = call("submit", "--dry-run", "--engine", "vasp")
    spec = resolved(result.output)
    assert spec["validation"]["preset"] == "ggau-v1"
    assert spec["validation"]["references"] == REFERENCES
    assert "by: screen" not in result.output


def test_a_key_that_is_set_overrules_the_engine(call):
    result = call("submit", "--dry-run", "--engine", "gpaw", "--set", "validation.preset=gpaw-v1")
    assert resolved(result.output)["validation"]["preset"] == "gpaw-v1"


def test_a_refusal_names_the_command_that_works(call):
    preset = {"engine": "gpaw", "preset": "ggau-v1"}
    refused = call("submit", "--dry-run", **preset, references={})
    assert "as by --engine gpaw, takes gpaw-quick-v2" in refused.stderr
    quick = {"engine": "gpaw", "preset": "gpaw-quick-v1"}
    refused = call("submit", "--dry-run", **quick, references={})
    assert "as `--engine gpaw` does by itself (targets: by: screen)" in refused.stderr


def test_improbable_labels_are_accepted_by_name(call, tmp_path):
    dataset, name = toy_dataset(), "formation_energy.range"
    energies = dataset.label("formation_energy")
    energies[-1] = 7.0
    labels = {**dataset.labels, "formation_energy": energies}
    replace(dataset, labels=labels).save(tmp_path / "data" / "toy.npz")
    refused = call("submit", "--dry-run")
    assert refused.exit_code == 1
    assert f"--accept {name}" in refused.stderr
    accepted = call("submit", "--dry-run", "--accept", name)
    assert accepted.exit_code == 0, accepted.output
    assert f"- {name}" in accepted.output


def test_a_campaign_with_a_bad_document_does_not_stop_the_others(example, invoke, monkeypatch):
    """`advance` carries on what it can, says where the other one stops, and fails."""
    bad = example.campaign(CAMPAIGN_ID).to_mongo() | {"state": "running"}
    good = bad | {"_id": "other-1"}
    example.database.campaigns.replace_one({"_id": CAMPAIGN_ID}, bad)
    example.database.campaigns.insert_one(good)
    key = example.database.labels.find_one({"campaign_id": CAMPAIGN_ID})["_id"]
    example.database.labels.update_one({"_id": key}, {"$set": {"core_hours": "1"}})
    stands_for = {
        "launchpad.connect.connect_launchpad": lambda _: None,
        "launchpad.lost.recover_lost_runs": lambda *_, **__: [],
        "launchpad.repair.crashed_steps": lambda *_: [],
        "launchpad.repair.repair": lambda store, _, name, **__: [f"{len(store.labels(name))} read"],
    }
    for name, stand_in in stands_for.items():
        monkeypatch.setattr(f"gen2dft.{name}", stand_in)
    monkeypatch.setattr(campaigns.console, "width", 400)
    result = invoke("advance")
    assert result.exit_code == 1
    assert "other-1: 0 read" in result.output
    assert f"{CAMPAIGN_ID}: stops: document {key!r} of collection 'labels'" in result.output
