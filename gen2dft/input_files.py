"""Files of users, read whole: what is no regular file, empty, damaged or no text is named.

Every data file enters here, so that none of its readers meets a device that never ends, a pipe
that never answers, or an archive that unpacks to more than the memory.
"""

from __future__ import annotations

import gzip
import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 4 * 2**30
"""Bytes of a file, packed or not, that are read into memory."""
ALWAYS_UNPACKED = 64 * 2**20
LARGEST_IN_FEW_BYTES = 512 * 2**20
LONGEST_NAME, LONGEST_VALUE = 60, 40
MOST_PER_BYTE = 200
"""Unpacked bytes per packed byte; tables of crystals have 3 to 30."""
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
"""Byte order marks; the longer first."""
OTHER_KINDS = (
    (b"\x1f\x8b", "is packed by gzip: let its name end in .gz"),
    (b"PK\x03\x04", "is a zip archive or a spreadsheet (.xlsx): save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "is a spreadsheet (.xls): save it as CSV"),
    (b"PAR1", "is a parquet file: let its name end in .parquet"),
    (b"\x93NUMPY", "is a NumPy array, not a data set"),
    (b"%PDF", "is a PDF document"),
    (b"\x89PNG", "is a picture"),
)


class UnreadableFile(ValueError):
    """A file cannot be read as what it should be; the message goes on behind the file's name."""


def read_bytes(path: Path) -> bytes:
    """The content of a regular file, unpacked if its name ends in `.gz`.

    Raises
    ------
    UnreadableFile
        It is missing, no regular file, empty, too large, or damaged.
    """
    data = _whole(path)
    if not data:
        raise UnreadableFile("is empty")
    return _unpacked(data) if path.name.lower().endswith(".gz") else data


def read_text(path: Path) -> str:
    """The text of a file with plain line ends; UnreadableFile if it holds none.

    UTF-8, or another Unicode encoding that its byte order mark names.
    """
    return decoded(read_bytes(path))


def read_legacy_text(path: Path) -> str:
    """As `read_text`, but bytes beyond ASCII may be Latin-1.

    For formats whose content is ASCII, such as CIF, where old comments are in Latin-1.
    """
    data = read_bytes(path)
    try:
        return decoded(data)
    except UnreadableFile:
        if b"\0" in data:
            raise
        return _with_plain_lines(data.decode("latin-1"))


# Everything that NumPy raises for a damaged file of arrays.
DAMAGED_ARRAYS = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OSError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


@contextmanager
def opened_arrays(data: bytes) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The arrays of an .npz file, by name.

    Raises one of `DAMAGED_ARRAYS` if it is none, or where an array is damaged, when that is read.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > max(LARGEST_IN_FEW_BYTES, MOST_PER_BYTE * len(data)) or unpacked > LARGEST:
            raise UnreadableFile(f"unpacks to {unpacked / 2**20:,.0f} MiB")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        yield arrays


def existing(path: Path | str, what: str) -> Path | None:
    """The path with `~` expanded; None if nothing is there.

    UnreadableFile for text that can be no path; `what` it names, for the message.
    """
    try:
        expanded = Path(path).expanduser()
        return expanded if expanded.exists() else None
    except (OSError, ValueError, RuntimeError) as err:  # too long, a zero byte, no such user
        problem = _words(err) if isinstance(err, OSError) else str(err)
        raise UnreadableFile(f"{what} {brief(str(path))} is no usable path: {problem}") from err


def brief(name: str) -> str:
    """A name from a file in a message: short, and with control characters escaped."""
    cut = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    return cut if cut.isprintable() else repr(cut)


def shown(value: Any) -> str:
    """A value from a file in a message: short, without line ends, never a whole dictionary."""
    if isinstance(value, list | tuple | dict):
        return "an object" if isinstance(value, dict) else "a list"
    text = value if isinstance(value, str) else repr(value)
    cut = text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
    return repr(cut) if isinstance(value, str) else cut


def not_a_file(path: Path) -> str | None:
    """Why a path is no regular file, as in `is a named pipe`; None if it is one."""
    try:
        mode = path.stat().st_mode
    except OSError as err:
        return _words(err)
    if stat.S_ISREG(mode):
        return None
    kind = next((name for test, name in KINDS if test(mode)), "no regular file")
    return f"is {kind}, not a file"


def decoded(data: bytes) -> str:
    """The text of bytes, see `read_text`."""
    for beginning, words in OTHER_KINDS:
        if data.startswith(beginning):
            raise UnreadableFile(words)
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as err:
        raise UnreadableFile(_undecodable(data, encoding, err.start)) from err
    if "\0" in text:
        raise UnreadableFile("holds zero bytes: it is no text, or UTF-16 without a byte order mark")
    return _with_plain_lines(text)


def _whole(path: Path) -> bytes:
    if problem := not_a_file(path):
        raise UnreadableFile(problem)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as err:
        raise UnreadableFile(_words(err)) from err
    return _bounded(data, LARGEST)


def _unpacked(data: bytes) -> bytes:
    limit = min(LARGEST, max(ALWAYS_UNPACKED, MOST_PER_BYTE * len(data)))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            content = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as err:
        raise UnreadableFile(f"is no whole gzip file ({err}): copy or pack it again") from err
    if not content:
        raise UnreadableFile("is empty once unpacked")
    return _bounded(content, limit)


def _bounded(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise UnreadableFile(f"holds more than {limit / 2**20:,.0f} MiB: split it")
    return data


def _words(error: OSError) -> str:
    return f"cannot be opened: {error.strerror or error}"


def _undecodable(data: bytes, encoding: str, place: int) -> str:
    if encoding != "utf-8":
        return f"begins as {encoding.upper()} text, but is damaged: save it as UTF-8"
    line = data.count(b"\n", 0, place) + 1
    return f"is no UTF-8 text (byte 0x{data[place]:02x} in line {line}): save it as UTF-8"


def _with_plain_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
