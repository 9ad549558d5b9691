"""What was left out of a data set, in sentences: of the provenance, so that a data set from the
cache says the same as one that was just read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NAMED = 3
LONGEST = 160  # characters of the reason why one crystal was left out


def remarks(provenance: Mapping[str, Any]) -> list[str]:
    """One sentence for each thing that a user may not expect: crystals that are left out, labels
    without a crystal, files that are not read.
    """
    return [*_warnings(provenance), *_unlabelled(provenance)]


def warning_texts(provenance: Mapping[str, Any]) -> list[str]:
    """The remarks on what was given and is not used."""
    return list(_warnings(provenance))


def _warnings(provenance: Mapping[str, Any]) -> Iterator[str]:
    skipped = provenance.get("skipped") or {}
    if skipped:
        shown = [f"{name}: {_cut(skipped[name])}" for name in list(skipped)[:NAMED]]
        yield f"{len(skipped)} crystals left out: {'; '.join(shown)}"
    strange = provenance.get("labels_without_crystal")
    if strange:
        text = f"{strange['count']} rows have no .cif file: {_names(strange)}"
        near = [f"{label!r} beside {other!r}" for label, other in strange["near"].items()]
        yield f"{text}; near misses: {', '.join(near)}" if near else text
    unread = provenance.get("not_read")
    if unread:
        yield f"{unread['count']} files are not read: {_names(unread)}"
    for name, found in (provenance.get("left_out") or {}).items():
        yield f"{found['count']} left out, {name.replace('_', ' ')}: {_names(found)}"


def _unlabelled(provenance: Mapping[str, Any]) -> Iterator[str]:
    for name, found in (provenance.get("unlabelled") or {}).items():
        yield f"{found['count']} crystals without {name}: {_names(found)}"


def _names(found: Mapping[str, Any]) -> str:
    first: Sequence[str] = found["first"]
    more = ", ..." if found["count"] > len(first) else ""
    return ", ".join(map(str, first)) + more


def _cut(text: str) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
