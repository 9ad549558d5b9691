"""The notebooks run as they are, in their folder, within a minute, and are kept without outputs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# What each must have printed: that it came to its results, not only to its end.
SAID = {
    "latent-space": [
        "600 points in 32 dimensions",
        "% of its variance",
        "units away",
        "slerp: 200 points",
        "parent mp-",
    ],
    "hits": ["first-", "rejected:", "mlip", "was drawn by", "-> hit", "chgnet-v1"],
}


def cells(notebook: Path) -> list[dict[str, Any]]:
    """Its cells of code."""
    return [
        cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"
    ]


def test_there_are_notebooks() -> None:
    assert {notebook.stem for notebook in NOTEBOOKS} == set(SAID)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(notebook: Path) -> None:
    assert cells(notebook)
    assert all(
        cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(notebook)
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(notebook: Path, tmp_path: Path) -> None:
    """Cell after cell in one fresh process, as Jupyter does; what a cell ends with is not shown."""
    folder = tmp_path / "notebooks"
    shutil.copytree(FOLDER, folder)
    program = "\n\n".join("".join(cell["source"]) for cell in cells(notebook))
    environment = {
        **os.environ,
        "PYTHONWARNINGS": "ignore",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [sys.executable, "-c", program]
    run = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    for text in SAID[notebook.stem]:
        assert text in run.stdout, run.stdout
    written = {path.name for path in folder.rglob("*")} - {path.name for path in FOLDER.rglob("*")}
    assert written <= {"__pycache__"}
