from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gen2dft.errors import OutputError
from gen2dft.store.files import write_private


def test_only_the_owner_can_read_it(tmp_path: Path):
    path = tmp_path / "new" / "file"
    write_private(path, "text")
    assert path.read_text() == "text"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_names_its_folder(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        OutputError, match=f"cannot write {tmp_path}/file/x: .* rights in {tmp_path}/file"
    ):
        write_private(tmp_path / "file" / "x", "")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_private(tmp_path / "file", "before")

    def full(descriptor: int, *args: object, **kwargs: object) -> None:
        os.close(descriptor)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_private(tmp_path / "file", "after")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "before"
