"""The example engine `cosine`, which has bands in no time, as an installed plugin."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gen2dft import engines
from gen2dft.plugins import registry

MODULE = Path(__file__).parents[2] / "examples" / "plugins" / "cosine" / "gen2dft_cosine.py"
ENTRY_POINTS = "[gen2dft.engines]\ncosine = gen2dft_cosine:ENGINE\n"


def install_cosine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process find the engine, and those whose PYTHONPATH names `folder`/plugin."""
    site = folder / "plugin"
    package = site / "gen2dft_cosine-0.1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: gen2dft-cosine\nVersion: 0.1\n")
    (package / "entry_points.txt").write_text(ENTRY_POINTS)
    shutil.copy(MODULE, site)
    monkeypatch.syspath_prepend(str(site))
    # The registry of this process was read before the engine was installed.
    loader = registry.__wrapped__("gen2dft.engines")["cosine"]
    monkeypatch.setitem(engines.ENGINES, "cosine", loader)
