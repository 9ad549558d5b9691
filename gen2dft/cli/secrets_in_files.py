"""Files with passwords that others of this machine can read, for `gen2dft doctor`."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gen2dft.settings import Settings

OTHERS = stat.S_IRGRP | stat.S_IROTH
MAX_BYTES = 1_000_000  # a configuration file is shorter
# A URI with user and password, or a field of that name that is neither empty nor null.
URI = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
FIELD = re.compile(
    r"""passw(?:or)?d["']?\s*[:=]\s*(?!null\b|None\b|~)["']?[^\s"',}]""", re.IGNORECASE
)


def open_secrets(settings: Settings) -> list[Path]:
    """Files of this stack's configuration that hold a password and that others can read."""
    found = {path.resolve() for path in _candidates(settings) if path.is_file()}
    return sorted(path for path in found if _is_open(path) and _holds_password(path))


def _candidates(settings: Settings) -> Iterator[Path]:
    """Where gen2dft, jobflow, FireWorks and atomate keep how to reach a database."""
    from gen2dft.launchpad.connect import jobflow_file
    from gen2dft.settings import config_file

    folder = config_file().parent
    yield config_file()
    yield jobflow_file(settings)[0]
    yield settings.data_dir / "jobflow.yaml"
    fireworks = os.environ.get("FW_CONFIG_FILE")
    places = [folder, folder / "fireworks", Path("~/.fireworks").expanduser(), Path()]
    if fireworks:
        places.append(Path(fireworks).parent)
    for place in places:
        yield place / "my_launchpad.yaml"
        yield place / "db.json"


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & OTHERS)


def _holds_password(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_BYTES)
    except OSError:
        return False
    return bool(URI.search(text) or FIELD.search(text))
