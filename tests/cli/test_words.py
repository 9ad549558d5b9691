"""Words on the command line that went wrong once: each ends in one message, none in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gen2dft.cli import app as cli

CAMPAIGN = """
name: test
targets: [{property: band_gap, near: 1.5, tolerance: 0.2}]
sampling: [{method: local, num_points: 10}]
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(CAMPAIGN)
    return path


def told(*arguments: str) -> str:
    """The message that a command ends with."""
    result = CliRunner().invoke(cli.app, list(arguments))
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1, result.output
    lines = result.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert len(lines) <= 20
    assert all(len(line) < 1100 for line in lines)
    assert not {"{'", "<class"} & set(result.stderr.split())
    return result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--set '' is not of the form key=value"),
        ("=", "--set '=' is not of the form key=value"),
        ("=x", "is not of the form key=value"),
        ("a.=1", "'a.' is no key of a campaign file"),
        ("a..b=1", "'a..b' is no key of a campaign file"),
        ("a.b.c.d=", "a: unknown key"),
        ("name.b.c=1", "name.b.c: name is 'test', which has no keys of its own"),
        ("seed.x=1", "seed: Input should be a valid integer"),
        ("targets.9.min=1", "'9' is no place in a list of 1; they are counted from 0"),
        ("targets.²=1", "is no place in a list of 1"),
        ("targets.0.property.x=1", "targets.0.property is 'band_gap', which has no keys"),
        ("learning=5", "learning: must be keys with values (given: 5)"),
        ("learning.rounds=[1", "--set learning.rounds is not valid YAML (line 1)"),
        ("learning.rounds=" + "[" * 5000, "nested more than 40 levels deep"),
        ("seed=!!python/object/apply:os.system [id]", "is not read here: write plain values"),
        ("seed=&a [*a]", "more than 100,000 values"),
        ("seed=2026-13-45", "seed: Input should be a valid integer"),
        ("seed=1:30", "seed: Input should be a valid integer"),
        ("seed=" + "9" * 5000, "a number of 5,000 digits"),
        ("targets.0.min=.nan", ".nan is no finite number"),
        ("targets.0.min=1e308", "targets.0.min: Input should be less than or equal to"),
        ("description=" + "x" * 10_000_000, "--set description is too long: 10,000,000 characters"),
        ("description=\ud800", "special characters are not allowed"),
        ("x" * 100_000 + "=1", "(100,000 characters): unknown key"),
        (".".join("a" * 500) + "=1", "is no key of a campaign file"),
        ("screening.gates=[{geometry: 5}]", "gate 'geometry' cannot have 5"),
        ("generator.name=ftpc", "Did you mean 'ftcp'"),
        ("hull.scale=materials-projct", "Did you mean 'materials-project'"),
        ("hull.thermo_type=GGA", "thermo type 'GGA' is not one of"),
        ("learning.acquisition=probabilty", "Did you mean 'probability'"),
        ("validation.engine=gpow", "Did you mean 'gpaw'"),
        ("validation.correction=mp2020", "Did you mean 'mp2020-v1'"),
        ("dataset.columns={x: y}", "source 'starter' is no table of yours"),
        ("dataset.source=''", "dataset.source: String should have at least 1 character"),
        ('dataset.source="a\\0b"', r"character \x00 cannot be part of a text here"),
    ],
)
def test_settings_on_the_command_line(file: Path, text: str, message: str):
    assert message in told("submit", "-f", str(file), "--dry-run", "--set", text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a mapping with keys like `name` and `targets`"),
        (b"- 1", "must be a mapping"),
        (b"--- {}\n--- {}", "another document"),
        (CAMPAIGN.encode("utf-16"), "is not UTF-8 text; save the file as UTF-8"),
        (b"\0", "special characters are not allowed"),
        (CAMPAIGN.encode() + b"seed: 1\nseed: 2\n", "(line 6): key 'seed' is there twice"),
        (b"a: " + b"[" * 5000, "nested more than 40 levels deep"),
        (CAMPAIGN.encode() + b"1: 2\n", "1: a key must be a text: put it in quotes"),
        (CAMPAIGN.encode() + b"~: 2\n", "a key must be a text"),
        (b"#" * 5_000_000, "5,000,000 bytes, too many"),
    ],
)
def test_campaign_files(file: Path, content: bytes, message: str):
    file.write_bytes(content)
    assert message in told("submit", "-f", str(file), "--dry-run")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-f", "nope.yaml"], "campaign file nope.yaml does not exist"),
        (["-f", "/dev/zero"], "/dev/zero is a device or pipe: choose a file"),
        (["-f", "."], ". is a folder: choose a file"),
        (["-c", "thermoelectric", "--engine", ""], "--engine '' is not of the form ENGINE or"),
        (["-c", "thermoelectric", "--engine", "mlip:"], "--engine 'mlip:' is not of the form"),
        (["-c", "thermoelectric", "--dataset", ""], "dataset.source: String should have at least"),
        (["-c", "thermoelectric", "--dataset", "a\0b"], "cannot be part of a text here"),
        (["-c", ""], "campaign '' is not one of"),
    ],
)
def test_options_of_submit(file: Path, arguments: list[str], message: str):
    assert message in told("submit", *arguments, "--dry-run")


def test_own_structures_in_the_place_of_what_is_no_generator(file: Path):
    (file.parent / "own").mkdir()
    nacl = "NaCl\n1\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\ndirect\n0 0 0\n.5 .5 .5\n"
    (file.parent / "own" / "POSCAR").write_text(nacl)
    for key in ("learning=5", "screening=[1]", "generator=x", "validation.refine=7"):
        message = told("submit", "-f", str(file), "--structures", "own", "--set", key, "--dry-run")
        assert "must be keys with values" in message
