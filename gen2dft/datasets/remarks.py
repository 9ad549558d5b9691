"""What was left out of a data set, in sentences: of the provenance, so that a data set from the
cache says the same as one that was just read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gen2dft.input_files import brief

NAMED = 3
# Reasons that every query of the Materials Project has.
USUAL = re.compile(r"no_.*_energy|partially_occupied")
LONGEST = 160  # characters of the reason why one crystal was left out


class DatasetWarning(UserWarning):
    """Some rows of a dataset could not be used; the rest could."""


def remarks(provenance: Mapping[str, Any]) -> list[str]:
    """One sentence for each thing that a user may not expect: crystals that are left out, labels
    without a crystal, files that are not read.
    """
    return [*warning_texts(provenance), *notes(provenance)]


def warning_texts(provenance: Mapping[str, Any]) -> list[str]:
    """The remarks on what was given, should have been used, and is not."""
    return list(_warnings(provenance))


def notes(provenance: Mapping[str, Any]) -> list[str]:
    """The remarks on what need not be wrong: crystals without a label, columns not read."""
    return list(_notes(provenance))


def left_out_texts(left_out: Mapping[str, Any]) -> list[str]:
    """One sentence for each reason why documents are left out."""
    texts = []
    for reason, found in left_out.items():
        texts.append(f"{found['count']} left out, {_plain(reason)}: {_names(found)}")
    return texts


def _warnings(provenance: Mapping[str, Any]) -> Iterator[str]:
    skipped = _mapping(provenance.get("skipped"))
    if skipped:
        shown = [f"{brief(name)}: {_cut(skipped[name])}" for name in list(skipped)[:NAMED]]
        yield f"{len(skipped)} crystals left out: {'; '.join(shown)}"
    strange = _counted(provenance.get("labels_without_crystal"))
    if strange:
        text = f"{strange['count']} rows have no .cif file: {_names(strange)}"
        pairs = _mapping(strange.get("near")).items()
        near = [f"{brief(label)} beside {brief(str(other))}" for label, other in pairs]
        yield f"{text}; near misses: {', '.join(near)}" if near else text
    unread = _counted(provenance.get("not_read"))
    if unread:
        yield f"{unread['count']} files are not read: {_names(unread)}"
    yield from left_out_texts(_left_out(provenance, usual=False))
    for found in _joined(provenance):
        yield f"{found['count']} computed labels have no crystal: {_names(found)}"


def _notes(provenance: Mapping[str, Any]) -> Iterator[str]:
    yield from left_out_texts(_left_out(provenance, usual=True))
    for name, found in _all_counted(provenance.get("unlabelled")).items():
        yield f"{found['count']} crystals without {name}: {_names(found)}"
    unread = _counted(provenance.get("columns_not_read"))
    if unread:
        yield f"{unread['count']} columns are not read: {_names(unread)}"


def _left_out(provenance: Mapping[str, Any], *, usual: bool) -> dict[str, Any]:
    """The reasons that every query has, or the others."""
    reasons = _all_counted(provenance.get("left_out")).items()
    return {reason: found for reason, found in reasons if bool(USUAL.fullmatch(reason)) == usual}


def _joined(provenance: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = _counted(_mapping(provenance.get("computed_labels")).get("without_crystal"))
    if found:
        yield found


# A provenance may come from a file that others wrote.
def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _counted(value: Any) -> Mapping[str, Any] | None:
    """What `matching.first_of` makes; None for anything else."""
    found = _mapping(value)
    is_whole = isinstance(found.get("count"), int) and isinstance(found.get("first"), list)
    return found if is_whole else None


def _all_counted(value: Any) -> dict[str, Mapping[str, Any]]:
    counted = {name: _counted(found) for name, found in _mapping(value).items()}
    return {name: found for name, found in counted.items() if found is not None}


def _plain(reason: str) -> str:
    return reason.replace("_", " ")


def _names(found: Mapping[str, Any]) -> str:
    first: Sequence[str] = found["first"]
    more = ", ..." if found["count"] > len(first) else ""
    return ", ".join(brief(str(name)) for name in first) + more


def _cut(text: str) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
