"""`--structures`: crystals of one's own in the place of a generator, on the command line."""

import csv
import io
import json

import pytest
from own_folder import disordered, write_salts
from rich.console import Console
from typer.testing import CliRunner

from gen2dft.cli import campaigns, candidates, results, status
from gen2dft.cli.app import app
from gen2dft.store.connect import open_store
from gen2dft.store.documents import SnapshotDoc
from tests import toys


@pytest.fixture
def call(monkeypatch, settings, tmp_path, toy_plugins):
    """Runs a verb with a toy campaign and a folder of crystals, on the embedded database."""
    from fireworks import FWorker
    from fireworks.core.rocket_launcher import rapidfire
    from gen2dft.launchpad.connect import configure_jobflow, connect_launchpad

    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    configure_jobflow(settings)
    for module in (campaigns, candidates, results, status):
        monkeypatch.setattr(module, "console", Console(width=250))
    toys.toy_dataset().save(tmp_path / "toy.npz")
    file = tmp_path / "toy.yaml"
    file.write_text(json.dumps({**toys.TOY_CAMPAIGN, "dataset": {"min_labels": 5}}))
    folder = write_salts(tmp_path / "salts")

    def work(_settings, key, _workers, tick, _write):
        rapidfire(
            connect_launchpad(settings), FWorker("test"), m_dir=str(tmp_path), max_loops=1,
            sleep_time=0.01, strm_lvl="CRITICAL",
        )  # fmt: skip

    monkeypatch.setattr("gen2dft.launchpad.work.run_workers", work)

    def run(verb, *options, structures=folder):
        given = ["--structures", str(structures)] if structures else []
        source = ["-f", str(file), "--dataset", str(tmp_path / "toy.npz")]
        return CliRunner().invoke(app, [verb, *source, *given, *options])

    run.folder = folder
    return run


def verb(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_a_dry_run_reads_the_files_and_writes_nothing(call, settings):
    result = call("submit", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "3 crystals of your own; no generator is used" in result.output
    assert "nothing was written" in result.output
    store = open_store(settings)
    assert (store.campaigns(), store.ids(SnapshotDoc)) == ([], [])


def test_run_ends_with_the_values_of_every_file(call):
    result = call("run")
    assert result.exit_code == 0, result.output
    assert "3 candidates of toy-" in result.stdout
    table = result.stdout.partition("candidates of toy-")[2]
    for name in ("SrO.cif", "more/BaS.cif", "more/NaF.cif"):
        (line,) = [line for line in table.splitlines() if line.startswith(name)]
        assert "toy (surrogate)" in line
        assert "labelled" in line or "hit" in line
    hits = [row["file"] for row in csv.DictReader(io.StringIO(verb("hits", "--csv").stdout))]
    assert set(hits) == {row["file"] for row in json.loads(verb("hits", "--json").stdout)} != set()
    assert all(name in verb("hits").stdout for name in hits)
    (identifier,) = [
        row["candidate_id"]
        for row in json.loads(verb("candidates", "--json").stdout)
        if row["file"] == "SrO.cif"
    ]
    for name in ("show", "trace"):
        assert "SrO.cif" in verb(name, identifier).stdout
    rows = list(csv.DictReader(io.StringIO(verb("candidates", "--csv").stdout)))
    assert [row["file"] for row in rows] == ["SrO.cif", "more/BaS.cif", "more/NaF.cif"]
    states = [verb("status", "toy", "-s", state).stdout for state in ("labelled", "hit")]
    assert "SrO.cif" in "".join(states)


def test_the_same_folder_again_adds_nothing(call):
    first = call("submit")
    assert "submitted" in first.output
    assert "is already there; nothing was added" in call("submit").output
    write_salts(call.folder, {"new.cif": ("Ca", "O")})
    assert "is already there" not in call("submit").output


def test_broken_files_are_named_and_may_be_left_out(call):
    disordered().to(filename=str(call.folder / "mixed.cif"))
    refused = call("submit", "--dry-run")
    assert refused.exit_code == 1
    assert "1 of 4 crystals cannot be used:\n  mixed.cif: sites are shared" in refused.stderr
    assert "To go on without them: --skip-broken" in refused.stderr
    result = call("submit", "--dry-run", "--skip-broken")
    assert result.exit_code == 0
    assert "left out mixed.cif: sites are shared" in result.output


def test_a_crystal_given_twice_is_named(call):
    write_salts(call.folder, {"zzz.cif": ("Sr", "O")})
    result = call("submit", "--dry-run")
    assert "3 crystals of your own" in result.output
    assert "zzz.cif is the same crystal as SrO.cif" in result.output


def test_an_empty_folder_says_what_was_looked_for(call, tmp_path):
    (tmp_path / "empty").mkdir()
    result = call("submit", structures=tmp_path / "empty")
    assert result.exit_code == 1
    assert "nothing to read; looked for CIF files" in result.stderr


@pytest.mark.parametrize("option", ["--all", "--novelty", "--skip-broken"])
def test_options_without_a_folder_are_refused(call, option):
    result = call("submit", option, structures=None)
    assert result.exit_code == 1
    assert f"{option} is for crystals of your own: give --structures DIR" in result.stderr


def test_novelty_and_all_contradict_each_other(call):
    result = call("submit", "--all", "--novelty")
    assert result.exit_code == 1
    assert "--novelty rejects known crystals, and --all rejects none" in result.stderr


def test_what_is_rejected_shows_its_reason_and_the_way_out(call):
    limit = ("--set", "screening.surrogate.max_e_above_hull=-5")
    result = call("run", *limit)
    assert result.stdout.count("rejected:above_hull") == 3
    assert "what gates or screen rejected is computed all the same with --all" in result.output
    result = call("run", "--all", *limit)
    assert "rejected" not in result.stdout.partition("candidates of toy-")[2]
    assert "the screen found: above hull" in result.stdout


def test_a_campaign_with_a_generator_lists_those_that_were_validated(example, invoke, monkeypatch):
    monkeypatch.setattr(candidates, "console", Console(width=250))
    rows = json.loads(invoke("candidates", "--json").output)
    assert rows
    assert {row["state"].split(":")[0] for row in rows} <= {
        "queued", "running", "labelled", "hit", "given_up",
    }  # fmt: skip
    assert {row["file"] for row in rows} == {""}
    assert rows[0]["candidate_id"] in invoke("candidates").output
