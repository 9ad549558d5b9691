"""Files of users: devices, pipes, damaged and foreign content are named before they are read."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gen2dft import input_files
from gen2dft.input_files import (
    DAMAGED_ARRAYS,
    UnreadableFile,
    brief,
    decoded,
    existing,
    opened_arrays,
    read_bytes,
    read_legacy_text,
    read_text,
)


def written(folder: Path, data: bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_what_is_no_regular_file_is_named_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for path, kind in (
        (tmp_path / "pipe.csv", "a named pipe"),
        (tmp_path / "zero.csv", "a device"),
        (tmp_path, "a folder"),
    ):
        with pytest.raises(UnreadableFile, match=rf"is {kind}, not a file"):
            read_bytes(path)
    with pytest.raises(UnreadableFile, match=r"cannot be opened: No such file"):
        read_bytes(tmp_path / "gone.csv")


def test_empty_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"^is empty$"):
        read_bytes(written(tmp_path, b""))
    with pytest.raises(UnreadableFile, match="is empty once unpacked"):
        read_bytes(written(tmp_path, gzip.compress(b""), "a.gz"))


@pytest.mark.parametrize("damage", ["cut", "not packed", "trailing", "flipped"])
def test_a_damaged_gzip_file_is_named(tmp_path: Path, damage: str) -> None:
    whole = gzip.compress(bytes(range(256)) * 20)
    flipped = bytes([*whole[:15], whole[15] ^ 255, *whole[16:]])
    content = {
        "cut": whole[:-12],
        "not packed": b"id,cif\n",
        "trailing": whole + b"junk",
        "flipped": flipped,
    }
    with pytest.raises(UnreadableFile, match="is no whole gzip file"):
        read_bytes(written(tmp_path, content[damage], "a.csv.gz"))


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_files, "ALWAYS_UNPACKED", 1000)
    packed = gzip.compress(b"0" * 10**6)
    with pytest.raises(UnreadableFile, match="holds more than"):
        read_bytes(written(tmp_path, packed, "a.csv.gz"))
    monkeypatch.setattr(input_files, "LARGEST", 10)
    with pytest.raises(UnreadableFile, match="holds more than"):
        read_bytes(written(tmp_path, b"x" * 11))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_read_in_the_encoding_that_its_mark_names(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, "id,Würz\r\nb\rc".encode(encoding))
    assert read_text(path) == "id,Würz\nb\nc"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("a\nWürz".encode("latin-1"), r"is no UTF-8 text \(byte 0xfc in line 2\)"),
        ("id,cif".encode("utf-16-le"), "holds zero bytes"),
        ("id,cif".encode("utf-16")[:-1], "begins as UTF-16 text, but is damaged"),
        (gzip.compress(b"id"), r"is packed by gzip: let its name end in \.gz"),
        (b"PK\x03\x04abc", r"a spreadsheet \(\.xlsx\): save it as CSV"),
        (b"PAR1abc", "is a parquet file"),
    ],
)
def test_what_is_no_text_says_what_it_is(data: bytes, problem: str) -> None:
    with pytest.raises(UnreadableFile, match=problem):
        decoded(data)


def test_latin_1_is_read_where_the_format_is_ascii(tmp_path: Path) -> None:
    assert read_legacy_text(written(tmp_path, "# Größe".encode("latin-1"))) == "# Größe"
    with pytest.raises(UnreadableFile, match="byte 0xff in line 1"):
        read_legacy_text(written(tmp_path, b"\0\xff"))


def test_arrays_that_unpack_to_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.zeros(10**6))
    with opened_arrays(buffer.getvalue()) as arrays:
        assert arrays["a"].shape == (10**6,)
    monkeypatch.setattr(input_files, "LARGEST_IN_FEW_BYTES", 1000)
    with (
        pytest.raises(UnreadableFile, match="unpacks to 8 MiB"),
        opened_arrays(buffer.getvalue()),
    ):
        pass


def test_damaged_arrays_raise_what_is_caught() -> None:
    for data in (b"", b"junk", b"PK\x05\x06" + bytes(18)):
        with pytest.raises(DAMAGED_ARRAYS), opened_arrays(data) as arrays:
            _ = arrays["a"]
    assert zipfile.BadZipFile in DAMAGED_ARRAYS


def test_text_that_can_be_no_path_is_named() -> None:
    assert existing("nowhere", "dataset") is None
    with pytest.raises(UnreadableFile, match=r"dataset x{60}\.\.\. is no usable path: .*too long"):
        existing("x" * 5000, "dataset")
    with pytest.raises(UnreadableFile, match="home directory"):
        existing("~nobody-of-this-name/x", "dataset")


def test_names_in_messages_are_short_and_printable() -> None:
    assert brief("mp-1") == "mp-1"
    assert brief("a\x1b[31m") == r"'a\x1b[31m'"
    assert len(brief("x" * 1000)) == 63
