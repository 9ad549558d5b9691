"""Files are written whole or not at all, and a folder that cannot be written is named."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gen2dft.errors import OutputError
from gen2dft.report.output import write_file


def test_folders_are_made_and_content_is_exact(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a" / "b" / "x.bin", b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert os.listdir(path.parent) == ["x.bin"]


def test_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot make folder .*file/sub.*--out"):
        write_file(tmp_path / "file" / "sub" / "x", b"")


def test_full_disk_leaves_the_old_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_file(tmp_path / "x", b"old")

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(
        OutputError, match=f"cannot write x in {tmp_path}: No space left on device; choose a folder"
    ):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_read_only_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(OutputError, match=f"cannot write x in {tmp_path}: Permission denied"):
        write_file(tmp_path / "x", b"")
