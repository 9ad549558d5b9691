"""Engine `vasp` on the stand-in, each test in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import stand_in_environment
from pymatgen.core import Lattice, Structure


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            for text in stand_in_environment.WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(text))


@pytest.fixture
def rutile() -> Structure:
    """VO2: a = 4.5546, c = 2.8514 Angstrom, u = 0.3001."""
    lattice = Lattice.tetragonal(4.5546, 2.8514)
    return Structure.from_spacegroup(
        "P4_2/mnm", lattice, ["V", "O"], [[0, 0, 0], [0.3001, 0.3001, 0]]
    )


@pytest.fixture
def oxide() -> Structure:
    """VO in two sites, off its equilibrium: the stand-in relaxes it in a tenth of a second."""
    return Structure(Lattice.orthorhombic(2.9, 3.0, 3.1), ["V", "O"], [[0, 0, 0], [0.5, 0.5, 0.45]])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in."""
    place = tmp_path / "run"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def vasp(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Installs the stand-in with faults, such as `vasp(OV=("zbrent", 1))`.

    Gives the folder to run in.
    """

    def install(**plan: tuple[str, int]) -> Path:
        stand_in_environment.install(monkeypatch, tmp_path, plan)
        return folder

    return install
