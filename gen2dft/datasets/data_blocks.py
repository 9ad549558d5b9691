"""The data blocks of a CIF file, several of which may be crystals."""

from __future__ import annotations

import re

_BLOCK = re.compile(r"^(?=data_)", re.MULTILINE | re.IGNORECASE)
_NAME = re.compile(r"data_(\S*)", re.IGNORECASE)


def crystal_blocks(text: str) -> list[str]:
    """Blocks with atoms; journals put others, without any, before them."""
    return [block for block in _BLOCK.split(text) if "_atom_site_" in block.lower()]


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
