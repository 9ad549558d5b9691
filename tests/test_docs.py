"""What the documents promise exists: make targets, commands, files, campaigns, environment
variables.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from gen2dft.campaign import builtin_campaigns, parse_campaign
from gen2dft.cli.app import VERBS, load_verb

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted(p for p in ROOT.glob("*.md")) + sorted(
    p
    for folder in ("docs", "gen2dft", "flows", "launchpad", "tests", "benchmarks", "examples")
    for p in (ROOT / folder).rglob("*.md")
)
# Folders whose README has a table of their files.
FOLDERS = (
    "gen2dft",
    "gen2dft/evaluation",
    "gen2dft/ground",
    "gen2dft/representations",
    "gen2dft/review",
    "gen2dft/screening",
    "gen2dft/thermo",
    "gen2dft/transport",
    "flows",
    "launchpad",
    "benchmarks",
)


def targets() -> set[str]:
    """Targets of the Makefile."""
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def name(document: Path) -> str:
    """Document's path in the project."""
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_make_targets_exist(document: Path):
    commands = re.findall(
        r"(?:^|`)make ((?:-\w+ )?[a-z][a-z-]*)", document.read_text(), re.MULTILINE
    )
    assert {c.split()[-1] for c in commands} <= targets()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_files_named_exist(document: Path):
    paths = re.findall(
        r"`((?:gen2dft|flows|launchpad|tests|scripts|docs)/[\w./-]+)`", document.read_text()
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_two_commands_are_in_the_readme():
    assert "make demo" in README
    assert "make test" in README


def test_ci_runs_the_command_of_the_readme():
    assert re.search(r"^make test$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_commands_of_the_readme_exist():
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL))
    named = re.findall(r"^\s*(?:\.venv/bin/)?gen2dft ([a-z-]+)", blocks, re.MULTILINE) + re.findall(
        r"`gen2dft ([a-z-]+)", README
    )
    assert named
    assert set(named) <= set(VERBS)


def test_every_command_is_in_the_readme():
    assert set(VERBS) <= set(re.findall(r"`gen2dft ([a-z-]+)", README))


@pytest.mark.parametrize("verb", VERBS)
def test_options_named_in_the_command_table_exist(verb: str):
    (line,) = re.findall(rf"^\| `gen2dft {verb}.*$", README, re.MULTILINE)
    known = {option for parameter in load_verb(verb).params for option in parameter.opts}
    assert set(re.findall(r"`(--?[a-z-]+)", line)) <= known


@pytest.mark.parametrize(
    ("verb", "rest"), re.findall(r"^ *(?:\.venv/bin/)?gen2dft ([a-z-]+)(.*)$", README, re.MULTILINE)
)
def test_options_in_the_examples_exist(verb: str, rest: str):
    known = {option for parameter in load_verb(verb).params for option in parameter.opts}
    assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest.partition("#")[0])) <= known


def test_the_campaign_of_the_readme_is_valid():
    (text,) = (
        block
        for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
        if block.startswith("name:")
    )
    assert parse_campaign(text, "README").name == yaml.safe_load(text)["name"]


def test_all_shipped_campaigns_are_named():
    assert [campaign for campaign in builtin_campaigns() if f"`{campaign}`" not in README] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_tables_name_what_is_there(folder: str):
    table = set(
        re.findall(r"^\| `([^`]+)`", (ROOT / folder / "README.md").read_text(), re.MULTILINE)
    )
    there = {
        p.name + "/" * p.is_dir()
        for p in (ROOT / folder).iterdir()
        if p.suffix != ".md" and not p.name.startswith((".", "__"))
    }
    assert table == there - {"py.typed"}


def test_make_help_lists_every_target():
    run = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(re.findall(r"^ *make ([a-z-]+)", run.stdout, re.MULTILINE)) == targets()


def test_no_figure_is_left_open():
    assert [name(d) for d in DOCUMENTS if "TODO" + "-FIGURE" in d.read_text()] == []
