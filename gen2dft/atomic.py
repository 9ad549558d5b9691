"""Files that are written whole or not at all: readers see the old content or the new, never a part.

The draft lies in the same folder, because only within one file system is a rename atomic.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

FOR_ALL = 0o644
FOR_THE_OWNER = 0o600


@contextmanager
def new_file(path: Path, mode: int = FOR_ALL) -> Iterator[BinaryIO]:
    """A draft to write into, which takes the place of `path` once the block has ended.

    If the block raises, the draft is removed and `path` stays as it was.

    Parameters
    ----------
    path
        The file; its folder must exist.
    mode
        Rights of the finished file. The draft is its owner's alone, so a secret is never readable
        by others.

    Raises
    ------
    OSError
        Read-only folder, full disk. Callers say what was being written and what to do.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        draft.chmod(mode)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: bytes | str, mode: int = FOR_ALL) -> None:
    """Write a file, text as UTF-8; folders are made.

    Raises
    ------
    OSError
        As `new_file`.
    """
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path, mode) as file:
        file.write(data)
