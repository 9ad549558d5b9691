"""A folder in which other processes find the toys as an installed plugin, their data set and a
campaign file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gen2dft.dataset import Dataset

ROOT = Path(__file__).parents[2]
ENTRY_POINTS = """
[gen2dft.engines]
toy = tests.toys:TOY_ENGINE
[gen2dft.generators]
toy = tests.toys:ToyGenerator
wide-toy = tests.toys:WideToyGenerator
"""


def make_toy_folder(folder: Path, campaign: Mapping[str, Any], dataset: Dataset) -> Path:
    """Write plugin, data set and campaign; the campaign file."""
    plugin = folder / "plugin" / "toys-1.0.dist-info"
    plugin.mkdir(parents=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (plugin / "entry_points.txt").write_text(ENTRY_POINTS)
    dataset.save(folder / "toys.npz")
    data = {"min_labels": 5, "source": str(folder / "toys.npz")}
    file = folder / "toy.yaml"
    file.write_text(yaml.safe_dump({**campaign, "dataset": data}))
    return file


def toy_environment(folder: Path, **variables: str) -> dict[str, str]:
    """Environment of a process that finds the toys."""
    paths = os.pathsep.join([str(folder / "plugin"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths, **variables}
