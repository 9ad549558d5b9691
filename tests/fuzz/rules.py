"""What must hold for every input, and what is merely worth a look.

A broken rule has a name and a detail. The rules know only what the command line shows, the files
that it touched, and what the author of the input knows about it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.fuzz.case import Case, Facts, Outcome

EXIT_CODES = (0, 1, 2)  # done, refused, wrong usage
MAX_LINES = 20
MAX_CHARACTERS = 4000
RAW = re.compile(
    r"\{'[^'\n]{0,80}': |<class '|<[\w.]+ object at 0x|input_value=|\[type=|"
    r"errors\.pydantic\.dev|OrderedDict\(|array\(\[|Timestamp\(|datetime\.date|ObjectId\("
)
LINE = re.compile(r"line \d+")
TRACEBACK = "Traceback (most recent call last)"


class Broken(NamedTuple):
    """A rule that did not hold."""

    rule: str
    detail: str


def broken_rules(case: Case, outcomes: list[Outcome]) -> list[Broken]:
    """Rules that the outcomes of a case's commands break."""
    found = [broken for outcome in outcomes for broken in _of_command(case, outcome)]
    for outcome in outcomes[1:]:
        if outcome.exit_code not in (0, None):
            found.append(Broken("broke another command", f"{outcome.argv}: {outcome.stderr[:300]}"))
    first = outcomes[0]
    if case.facts is not None and first.exit_code == 0:
        found += _of_data(case.facts, first)
    for again in outcomes[1:]:
        if again.argv == first.argv and _said(again) != _said(first):
            found.append(Broken("another answer the second time", again.stdout[:300]))
    return found


def _said(outcome: Outcome) -> Any:
    """Standard output; as JSON if it is, for the order of keys says nothing."""
    try:
        return json.loads(outcome.stdout)
    except ValueError:
        return outcome.stdout


def is_accepted(outcomes: list[Outcome]) -> bool:
    """Whether the first command took its input without a word; a person must look at these."""
    return outcomes[0].exit_code == 0 and not outcomes[0].stderr.strip()


def verdict(outcomes: list[Outcome], broken: list[Broken]) -> str:
    """One word for what became of an input."""
    if broken:
        return broken[0].rule
    if outcomes[0].exit_code != 0:
        return "refused"
    return "accepted" if is_accepted(outcomes) else "accepted with a remark"


def _of_command(case: Case, outcome: Outcome) -> Iterator[Broken]:
    if outcome.exit_code is None:
        yield Broken("hang", outcome.crash.strip())
        return
    if outcome.crash or TRACEBACK in outcome.stderr:
        yield Broken("traceback", (outcome.crash or outcome.stderr).strip())
        return
    if outcome.exit_code not in EXIT_CODES:
        yield Broken("exit code", f"{outcome.exit_code}: {outcome.stderr[-300:]}")
    if outcome.exit_code != 0 and not outcome.stderr.strip():
        yield Broken("no message", outcome.stdout[-300:])
    for stray in outcome.strays:
        yield Broken("left its folder", stray)
    yield from _of_message(case, outcome.stderr)


def _of_message(case: Case, message: str) -> Iterator[Broken]:
    lines = message.strip().splitlines()
    if len(lines) > MAX_LINES:
        yield Broken("long message", f"{len(lines)} lines: {message[:300]}")
    elif len(message) > MAX_CHARACTERS:
        yield Broken("long message", f"{len(message)} characters: {message[:300]}")
    raw = RAW.search(message)
    if raw is not None and not _was_given(case, raw.group()):
        yield Broken("raw repr", message[max(0, raw.start() - 150) : raw.end() + 150])


def _was_given(case: Case, text: str) -> bool:
    """Whether a text stands in the input itself, whose words a message may quote."""
    given = [argument.encode("utf-8", "replace") for argument in case.argv]
    return any(text.encode() in content for content in [*given, *case.files.values()])


def _of_data(facts: Facts, outcome: Outcome) -> Iterator[Broken]:
    try:
        summary = json.loads(outcome.stdout)
    except ValueError:
        yield Broken("no JSON", outcome.stdout[:300])
        return
    left_out = left_out_of(summary)
    if summary["crystals"] + len(left_out) != facts.rows:
        detail = f"{facts.rows} in, {summary['crystals']} kept, named {sorted(left_out)[:5]}"
        yield Broken("read is not kept + named", detail)
    if facts.ids is not None:
        yield from _of_ids(facts, left_out, outcome.kept)
    if not all(map(_is_finite, summary["labels"].values())):
        yield Broken("not finite", str(summary["labels"]))


def left_out_of(summary: dict[str, Any]) -> dict[str, str]:
    """Id to reason of the crystals that `data info --json` names as left out."""
    return summary["provenance"].get("skipped", {})


def _of_ids(facts: Facts, left_out: dict[str, str], kept: Any) -> Iterator[Broken]:
    strange = {name for name in set(left_out) - facts.ids if not _stands_for_none(facts, name)}
    if strange:
        yield Broken("changed ids", f"named as left out: {sorted(strange)[:5]}")
    if kept is None:
        return
    if set(kept) - facts.ids:
        yield Broken("changed ids", f"kept: {sorted(set(kept) - facts.ids)[:5]}")
    for name, energy in facts.labels.items():
        if name in kept and not math.isclose(kept[name], energy, abs_tol=1e-9):
            yield Broken("changed labels", f"{name}: {energy} became {kept[name]}")


def _stands_for_none(facts: Facts, name: str) -> bool:
    """Whether a name is that of the line of a crystal without an id."""
    return LINE.fullmatch(name) is not None and any(not given.strip() for given in facts.ids or ())


def _is_finite(coverage: dict[str, float]) -> bool:
    return all(map(math.isfinite, coverage.values()))
