"""What pyproject.toml lists is what there is, and what is installed works without the checkout."""

from __future__ import annotations

import re
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

import gen2dft

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = {"gen2dft": "gen2dft", "flows": "gen2dft.flows", "launchpad": "gen2dft.launchpad"}
EXTRAS = PROJECT["project"]["optional-dependencies"]


def package_folders() -> dict[str, Path]:
    """Package name to folder, for every folder with an __init__.py."""
    found = {}
    for folder, package in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            found[".".join([package, *init.parent.relative_to(ROOT / folder).parts])] = init.parent
    return found


def canonical(requirement: str) -> str:
    """Name of a requirement as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0]).lower()


def locked() -> dict[str, str]:
    """Name to version in requirements.lock."""
    lines = [
        line.partition(";")[0].strip()
        for line in (ROOT / "requirements.lock").read_text().splitlines()
    ]
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_every_package_is_listed():
    assert sorted(SETUPTOOLS["packages"]) == sorted(package_folders())


def test_listed_folders_lead_to_the_packages():
    folders = SETUPTOOLS["package-dir"]
    for package, folder in package_folders().items():
        # The longest listed parent gives the folder, as setuptools does it.
        parent = max((p for p in folders if f"{package}.".startswith(f"{p}.")), key=len)
        rest = package.removeprefix(parent).strip(".").split(".")
        assert ROOT.joinpath(folders[parent], *filter(None, rest)) == folder


def test_every_data_file_is_packed():
    data = SETUPTOOLS["package-data"]
    left_out = [
        path.relative_to(ROOT)
        for package, folder in package_folders().items()
        for path in folder.iterdir()
        if path.is_file() and path.suffix not in {".py", ".pyc", ".md"}
        if not any(fnmatch(path.name, pattern) for pattern in data.get(package, []))
    ]
    assert left_out == []


def test_every_data_pattern_finds_a_file():
    folders = package_folders()
    empty = [
        f"{package}: {pattern}"
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        if not list(folders[package].glob(pattern))
    ]
    assert empty == []


def programs() -> list[Path]:
    """Modules that are run as programs."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    guard = 'if __name__ == "__main__":'
    return [path for path in files if guard in path.read_text() or path.stem == "__main__"]


def test_the_programs_are_known():
    names = {path.relative_to(ROOT).as_posix() for path in programs()}
    assert {"gen2dft/cli/app.py", "gen2dft/store/keeper.py", "launchpad/worker.py"} <= names


@pytest.mark.parametrize("program", programs(), ids=lambda path: path.stem)
def test_no_program_sits_beside_a_name_of_the_standard_library(program: Path):
    # Run by its path, a program has its folder first on sys.path: `collections.py` there would be
    # taken for the standard library's.
    neighbours = {path.stem for path in program.parent.iterdir() if path.stem != "__main__"}
    assert sorted(neighbours & sys.stdlib_module_names) == []


def test_the_version_is_said_once():
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert SETUPTOOLS["dynamic"]["version"] == {"attr": "gen2dft.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", gen2dft.__version__)


def test_the_changelog_knows_the_version():
    assert f"## [{gen2dft.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_extras():
    assert {"mlip", "gpaw", "transport", "serve", "web", "dev"} <= set(EXTRAS)


@pytest.mark.parametrize("extra", ["", "mlip", "serve", "web", "labels", "dev"])
def test_the_lock_pins_what_is_required(extra: str):
    required = {
        canonical(r) for r in (EXTRAS[extra] if extra else PROJECT["project"]["dependencies"])
    }
    assert required - {"torch", "gen2dft"} <= set(locked())


def test_the_lock_leaves_the_build_of_torch_to_the_user():
    cuda = [name for name in locked() if re.match(r"torch$|triton|cuda-|nvidia-(?!ml-py3)", name)]
    assert cuda == []


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text
