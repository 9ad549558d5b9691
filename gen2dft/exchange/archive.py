"""The archive of a campaign: a zip file whose manifest names every other file in it with size and
hash.

Nothing in it depends on a clock: the same campaign exported twice gives the same bytes, so the hash
of the manifest (the archive's digest) stands for all of it. Documents are JSON Lines in MongoDB's
relaxed Extended JSON.
"""

from __future__ import annotations

import contextlib
import json
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gen2dft import __version__
from gen2dft.atomic import new_file
from gen2dft.errors import ArchiveError, OutputError
from gen2dft.hashing import ContentHash, content_hash
from gen2dft.store.documents import SCHEMA_VERSION

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
README, CITATION, LICENCE, TABLE = "README.md", "CITATION.cff", "LICENCE.txt", "hits.csv"
# Every name that may stand in an archive. Whatever else there is (a path upwards, an absolute one)
# is refused.
NAME = re.compile(
    r"manifest\.json|README\.md|CITATION\.cff|LICENCE\.txt|hits\.csv"
    r"|documents/[a-z]+\.jsonl|cif/[A-Za-z0-9.]+_[A-Za-z0-9]+\.cif|blobs/[0-9a-f]{32}"
)
MAX_MANIFEST = 64_000_000  # bytes; 20,000 hits take 4 million
MAX_GROWTH = 250  # unpacked over packed; documents of real campaigns grow tenfold
CHUNK = 1 << 20
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    struct.error,
    NotImplementedError,
    RuntimeError,
)
REMEDY = "fetch it again from where it came"


class FileEntry(BaseModel):
    """Size and hash of one file of an archive."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(ge=0, description="bytes, unpacked")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """Contents of an archive, as it declares them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["gen2dft-campaign"] = "gen2dft-campaign"
    version: int = FORMAT_VERSION
    campaign_id: str
    code_version: str = Field(__version__, description="gen2dft that wrote it")
    schema_version: int = Field(SCHEMA_VERSION, description="of the documents")
    licence: str = Field(description="SPDX identifier")
    left_out: tuple[str, ...] = Field(
        (), description="what the database holds and the archive does not"
    )
    documents: dict[str, int] = Field(description="collection to number of documents")
    files: dict[str, FileEntry]


class ArchiveWriter:
    """Adds files to an archive and records them; the manifest goes in last."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.files: dict[str, FileEntry] = {}

    def add(self, name: str, parts: Iterable[bytes]) -> None:
        """Add a file that comes in parts."""
        content = ContentHash()
        # A ZipInfo without a date means 1980-01-01, always.
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        with self._archive.open(info, "w", force_zip64=True) as file:
            for part in parts:
                content.add(part)
                file.write(part)
        self.files[name] = FileEntry(size=content.size, sha256=content.digits())

    def finish(self, **fields: Any) -> str:
        """Write the manifest with these further fields; return the archive's digest."""
        files = dict(sorted(self.files.items()))
        manifest = Manifest(files=files, **fields)
        text = manifest.model_dump_json(indent=1).encode()
        self.add(MANIFEST, [text])
        return content_hash(text)


@contextlib.contextmanager
def new_archive(path: Path) -> Iterator[ArchiveWriter]:
    """A writer of an archive that gets its name only once it is complete.

    Raises
    ------
    OutputError
        The file exists already, or cannot be written.
    """
    if path.exists():
        raise OutputError(f"{path} is there already; choose another name, or remove it first")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as file, zipfile.ZipFile(file, "w") as archive:
            yield ArchiveWriter(archive)
    except OSError as err:
        reason = err.strerror or err
        raise OutputError(f"cannot write {path}: {reason}; choose another place with -o") from err


class Archive:
    """A checked archive, open for reading; every file in it is what the manifest says."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest, digest: str) -> None:
        self._archive = archive
        self.manifest = manifest
        self.digest = digest

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open an archive and check it as a whole; nothing of it is ever written to disk.

        Raises
        ------
        ArchiveError
            The file is not an archive, is damaged or was changed, holds names that no archive
            holds, or has a newer format.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                manifest, digest = _checked(archive, path)
                yield cls(archive, manifest, digest)
        except FileNotFoundError as err:
            raise ArchiveError(f"there is no file {path}") from err
        except DAMAGED as err:
            raise ArchiveError(
                f"{path} is not an archive of gen2dft or is damaged ({err}); {REMEDY}"
            ) from err

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return name in self.manifest.files

    def read(self, name: str) -> bytes:
        """A file's content."""
        return self._archive.read(name)

    def documents(self, collection: str) -> Iterator[dict[str, Any]]:
        """Documents of one collection, as they stand in the database; none without its file."""
        name = documents_name(collection)
        if not self.has(name):
            return
        with self._archive.open(name) as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield from_line(line)
                except (ValueError, TypeError) as err:
                    raise ArchiveError(f"{name}, line {number} is no document: {err}") from err


def _checked(archive: zipfile.ZipFile, path: Path) -> tuple[Manifest, str]:
    """Manifest and digest, once names, sizes and hashes of all files are found to be right."""
    _check_names(archive.namelist(), path)
    # Before anything is unpacked: a small file may unpack to any size.
    _check_growth(archive, path)
    text = archive.read(MANIFEST)
    manifest = _manifest(text, path)
    _check_files(archive, manifest, path)
    return manifest, content_hash(text)


def _check_names(names: list[str], path: Path) -> None:
    """Refuse names that an archive never holds, and names that occur twice."""
    strange = sorted(name for name in names if not NAME.fullmatch(name))
    if strange:
        raise ArchiveError(
            f"{path} holds {strange[0]!r}, which no archive of gen2dft does; refused"
        )
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ArchiveError(f"{path} holds {twice[0]!r} twice; refused")
    if MANIFEST not in names:
        raise ArchiveError(f"{path} has no {MANIFEST}: it is no archive of gen2dft")


def _check_growth(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse an archive that would unpack to far more than any archive does."""
    infos = archive.infolist()
    packed = sum(info.compress_size for info in infos)
    unpacked = sum(info.file_size for info in infos)
    manifest = archive.getinfo(MANIFEST).file_size
    if manifest > MAX_MANIFEST or unpacked > MAX_GROWTH * packed:
        raise ArchiveError(
            f"{path} would grow from {packed:,} to {unpacked:,} bytes, as no archive of gen2dft "
            "does"
        )


def _check_files(archive: zipfile.ZipFile, manifest: Manifest, path: Path) -> None:
    """Refuse files that differ from the manifest in name, size or hash."""
    names = set(archive.namelist()) - {MANIFEST}
    differ = sorted(names ^ set(manifest.files))
    if differ:
        raise ArchiveError(
            f"{path} was changed: files and manifest disagree on {differ[0]!r}; {REMEDY}"
        )
    for name, entry in manifest.files.items():
        if _entry_of(archive, name) != entry:
            raise ArchiveError(
                f"{path} was changed: {name} is not what the manifest says; {REMEDY}"
            )


def _manifest(text: bytes, path: Path) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as err:
        first = err.errors()[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise ArchiveError(
            f"{path}: the manifest is not valid ({place}: {first['msg']}); {REMEDY}"
        ) from err
    if manifest.version > FORMAT_VERSION or manifest.schema_version > SCHEMA_VERSION:
        raise ArchiveError(
            f"{path} was written by gen2dft {manifest.code_version} in a newer format; this is "
            f"{__version__}: update it"
        )
    return manifest


def _entry_of(archive: zipfile.ZipFile, name: str) -> FileEntry:
    """Size and hash of a file as it is.

    Zipfile itself never reads more than the size that it announces.
    """
    content = ContentHash()
    with archive.open(name) as file:
        while part := file.read(CHUNK):
            content.add(part)
    return FileEntry(size=content.size, sha256=content.digits())


def documents_name(collection: str) -> str:
    """File that holds the documents of a collection."""
    return f"documents/{collection}.jsonl"


def blob_name(blob_id: str) -> str:
    """File that holds a blob."""
    return f"blobs/{blob_id}"


def to_line(document: Mapping[str, Any]) -> bytes:
    """A document as one line of relaxed Extended JSON; equal documents give equal lines."""
    from bson import json_util

    options = _options()
    text = json_util.dumps(document, json_options=options, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()


def from_line(line: bytes) -> dict[str, Any]:
    """Inverse of `to_line`; moments are in UTC. ValueError or TypeError if the line is invalid."""
    found = json.loads(line, object_hook=_special)
    if not isinstance(found, dict) or not isinstance(found.get("_id"), str):
        raise ValueError("a document is a JSON object with `_id`")
    return found


def _special(found: dict[str, Any]) -> Any:
    """Moments, NaN and infinity are written as objects.

    No other special kind of Extended JSON belongs here.
    """
    from bson import json_util

    special = [key for key in found if key.startswith("$")]
    if not special:
        return found
    if len(found) > 1 or special[0] not in ("$date", "$numberDouble"):
        raise ValueError(f"{special[0]!r} is not allowed")
    return json_util.object_hook(found, json_options=_options())


def _options() -> Any:
    from bson.json_util import RELAXED_JSON_OPTIONS

    return RELAXED_JSON_OPTIONS.with_options(tz_aware=True)
