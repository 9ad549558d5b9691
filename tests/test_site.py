"""The documentation as a site: no broken link, nothing from elsewhere, and everything that there
is.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from gen2dft.campaign import CampaignSpec, parse_campaign
from gen2dft.cli.app import VERBS, load_verb
from gen2dft.store.schema import COLLECTIONS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCKS = [
    (page.name, block)
    for page in PAGES
    for block in re.findall(r"```(\w+)\n(.*?)```", page.read_text(), re.DOTALL)
]


@pytest.fixture(scope="module")
def made() -> ModuleType:
    """The hooks that make pages."""
    spec = importlib.util.spec_from_file_location("docs_site", ROOT / "scripts" / "docs_site.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="pip install 'gen2dft[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    pages = {page.stem for page in site.glob("*.html")}
    assert {page.stem for page in PAGES} <= pages
    assert {
        "campaign-keys",
        "commands",
        "documents",
        "benchmarks",
        "contributing",
        "changelog",
    } <= pages


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|link|img|iframe|source)[^>]*?(?:src|href)="([^"]*)"', page.read_text()
        )
        assert [url for url in loaded if re.match(r"(https?:)?//", url)] == [], page.name
        assert "mermaid" not in page.read_text(), (
            f"{page.name}: diagrams load a library from elsewhere"
        )


def test_every_key_is_in_the_reference(made: ModuleType) -> None:
    text = made.campaign_keys()
    for name in CampaignSpec.model_fields:
        assert f"| `{name}` |" in text
    assert (
        "## screening.surrogate" in text
        and "| `max_e_above_hull` | number from -100 to 100 | `0.1` | eV/atom above" in text
    )
    assert (
        "| `seed` | whole number from 0 to 9.22337e+18 | `0` |" in text
        and "| `name` | text | *required* |" in text
    )


def test_every_command_and_option_is_in_the_reference(made: ModuleType) -> None:
    text = made.commands()
    for verb in VERBS:
        section = text.partition(f"## gen2dft {verb}\n")[2].partition("\n## ")[0]
        for parameter in load_verb(verb).params:
            assert all(
                f"`{option}`" in section for option in parameter.opts if option.startswith("--")
            ), verb


def test_every_document_is_in_the_reference(made: ModuleType) -> None:
    text = made.documents()
    for name, model in COLLECTIONS.items():
        section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert all(
            f"| `{field}` |" in section
            for field in model.model_fields.keys() - {"id", "created"}
            if field not in ("schema_version", "code_version")
        )


@pytest.mark.parametrize(
    ("text", "source", "expected"),
    [
        ("[b](../benchmarks/README.md#x)", "docs/sharing.md", "[b](benchmarks.md#x)"),
        ("[d](docs/design.md)", "CONTRIBUTING.md", "[d](design.md)"),
        ("[k](all.py)", "gen2dft/README.md", "[k](all.py)"),
        ("[all keys](../gen2dft/campaign/spec.py)", "docs/x.md", "[all keys](campaign-keys.md)"),
        ("[contract](../gen2dft/plugins.py)", "docs/x.md", "contract (`gen2dft/plugins.py`)"),
        ("[w](https://www.optimade.org)", "docs/x.md", "[w](https://www.optimade.org)"),
        ("![f](docs/figures/funnel.png)", "README.md", "![f](figures/funnel.png)"),
    ],
)
def test_links_are_moved(made: ModuleType, text: str, source: str, expected: str) -> None:
    assert made.moved(text, source) == expected


@pytest.mark.parametrize(
    ("page", "text"), [(p, t) for p, (kind, t) in BLOCKS if kind == "yaml" and "name:" in t[:5]]
)
def test_whole_campaigns_of_the_pages_are_valid(page: str, text: str) -> None:
    assert parse_campaign(text, page).name == yaml.safe_load(text)["name"]


@pytest.mark.parametrize(("page", "text"), [(p, t) for p, (kind, t) in BLOCKS if kind == "bash"])
def test_commands_of_the_pages_exist(page: str, text: str) -> None:
    for verb, rest in re.findall(
        r"^\s*(?:\.venv/bin/)?gen2dft ([a-z-]+)([^#\n]*)", text, re.MULTILINE
    ):
        assert verb in VERBS, page
        command = load_verb(verb)
        if (words := rest.split()) and words[0] in getattr(command, "commands", {}):
            command = command.commands[words[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)) <= known, page
