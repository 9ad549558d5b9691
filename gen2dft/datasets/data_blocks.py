"""The data blocks of a CIF file, several of which may be crystals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gen2dft.input_files import UnreadableFile, read_legacy_text

_BLOCK = re.compile(r"^(?=data_)", re.MULTILINE | re.IGNORECASE)
_NAME = re.compile(r"data_(\S*)", re.IGNORECASE)


def crystal_blocks(text: str) -> list[str]:
    """Blocks with atoms; journals put others, without any, before them."""
    return [block for block in _BLOCK.split(text) if "_atom_site_" in block.lower()]


def crystals_of(files: Mapping[str, Path]) -> tuple[list[str], list[Any]]:
    """Id and content of each crystal: the file where it holds one, else the text of its block.

    Parameters
    ----------
    files
        Id by the file's name, to the file. Crystals of one file get a number: `many[2]`.
    """
    ids: list[str] = []
    contents: list[Any] = []
    for key, file in files.items():
        blocks = _blocks_of(file)
        if len(blocks) < 2:
            ids.append(key)
            contents.append(file)
            continue
        ids += [f"{key}[{number}]" for number in range(1, len(blocks) + 1)]
        contents += blocks
    return ids, contents


def _blocks_of(file: Path) -> list[str]:
    try:
        return crystal_blocks(read_legacy_text(file))
    except UnreadableFile:
        return []  # whoever parses it says why


def refuse_several(text: str) -> None:
    """ValueError for a CIF with more than one crystal; it names them."""
    blocks = crystal_blocks(text)
    if len(blocks) < 2:
        return
    found = [_NAME.match(block) for block in blocks[:3]]
    names = [match.group(1)[:40] for match in found if match is not None]
    raise ValueError(
        f"it holds {len(blocks)} crystals ({', '.join(names)}): write each to a file of its own"
    )
