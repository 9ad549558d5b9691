"""YAML that people write, read as plain values: no tags, no dates, no key twice, within limits.

Every campaign file, `--set` value and configuration file passes `read_yaml`. What YAML 1.1 turns
into dates, or into numbers to the base 60 (`24:00:00`) or 8 (`0101`), stays text.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from gen2dft.errors import Gen2DFTError, brief

MOST_CHARACTERS = 1_000_000
MOST_VALUES = 100_000  # aliases count as often as they are named
DEEPEST = 40
MOST_DIGITS = 40
_YAML = "tag:yaml.org,2002:"
_MERGE, _INT, _FLOAT = f"{_YAML}merge", f"{_YAML}int", f"{_YAML}float"
_KEPT = (_MERGE, f"{_YAML}bool", f"{_YAML}null")
_PLAIN = ("null", "bool", "str", "seq", "map")
# Neither to the base 60 nor, after a leading zero, to the base 8.
_WHOLE_NUMBER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_DECIMAL_NUMBER = re.compile(
    r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


def read_yaml(text: str, origin: str, error: type[Gen2DFTError] = Gen2DFTError) -> Any:
    """The values of one YAML document; None for an empty one.

    Parameters
    ----------
    text
        The document.
    origin
        Names it in messages.
    error
        What is raised.

    Raises
    ------
    Gen2DFTError
        Of the class `error`: no YAML, several documents, tags, a key twice, numbers that are not
        finite, or more than the limits above. The message names the line.
    """
    if len(text) > MOST_CHARACTERS:
        raise error(
            f"{origin} is too long: {len(text):,} characters, and {MOST_CHARACTERS:,} are read at "
            "most; is it the file that you meant?"
        )
    try:
        return _values(text.removeprefix("\ufeff"))
    except yaml.YAMLError as err:
        raise error(f"{origin} is not valid YAML{_place(err)}: {_problem(err)}") from None
    except (ValueError, OverflowError, RecursionError) as err:
        # PyYAML lets through what Python says of a value that it cannot build.
        raise error(f"{origin} is not valid YAML: {brief(str(err))}") from None


def read_yaml_file(path: Path, what: str, error: type[Gen2DFTError], remedy: str = "") -> Any:
    """The values of a YAML file.

    Parameters
    ----------
    what
        Names the kind of file in messages.
    remedy
        Ends the message.

    Raises
    ------
    Gen2DFTError
        As `read_yaml`, or the file cannot be read.
    """
    hint = f"; {remedy}" if remedy else ""
    try:
        text = read_text(path)
    except (OSError, ValueError) as err:
        raise error(f"cannot read {what} {path}: {why_unreadable(err)}{hint}") from err
    try:
        return read_yaml(text, f"{what} {path}", error)
    except error as err:
        raise error(f"{err}{hint}") from None


def read_text(path: Path) -> str:
    """The text of a regular file in UTF-8; OSError or ValueError for anything else."""
    if path.exists() and not path.is_file():
        raise ValueError("it is a folder" if path.is_dir() else "it is no regular file")
    if path.is_file() and path.stat().st_size > 4 * MOST_CHARACTERS:
        raise ValueError(f"it has {path.stat().st_size:,} bytes, too many for such a file")
    return path.read_text(encoding="utf-8-sig")


def why_unreadable(err: OSError | ValueError) -> str:
    """What kept a file from being read, in a few words."""
    if isinstance(err, UnicodeDecodeError):
        return f"byte {err.start} is not UTF-8 text; save the file as UTF-8"
    if isinstance(err, OSError) and err.strerror:
        return err.strerror
    return brief(str(err))


def _values(text: str) -> Any:
    loader = _PlainLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Refused(yaml.MarkedYAMLError):
    """YAML that is valid, but not read here."""

    def __init__(self, problem: str, at: Any) -> None:
        super().__init__(problem=problem, problem_mark=at.start_mark)


class _PlainLoader(yaml.SafeLoader):
    """Reads plain values alone."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node, unless it lies too deep."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call] # of PyYAML
        if getattr(event, "tag", None) is not None:
            raise _Refused(f"tag {brief(event.tag)} is not read here: write plain values", event)
        self.depth += 1
        if self.depth > DEEPEST:
            raise _Refused(f"it is nested more than {DEEPEST} levels deep", event)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping, unless it has a key twice."""
        self._refuse_twice(node)
        return super().construct_mapping(node, deep)

    def _refuse_twice(self, node: Any) -> None:
        seen: set[str] = set()
        for key, _ in getattr(node, "value", ()):
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if key.value in seen:
                twice = brief(repr(key.value))
                raise _Refused(f"key {twice} is there twice: drop one of them", key)
            seen.add(key.value)


def _number(loader: _PlainLoader, node: Any) -> float:
    value: float = yaml.SafeLoader.construct_yaml_float(loader, node)
    if not math.isfinite(value):
        raise _Refused(f"{brief(node.value)} is no finite number", node)
    return value


def _whole(loader: _PlainLoader, node: Any) -> int:
    if len(node.value) > MOST_DIGITS:
        raise _Refused(f"a number of {len(node.value):,} digits", node)
    value: int = yaml.SafeLoader.construct_yaml_int(loader, node)
    return value


def _rules() -> dict[str, list[tuple[str, Any]]]:
    """What a word without quotes is: PyYAML's rules, but for numbers, and without dates."""
    rules: dict[str, list[tuple[str, Any]]] = {}
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items():
        for tag, pattern in known:
            if tag in _KEPT:
                rules.setdefault(first, []).append((tag, pattern))
    for first in "-+.0123456789":
        rules[first] = [(_INT, _WHOLE_NUMBER), (_FLOAT, _DECIMAL_NUMBER)]
    return rules


def _measure(node: Any, known: dict[int, int]) -> int:
    """Number of values below a node, aliases written out; YAMLError if there are too many."""
    if id(node) in known:
        return known[id(node)]
    if isinstance(node, yaml.ScalarNode):
        return 1
    known[id(node)] = MOST_VALUES  # of a node that holds itself
    parts = node.value
    if isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
    number = 1 + sum(_measure(part, known) for part in parts)
    if number > MOST_VALUES:
        raise _Refused(f"it holds more than {MOST_VALUES:,} values, aliases written out", node)
    known[id(node)] = number
    return number


def _place(err: yaml.YAMLError) -> str:
    mark = getattr(err, "problem_mark", None) or getattr(err, "context_mark", None)
    return "" if mark is None else f" (line {mark.line + 1})"


def _problem(err: yaml.YAMLError) -> str:
    problem = getattr(err, "problem", None) or getattr(err, "reason", None) or str(err)
    context = getattr(err, "context", None)
    return brief(f"{problem}, {context}" if context else str(problem), 200)


_PlainLoader.yaml_implicit_resolvers = _rules()
_PlainLoader.yaml_constructors = {}
for _name in _PLAIN:
    _tag = f"{_YAML}{_name}"
    _PlainLoader.yaml_constructors[_tag] = yaml.SafeLoader.yaml_constructors[_tag]
_PlainLoader.yaml_constructors |= {_FLOAT: _number, _INT: _whole}
