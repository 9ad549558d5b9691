"""Broken configuration files of other packages are named before these stumble over them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from gen2dft.launchpad import foreign
from gen2dft.launchpad.foreign import FILES, check_foreign_files
from typer.testing import CliRunner

from gen2dft.cli import app as cli
from gen2dft.errors import SettingsError

VARIABLES = sorted({file.variable for file in FILES})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of the real home folder is looked at."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def test_without_files_all_is_well():
    check_foreign_files()


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", r"is not UTF-8 text; save the file as UTF-8; mend the file, or name"),
        (b"a: [1", r"is not valid YAML \(line 1\)"),
        (b"- 1", "holds no lines of the form `KEY: value`"),
        (b"a: 1\na: 2", "key 'a' is there twice"),
        (None, "it is a folder; mend the file"),
    ],
)
def test_a_broken_file_is_named_with_the_remedy(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, content: bytes | None, message: str
):
    path = home / "broken.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(SettingsError, match=message) as refused:
        check_foreign_files()
    assert str(path) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_that_names_nothing_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, variable: str
):
    monkeypatch.setenv(variable, "/nowhere/x.yaml")
    with pytest.raises(SettingsError, match=f"{variable} names /nowhere/x.yaml, which does not"):
        check_foreign_files()


def test_files_of_the_home_folder_count(home: Path):
    (home / ".atomate2.yaml").write_text("5")
    with pytest.raises(
        SettingsError, match=r"the configuration file of atomate2, at .*\.atomate2\.yaml"
    ):
        check_foreign_files()


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("JOBFLOW_CONFIG_FILE", "JOB_STORE: {docs_store: {type: Nope}}", "jobflow cannot use its"),
        ("JOBFLOW_CONFIG_FILE", "JOB_STORE: 5", "jobflow cannot use its file"),
        ("FW_CONFIG_FILE", "NOPE: 5", "FireWorks cannot use its file .* unknown parameter: NOPE"),
        ("FW_CONFIG_FILE", "ADD_USER_PACKAGES: 5", "FireWorks cannot use its file"),
    ],
)
def test_what_the_package_itself_refuses_is_told(
    home: Path, variable: str, text: str, message: str
):
    # In a process of its own, for both read their files once, when they are imported.
    path = home / "own.yaml"
    path.write_text(text)
    code = "from gen2dft.launchpad.foreign import check_foreign_files as f; f()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HOME": str(home), variable: str(path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "SettingsError" in last
    assert re.search(message, last)


def test_verbs_stop_and_doctor_and_init_do_not(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(foreign, "FILES", (foreign.ForeignFile("x", "X_FILE", "~/x.yaml"),))
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(home))
    (home / "x.yaml").write_text("- 1")
    run = CliRunner().invoke
    assert "error: the configuration file of x, at" in run(cli.app, ["data", "list"]).stderr
    assert run(cli.app, ["data", "list", "--help"]).exit_code == 0
    assert run(cli.app, ["init", "--dry-run"]).exit_code == 0
    told = run(cli.app, ["doctor"])
    assert told.exit_code == 1
    assert "fail packages" in told.output
