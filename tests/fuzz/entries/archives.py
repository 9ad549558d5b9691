"""Archives of campaigns: `import`, and the verbs that then read what came in."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.fuzz import mutations
from tests.fuzz.case import Case, Special
from tests.fuzz.examples import archive
from tests.fuzz.values import PLAIN_VALUES

ENTRY = "archives"
FILE = "mine.zip"
MANIFEST = "manifest.json"
Draw = Callable[[Any], Any]
Files = dict[str, bytes]
# A database that took an archive must still answer.
THEN = (("status",), ("hits",), ("hits", "--json"), ("candidates",))


@cache
def _unpacked() -> Files:
    with zipfile.ZipFile(io.BytesIO(archive())) as files:
        return {name: files.read(name) for name in files.namelist()}


@cache
def _document_files() -> tuple[str, ...]:
    files = _unpacked()
    names = [name for name in files if name.startswith("documents/") and files[name].strip()]
    # A campaign's document is one of hundreds, and the one that hurts most.
    return (*names, *["documents/campaigns.jsonl"] * 2)


def packed(files: Files) -> bytes:
    """A zip file of these members."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in files.items():
            new.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def sealed(files: Files) -> bytes:
    """The same with a manifest that fits, as a forger would make it."""
    manifest = json.loads(files[MANIFEST])
    members = {name: data for name, data in files.items() if name != MANIFEST}
    manifest["files"] = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in members.items()
    }
    for name, data in members.items():
        folder, _, file = name.partition("/")
        if folder == "documents":
            manifest["documents"][file.removesuffix(".jsonl")] = data.count(b"\n")
    return packed({**members, MANIFEST: json.dumps(manifest).encode()})


def _case(damaged: mutations.Damaged, *options: str) -> Case:
    argv = ("import", FILE, *options)
    then = () if "--dry-run" in options else THEN
    return Case(ENTRY, damaged.kind, damaged.place, argv, {FILE: damaged.content}, {}, then)


def valid_archives() -> list[Case]:
    """The archive as it was written, and packed again."""
    contents = (archive(), packed(_unpacked()), sealed(_unpacked()))
    return [_case(mutations.Damaged(content, mutations.NOTHING, "")) for content in contents]


@st.composite
def archives(draw: Draw) -> Case:
    """An archive with damaged documents, members, manifest or bytes."""
    ways = (_documents, _documents, _documents, _text, _manifest, _members, _bytes)
    way = draw(st.sampled_from((*ways, _no_file)))
    if way is _no_file:
        return draw(_no_file())
    options = draw(st.sampled_from(((), (), ("--dry-run",))))
    return _case(draw(way()), *options)


@st.composite
def _documents(draw: Draw) -> mutations.Damaged:
    """One document changed, under a manifest that fits."""
    files = dict(_unpacked())
    name = draw(st.sampled_from(_document_files()))
    lines = files[name].splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    damaged = draw(mutations.documents(json.loads(lines[at]), PLAIN_VALUES))
    lines[at] = json.dumps(damaged.content).encode()
    files[name] = b"".join(line + b"\n" for line in lines)
    place = f"{name}: {damaged.place}"
    return mutations.Damaged(sealed(files), f"document: {damaged.kind}", place)


@st.composite
def _text(draw: Draw) -> mutations.Damaged:
    """The text of one member changed, under a manifest that fits."""
    files = dict(_unpacked())
    name = draw(st.sampled_from(sorted(set(files) - {MANIFEST})))
    damaged = draw(mutations.byte_damage(files[name]))
    files[name] = damaged.content
    return mutations.Damaged(sealed(files), f"member: {damaged.kind}", name)


@st.composite
def _manifest(draw: Draw) -> mutations.Damaged:
    files = dict(_unpacked())
    manifest = json.loads(files[MANIFEST])
    damaged = draw(mutations.documents(manifest, PLAIN_VALUES))
    files[MANIFEST] = json.dumps(damaged.content).encode()
    return mutations.Damaged(packed(files), f"manifest: {damaged.kind}", damaged.place)


NEW_NAMES = ("../evil.txt", "/tmp/evil.txt", "C:\\evil.txt", "blobs/../../evil",
             "documents/x.jsonl", "cif/\u202e.cif", "", "manifest.json/x", "x" * 3000,
             "blobs/" + "0" * 32, "documents/users.jsonl", "hits.csv/")  # fmt: skip


@st.composite
def _members(draw: Draw) -> mutations.Damaged:
    """Members taken away, renamed, added, emptied or swapped."""
    files = dict(_unpacked())
    name = draw(st.sampled_from(sorted(set(files) - {MANIFEST})))
    way = draw(st.sampled_from(("gone", "renamed", "added", "emptied", "swapped", "zeros")))
    if way == "gone":
        del files[name]
    elif way == "renamed":
        files[draw(st.sampled_from(NEW_NAMES))] = files.pop(name)
    elif way == "added":
        files[draw(st.sampled_from(NEW_NAMES))] = b"{}\n"
    elif way == "emptied":
        files[name] = b""
    elif way == "swapped":
        other = draw(st.sampled_from(sorted(set(files) - {MANIFEST})))
        files[name], files[other] = files[other], files[name]
    else:
        files[name] = bytes(20_000_000)
    seal = draw(st.sampled_from((sealed, sealed, packed)))
    kind = f"member {way}, manifest {'fits' if seal is sealed else 'as it was'}"
    return mutations.Damaged(seal(files), kind, name)


@st.composite
def _bytes(draw: Draw) -> mutations.Damaged:
    """Bytes of the zip file, its last ones, or other bytes altogether."""
    others = {"empty": b"", "text": b"no archive", "gzip": b"\x1f\x8b\x08\x00", "end alone":
              b"PK\x05\x06" + bytes(18)}  # fmt: skip
    if draw(st.booleans()):
        return draw(mutations.byte_damage(archive()))
    if draw(st.booleans()):
        kind = draw(st.sampled_from(sorted(others)))
        return mutations.Damaged(others[kind], f"bytes: {kind}", "file")
    end = archive()[-4000:]
    damaged = draw(mutations.byte_damage(end))
    kind = damaged.kind.replace("bytes", "directory")
    return mutations.Damaged(archive()[:-4000] + damaged.content, kind, damaged.place)


@st.composite
def _no_file(draw: Draw) -> Case:
    special: Special = draw(st.sampled_from(("folder", "fifo", "null", "dangling", "itself")))
    options = draw(st.sampled_from(((), ("--digest", ""), ("--digest", "\u0661"))))
    kind = f"in the place of a file: {special}"
    return Case(ENTRY, kind, FILE, ("import", FILE, *options), {}, {FILE: special})
