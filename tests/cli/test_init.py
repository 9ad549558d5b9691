from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gen2dft.cli.app import app
from gen2dft.settings import load_settings

URI = "mongodb://ann:hush@db.example.org:27017/"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration file, which is not there yet."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GEN2DFT_CONFIG_FILE")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "home" / ".gen2dft" / "config.yaml"


def init(*arguments: str, answer: str | None = None):
    return CliRunner().invoke(app, ["init", *arguments], input=answer)


def test_it_writes_what_is_read_again(file: Path):
    assert init("--database", URI, "--name", "crystals").exit_code == 0
    settings = load_settings()
    assert (settings.database.get_secret_value(), settings.database_name) == (URI, "crystals")
    assert settings.data_dir == file.parent
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_default_is_embedded(file: Path):
    init()
    assert load_settings().is_embedded


def test_local_is_for_this_project_only(file: Path):
    init("--local")
    assert Path(".gen2dft/config.yaml").is_file()
    assert not file.exists()
    assert load_settings().data_dir == Path(".gen2dft").resolve()


def test_a_dry_run_writes_nothing(file: Path):
    result = init("--dry-run", "--scheduler", "slurm", "--database", URI)
    assert f"would write  {file}" in result.output
    assert "my_qadapter.yaml" in result.output
    assert not file.parent.exists()


def test_again_it_changes_nothing(file: Path):
    init("--database", URI, "--scheduler", "pbs")
    before = {
        path: path.stat().st_mtime_ns
        for path in file.parent.rglob("*.yaml")
        if path.name != "jobflow.yaml"
    }
    result = init("--scheduler", "pbs")
    assert result.output.count("unchanged") == len(before) + 1  # and the queue's script
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_each_category_has_files_of_its_own(file: Path):
    init("--database", URI, "--scheduler", "sge", "--category", "gpu")
    result = init("--scheduler", "sge", "--category", "cpu", "--pack", "4")
    assert "qlaunch rapidfire" in result.output
    folders = [file.parent / f"fireworks-{category}" for category in ("gpu", "cpu")]
    assert [yaml.safe_load((f / "my_fworker.yaml").read_text())["category"] for f in folders] == [
        "gpu",
        "cpu",
    ]
    assert [yaml.safe_load((f / "my_qadapter.yaml").read_text())["ntasks"] for f in folders] == [
        1,
        4,
    ]


def test_a_category_that_is_no_name(file: Path):
    result = init("--database", URI, "--scheduler", "sge", "--category", "../gpu")
    assert result.exit_code == 1
    assert "--category '../gpu' names a folder too" in result.output


def test_what_is_not_asked_for_is_kept(file: Path):
    init("--database", URI)
    assert init("--name", "other", "--yes").exit_code == 0
    assert yaml.safe_load(file.read_text()) == {"database": URI, "database_name": "other"}


@pytest.mark.parametrize(
    ("answer", "name"), [("n\n", "gen2dft"), ("\n", "gen2dft"), ("y\n", "other")]
)
def test_it_asks_before_it_overwrites(file: Path, answer: str, name: str):
    init()
    result = init("--name", "other", answer=answer)
    assert "has other content. Overwrite it?" in result.output
    assert load_settings().database_name == name


def test_without_an_answer_nothing_is_overwritten(file: Path):
    init()
    assert init("--name", "other", answer="").exit_code == 1
    assert load_settings().database_name == "gen2dft"


def test_a_file_that_is_no_yaml_can_be_replaced(file: Path):
    file.parent.mkdir(parents=True)
    file.write_text("database: [")
    init("--yes")
    assert load_settings().is_embedded


@pytest.mark.parametrize("scheduler", ["slurm", "pbs", "sge"])
def test_the_files_of_a_queue(file: Path, scheduler: str):
    result = init("--scheduler", scheduler, "--database", URI)
    folder = file.parent / "fireworks"
    assert {
        "my_launchpad.yaml",
        "my_fworker.yaml",
        "my_qadapter.yaml",
        "FW_config.yaml",
        "logs",
    } <= {path.name for path in folder.iterdir()}
    assert (
        f"JOBFLOW_CONFIG_FILE={file.parent / 'jobflow.yaml'}"
        in (folder / "my_qadapter.yaml").read_text()
    )
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.glob("*.yaml"))
    assert f"export GEN2DFT_CONFIG_FILE={file}" in result.output.replace("\n", "")
    assert "hush" not in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scheduler", "slrum", "--database", URI], "Did you mean 'slurm'?"),
        (["--scheduler", "slurm"], "the embedded database serves this machine only"),
        (["--database", "localhost"], "database: must be `embedded` or a MongoDB URI"),
    ],
)
def test_bad_input(file: Path, arguments: list[str], message: str):
    result = init(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not file.exists()


def test_a_folder_that_cannot_be_written(file: Path):
    file.parent.parent.mkdir()
    file.parent.write_text("a file in the way")
    result = init()
    assert result.exit_code == 1
    assert f"cannot write {file}" in result.stderr
