"""The zip file of an archive, checked before anything in it is unpacked.

A zip file is a list of promises: names, sizes, kinds. Whoever made it may have promised anything.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gen2dft.errors import ArchiveError

MANIFEST = "manifest.json"
# Every name that may stand in an archive. Whatever else there is (a path upwards, an absolute one)
# is refused.
NAME = re.compile(
    r"manifest\.json|README\.md|CITATION\.cff|LICENCE\.txt|hits\.csv"
    r"|documents/[a-z]{1,40}\.jsonl|cif/[A-Za-z0-9.]{1,120}_[A-Za-z0-9]{1,80}\.cif"
    r"|blobs/[0-9a-f]{32}"
)
MAX_SIZE = 1_000_000_000
"""Bytes, packed and unpacked; 20,000 candidates with ten snapshots take 700 million."""
MAX_SHARE = 0.5  # of it that one file may take
MAX_FILES = 100_000
MAX_MANIFEST = 64_000_000  # bytes; 20,000 hits take 4 million
MAX_GROWTH = 100  # unpacked over packed; documents of real campaigns grow tenfold
NOT_A_BOMB = 1_000_000  # bytes; smaller files may grow more
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
IS_ENCRYPTED = 0x1  # bit of a file's flags
MARK_OF_END, LEN_END = b"PK\x05\x06", 22  # of a zip file without a comment
UNIX = 3  # system whose file kinds stand in the upper bits of the attributes
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
LARGER = "if you trust where it is from, allow more with --max-size"


def size_in_bytes(text: str) -> int:
    """The size that a text such as 5GB, 500 MB or 1000000 means; ArchiveError if it means none."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?([KMGT]?)B?|(\d{1,18})", text.strip().upper())
    if found is None:
        raise ArchiveError(f"--max-size {text[:40]!r} is no size; write it like 5GB or 500MB")
    number, unit, whole = found.groups()
    size = int(whole) if whole else round(float(number) * UNITS[unit])
    if not size:
        raise ArchiveError(f"--max-size {text!r} leaves room for nothing; write it like 5GB")
    return size


def must_be_file(path: Path, max_size: int) -> None:
    """ArchiveError unless this is a file of a size that may be read; a pipe would keep us waiting.

    Parameters
    ----------
    max_size
        Bytes.
    """
    if not path.exists():
        raise ArchiveError(f"there is no file {path}")
    if not path.is_file():
        raise ArchiveError(f"{path} is a folder or a device, not an archive of gen2dft")
    size = path.stat().st_size
    if size > max_size:
        raise ArchiveError(f"{path} has {size:,} bytes, more than {max_size:,}; {LARGER}")


def check_container(archive: zipfile.ZipFile, path: Path, max_size: int) -> None:
    """Refuse names, kinds and sizes that no archive of gen2dft has; nothing is unpacked.

    Raises
    ------
    ArchiveError
        The message names the file in the archive.
    """
    infos = archive.infolist()
    _check_ends(archive, path)
    _check_names([info.filename for info in infos], path)
    for info in infos:
        _check_kind(info, path)
    _check_sizes(infos, path, max_size)


def _check_ends(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse bytes before, behind or beside the files, which no hash would cover."""
    begins = min((info.header_offset for info in archive.infolist()), default=0)
    with path.open("rb") as file:
        file.seek(-min(LEN_END, path.stat().st_size), os.SEEK_END)
        ends = file.read()
    if begins or archive.comment or not ends.startswith(MARK_OF_END):
        raise ArchiveError(f"{path} holds bytes that belong to none of its files; refused")


def _check_names(names: Sequence[str], path: Path) -> None:
    """Refuse names that an archive never holds, and names that occur twice."""
    if len(names) > MAX_FILES:
        raise ArchiveError(f"{path} holds {len(names):,} files, more than {MAX_FILES:,}; refused")
    strange = sorted(name for name in names if not NAME.fullmatch(name))
    if strange:
        shown = strange[0][:100]
        raise ArchiveError(f"{path} holds {shown!r}, which no archive of gen2dft does; refused")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ArchiveError(f"{path} holds {twice[0]!r} twice; refused")
    if MANIFEST not in names:
        raise ArchiveError(f"{path} has no {MANIFEST}: it is no archive of gen2dft")


def _check_kind(info: zipfile.ZipInfo, path: Path) -> None:
    """Refuse links and devices, encrypted files, and packings that an archive does not use."""
    what = f"{path} holds {info.filename!r}"
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == UNIX else 0
    if kind not in (0, stat.S_IFREG):
        raise ArchiveError(f"{what} as a link or a device, not as a file; refused")
    if info.flag_bits & IS_ENCRYPTED:
        raise ArchiveError(f"{what} encrypted, as no archive of gen2dft does; refused")
    if info.compress_type not in METHODS:
        raise ArchiveError(f"{what} packed in a way that no archive of gen2dft uses; refused")


def _check_sizes(infos: Sequence[zipfile.ZipInfo], path: Path, max_size: int) -> None:
    """Refuse an archive that would unpack to too much: a small file may unpack to any size."""
    packed = sum(info.compress_size for info in infos)
    unpacked = sum(info.file_size for info in infos)
    if packed > path.stat().st_size:
        raise ArchiveError(f"{path}: its files overlap, as in no archive of gen2dft; refused")
    for info in infos:
        _check_growth(info, path)
        largest = MAX_MANIFEST if info.filename == MANIFEST else int(MAX_SHARE * max_size)
        if info.file_size > largest:
            size = f"{info.file_size:,} bytes, more than {largest:,}"
            raise ArchiveError(f"{path}: {info.filename} has {size}; {LARGER}")
    if unpacked > max_size:
        raise ArchiveError(
            f"{path} would unpack to {unpacked:,} bytes, more than {max_size:,}; {LARGER}"
        )


def _check_growth(info: zipfile.ZipInfo, path: Path) -> None:
    if info.file_size > NOT_A_BOMB and info.file_size > MAX_GROWTH * info.compress_size:
        raise ArchiveError(
            f"{path}: {info.filename} would grow from {info.compress_size:,} to "
            f"{info.file_size:,} bytes, as in no archive of gen2dft; refused"
        )
