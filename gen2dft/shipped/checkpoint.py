"""The checkpoint of a build: its plan in the first line, then one line per finished record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gen2dft.atomic import write_atomically
from gen2dft.datasets.computed_labels import complete_lines
from gen2dft.errors import DatasetError, OutputError


def read_records(path: Path, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The finished records; a last line cut off by a kill is dropped from the file.

    Parameters
    ----------
    plan
        Everything that decides the outcome, as plain values.

    Raises
    ------
    DatasetError
        The checkpoint belongs to another plan.
    """
    if not path.is_file():
        return []
    data = path.read_bytes()
    complete = complete_lines(data, f"checkpoint {path}")
    # What comes next must not be written behind half a line.
    if data and not data.endswith(b"\n"):
        write_atomically(path, "".join(f"{line}\n" for line in complete))
    lines = [_record(line, path) for line in complete]
    if lines and lines[0] != {"plan": dict(plan)}:
        raise DatasetError(
            f"checkpoint {path} belongs to another build; delete it or name another file"
        )
    return lines[1:]


def _record(line: str, path: Path) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as err:
        raise DatasetError(
            f"checkpoint {path} is damaged ({line[:40]!r} is no JSON); delete it or name another "
            "file"
        ) from err


def append_record(path: Path, plan: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Add a record; the first line of a new checkpoint is the plan.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    line = f"{json.dumps(record)}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.is_file() or path.stat().st_size == 0
        header = json.dumps({"plan": dict(plan)})
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{header}\n{line}" if is_new else line)
    except OSError as err:
        raise OutputError(
            f"cannot write checkpoint {path}: {err.strerror}; choose a writable folder"
        ) from err
