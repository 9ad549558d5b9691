"""Output in processes of their own: locales, closed pipes, full disks, closed streams."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gen2dft.cli.terminal import MOST_LINES, bounded

GEN2DFT = [sys.executable, "-m", "gen2dft.cli.app"]
LIST = ["presets", "list"]


def shell(command: str, folder: Path, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """A line of bash in which `gen2dft` is the command; variables that are None are unset."""
    environment = {**os.environ, "GEN2DFT_DATA_DIR": str(folder / "data")}
    for name, value in variables.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    line = f'gen2dft() {{ {shlex.join(GEN2DFT)} "$@"; }}; set -o pipefail; {command}'
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "pfad mit ümlaut"
    found.mkdir()
    (found / "käse.yaml").write_text("name: x\nnamé: y\n", encoding="utf-8")
    return found


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "HOME": None},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "COLUMNS": "40", "TERM": "dumb"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"HOME": "/proc"},
    ],
)
def test_a_path_with_umlauts_is_read_and_named_in_any_locale(
    folder: Path, variables: dict[str, str | None]
):
    done = shell("gen2dft submit -f käse.yaml", folder, **variables)
    assert done.returncode == 1
    assert "error: käse.yaml is not valid" in done.stderr
    assert "namé: unknown key; did you mean 'name'" in done.stderr


def test_a_terminal_that_cannot_show_a_letter_gets_its_number(folder: Path):
    done = shell("gen2dft submit -f käse.yaml", folder, PYTHONIOENCODING="ascii")
    assert r"error: k\xe4se.yaml is not valid" in done.stderr


@pytest.mark.parametrize("verb", ["--help", "presets list", "--version"])
def test_a_reader_that_has_seen_enough_is_no_error(folder: Path, verb: str):
    done = shell(f"gen2dft {verb} | true; echo ${{PIPESTATUS[0]}}", folder)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("verb", ["--help", "presets list"])
def test_a_full_disk_is_one_line(folder: Path, verb: str):
    done = shell(f"gen2dft {verb} > /dev/full", folder)
    assert done.returncode == 1
    assert done.stderr == (
        "error: the output cannot be written: No space left on device; part of it is lost\n"
    )


@pytest.mark.parametrize(
    ("streams", "code"), [(">&-", 0), (">&- 2>&- <&-", 0), ("2>&-", 0), ("2>/dev/full", 0)]
)
def test_closed_streams_are_no_error(folder: Path, streams: str, code: int):
    done = shell(f"gen2dft presets list {streams}", folder)
    assert (done.returncode, done.stderr) == (code, "")


def test_what_is_lost_on_a_closed_stream_gets_into_no_file(folder: Path):
    shell("gen2dft init --local --yes >&- 2>&-", folder, GEN2DFT_DATA_DIR=None)
    text = (folder / ".gen2dft/config.yaml").read_text(encoding="utf-8")
    assert text.startswith("# Settings of gen2dft")
    assert "Next:" not in text


def test_a_fault_of_the_program_is_one_line_and_a_file(folder: Path):
    code = (
        "import sys, gen2dft.cli.app as a, gen2dft.cli.presets as p; "
        "p.app.registered_commands[0].callback = lambda: 1 / 0; "
        "sys.argv[1:] = ['presets', 'list']; a.main()"
    )
    for debug, shows_it in (("0", False), ("1", True)):
        variables = {"TMPDIR": str(folder), "GEN2DFT_DEBUG": debug}
        done = shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}", folder, **variables)
        assert done.returncode == 1
        assert ("Traceback" in done.stderr) is shows_it
    (kept,) = folder.glob("gen2dft-error-*.txt")
    assert "ZeroDivisionError" in kept.read_text(encoding="utf-8")
    assert kept.stat().st_mode & 0o077 == 0


def test_messages_have_twenty_lines_at_most():
    text = bounded("\n".join(f"line {number}" for number in range(100)))
    assert len(text.splitlines()) == MOST_LINES
    assert text.endswith("line 18\n... and 81 lines more")


def test_messages_do_not_steer_the_terminal():
    assert bounded("a\x1b[31mb\ud800") == r"a\x1b[31mb\ud800"
    assert bounded("x" * 5000) == "x" * 1000 + "... (5,000 characters)"
