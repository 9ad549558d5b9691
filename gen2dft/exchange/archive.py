"""The archive of a campaign: a zip file whose manifest names every other file in it with size and
hash.

Nothing in it depends on a clock: the same campaign exported twice gives the same bytes, so the hash
of the manifest (the archive's digest) stands for all of it. Documents are JSON Lines in MongoDB's
relaxed Extended JSON.
"""

from __future__ import annotations

import contextlib
import json
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from gen2dft import __version__
from gen2dft.atomic import new_file
from gen2dft.errors import ArchiveError, OutputError
from gen2dft.exchange.container import MANIFEST, MAX_SIZE, check_container, must_be_file
from gen2dft.hashing import ContentHash, content_hash
from gen2dft.store.documents import SCHEMA_VERSION
from gen2dft.store.shapes import first_problem

FORMAT_VERSION = 1
README, CITATION, LICENCE, TABLE = "README.md", "CITATION.cff", "LICENCE.txt", "hits.csv"
TEXTS = (README, CITATION, LICENCE, TABLE)
CHUNK = 1 << 20
MAX_LINE = 48_000_000  # bytes; MongoDB takes documents of 16 million
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
REMEDY = "fetch it again from where it came"
LeftOut = Literal["snapshots", "training data"]


class FileEntry(BaseModel):
    """Size and hash of one file of an archive."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(ge=0, description="bytes, unpacked")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """Contents of an archive, as it declares them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["gen2dft-campaign"] = "gen2dft-campaign"
    version: int = Field(FORMAT_VERSION, ge=1)
    campaign_id: str = Field(pattern="^[A-Za-z0-9._-]{1,200}$")
    code_version: str = Field(
        __version__, pattern="^[A-Za-z0-9.+_-]{1,60}$", description="gen2dft that wrote it"
    )
    schema_version: int = Field(SCHEMA_VERSION, ge=1, description="of the documents")
    licence: str = Field(pattern="^[A-Za-z0-9.+-]{1,60}$", description="SPDX identifier")
    left_out: tuple[LeftOut, ...] = Field(
        (), description="what the database holds and the archive does not"
    )
    documents: dict[str, NonNegativeInt] = Field(description="collection to number of documents")
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
    """A checked archive, open for reading; every file in it is what the manifest says.

    Attributes
    ----------
    max_size
        Bytes that it, or an array in it, may take unpacked.
    """

    def __init__(
        self, archive: zipfile.ZipFile, manifest: Manifest, digest: str, max_size: int
    ) -> None:
        self._archive = archive
        self.manifest = manifest
        self.digest = digest
        self.max_size = max_size

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path, max_size: int = MAX_SIZE) -> Iterator[Self]:
        """Open an archive and check it as a whole; nothing of it is ever written to disk.

        Parameters
        ----------
        max_size
            Bytes that it may take, packed and unpacked.

        Raises
        ------
        ArchiveError
            The file is not an archive, is damaged or was changed, holds names that no archive
            holds, is too large, or has a newer format.
        """
        must_be_file(path, max_size)
        with contextlib.ExitStack() as stack:
            with _damage_named(path):
                archive = stack.enter_context(zipfile.ZipFile(path))
                manifest, digest = _checked(archive, path, max_size)
            yield cls(archive, manifest, digest, max_size)

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
        with self._archive.open(name) as file:
            lines = iter(lambda: file.readline(MAX_LINE + 1), b"")
            for number, line in enumerate(lines, start=1):
                if len(line) > MAX_LINE:
                    raise ArchiveError(f"{name}, line {number} has more than {MAX_LINE:,} bytes")
                try:
                    yield from_line(line)
                except NO_DOCUMENT as err:
                    raise ArchiveError(f"{name}, line {number} is no document: {err}") from err


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGED as err:
        raise ArchiveError(
            f"{path} is not an archive of gen2dft or is damaged ({err}); {REMEDY}"
        ) from err


def _checked(archive: zipfile.ZipFile, path: Path, max_size: int) -> tuple[Manifest, str]:
    """Manifest and digest, once names, sizes and hashes of all files are found to be right."""
    check_container(archive, path, max_size)
    text = archive.read(MANIFEST)
    manifest = _manifest(text, path)
    _check_files(archive, manifest, path)
    return manifest, content_hash(text)


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
        json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        manifest = Manifest.model_validate_json(text, strict=True)
    except ValidationError as err:
        problem = first_problem(err)
        raise ArchiveError(f"{path}: the manifest is not valid ({problem}); {REMEDY}") from err
    except NO_DOCUMENT as err:
        raise ArchiveError(f"{path}: the manifest is not valid ({err}); {REMEDY}") from err
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


# What reading a line may raise; moments beyond the calendar overflow.
NO_DOCUMENT = (ValueError, TypeError, LookupError, OverflowError, RecursionError, OSError)


def to_line(document: Mapping[str, Any]) -> bytes:
    """A document as one line of relaxed Extended JSON; equal documents give equal lines."""
    from bson import json_util

    options = _options()
    text = json_util.dumps(document, json_options=options, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()


def from_line(line: bytes) -> dict[str, Any]:
    """Inverse of `to_line`; moments are in UTC. One of NO_DOCUMENT if the line is invalid."""
    found = json.loads(line, object_pairs_hook=_object, parse_constant=_no_constant)
    if not isinstance(found, dict) or not isinstance(found.get("_id"), str):
        raise ValueError("a document is a JSON object with `_id`")
    return found


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, whose keys occur once: of two equal ones Python would drop the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        (key, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"{key!r} occurs twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: Sequence[tuple[str, Any]]) -> Any:
    return _special(_once(pairs))


def _special(found: dict[str, Any]) -> Any:
    """Moments, NaN and infinity are written as objects.

    No other special kind of Extended JSON belongs here.
    """
    from bson import json_util
    from bson.errors import BSONError

    special = [key for key in found if key.startswith("$")]
    if not special:
        return found
    if len(found) > 1 or special[0] not in ("$date", "$numberDouble"):
        raise ValueError(f"{special[0]!r} is not allowed")
    try:
        return json_util.object_hook(found, json_options=_options())
    except BSONError as err:
        raise ValueError(str(err)) from err


def _options() -> Any:
    from bson.json_util import RELAXED_JSON_OPTIONS

    return RELAXED_JSON_OPTIONS.with_options(tz_aware=True)
