import os
import stat
from pathlib import Path

import pytest

from gen2dft.atomic import FOR_THE_OWNER, new_file, write_atomically


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_made_and_text_is_utf_8(tmp_path):
    path = tmp_path / "a" / "b"
    write_atomically(path, "\u00c5")
    assert path.read_bytes() == b"\xc3\x85"
    assert rights(path) == 0o644


def test_a_secret_is_its_owners_alone_from_the_beginning(tmp_path):
    with new_file(tmp_path / "secret", FOR_THE_OWNER) as file:
        file.write(b"x")
        (draft,) = tmp_path.iterdir()
        assert rights(draft) == 0o600
    assert rights(tmp_path / "secret") == 0o600


def test_the_old_content_stands_until_the_new_is_whole(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "old")
    with new_file(path) as file:
        file.write(b"new, ")
        file.flush()
        assert path.read_text() == "old"
        file.write(b"whole")
    assert path.read_text() == "new, whole"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError("disk"), ValueError("content"), KeyboardInterrupt()])
def test_whatever_stops_the_writer_leaves_the_old_file_and_no_draft(tmp_path, error):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(type(error)), new_file(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_without_a_folder_the_error_is_the_systems(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"), new_file(tmp_path / "missing" / "x"):
        pass
