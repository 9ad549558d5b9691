"""Conditions on hits, such as `band_gap > 0.3 and e_above_hull < 0.05`, turned into MongoDB's
filters.

The text is parsed by Python's own grammar and only a few kinds of nodes are taken; nothing of it is
ever run. A value that is not known passes no condition, neither a comparison nor its negation.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Any

from gen2dft.errors import QueryError, not_one_of
from gen2dft.properties import PROPERTIES
from gen2dft.query.fields import FIELDS, LISTS, ROUND, field_of
from gen2dft.query.spelling import spellings
from gen2dft.store.crystal_fields import FIRST_ROUND
from gen2dft.store.filters import MAX_DEPTH, MAX_LENGTH, Filter, check_filter, shortened

EXAMPLE = "write it like 'band_gap > 0.3 and e_above_hull < 0.05'"
OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Lt: "$lt", ast.LtE: "$lte", ast.Gt: "$gt", ast.GtE: "$gte", ast.Eq: "$eq", ast.NotEq: "$ne",
    ast.In: "$in", ast.NotIn: "$nin",
}  # fmt: skip
TURNED = {"$lt": "$gt", "$lte": "$gte", "$gt": "$lt", "$gte": "$lte", "$eq": "$eq", "$ne": "$ne"}
NEGATED = {
    "$lt": "$gte", "$gte": "$lt", "$gt": "$lte", "$lte": "$gt", "$eq": "$ne", "$ne": "$eq",
    "$in": "$nin", "$nin": "$in",
}  # fmt: skip
IN = ("$in", "$nin")
ORDER = ("$lt", "$lte", "$gt", "$gte")
# How messages ask for a value of a kind.
WANTED: dict[type, str] = {
    float: "a number",
    int: "a whole number",
    bool: "True or False",
    str: "a text in quotes",
}


def parse_where(text: str, properties: Collection[str] = PROPERTIES) -> Filter:
    """The filter that a condition means, for `database.hits.find`.

    Conditions on `source` and `evidence` are for `find_hits`, since not every hit carries them.

    Parameters
    ----------
    properties
        Names of the properties that it may ask for.

    Raises
    ------
    QueryError
        The condition is not understood; the message names the part, and the nearest name where one
        is unknown.
    """
    condition = _parse(text)
    known = {*properties, *FIELDS}
    # An unknown name first: of which kind its values must be, nobody knows.
    _refuse_unknown(_compared_names(condition), known)
    found = _filter(condition, negate=False)
    _refuse_unknown(_names(condition), known)
    check_filter(found)
    return found


def names_in(text: str) -> set[str]:
    """Properties and fields that a condition asks for."""
    return _names(_parse(text))


def _names(condition: ast.expr) -> set[str]:
    """Names in a condition, dotted ones (`symmetry.number`) as a whole."""
    found: set[str] = set()
    inner: set[int] = set()  # the beginnings of dotted names
    for node in ast.walk(condition):  # a node comes before those inside it
        if isinstance(node, ast.Attribute):
            inner.add(id(node.value))
        name = None if id(node) in inner else _named(node)
        if name is not None:
            found.add(name)
    return found


def _compared_names(condition: ast.expr) -> set[str]:
    """Names that stand on a side of a comparison."""
    sides: list[ast.expr] = []
    for node in ast.walk(condition):
        if isinstance(node, ast.Compare):
            sides += [node.left, *node.comparators]
    return {name for name in map(_named, sides) if name is not None}


def _refuse_unknown(names: set[str], known: Collection[str]) -> None:
    for name in sorted(names):
        if name not in known:
            raise QueryError(not_one_of("property or field of a hit", name, known))


def _named(node: ast.AST) -> str | None:
    """The name that a node is, `symmetry.number` among them; None if it is none."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return None


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise QueryError(f"a condition has at most {MAX_LENGTH} characters, this one {len(text)}")
    shown = shortened(text)
    try:
        condition = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as err:
        raise QueryError(f"condition {shown} is not understood: {err}; {EXAMPLE}") from err
    if _depth(condition) > MAX_DEPTH:
        raise QueryError(f"condition {shown} is nested deeper than {MAX_DEPTH} levels; {EXAMPLE}")
    return condition


def _depth(condition: ast.expr) -> int:
    """Levels of expressions within each other."""
    depth, level = 0, [condition]
    while level:
        depth += 1
        below = [child for node in level for child in ast.iter_child_nodes(node)]
        level = [child for child in below if isinstance(child, ast.expr)]
    return depth


def _filter(node: ast.expr, *, negate: bool) -> Filter:
    """The filter of a node.

    Negations are pushed down to the comparisons, so that unknown values never pass.
    """
    if isinstance(node, ast.BoolOp):
        parts = [_filter(value, negate=negate) for value in node.values]
        return _combined(parts, all_of=isinstance(node.op, ast.And), negate=negate)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _filter(node.operand, negate=not negate)
    if isinstance(node, ast.Compare):
        return _chain(node, negate=negate)
    if isinstance(node, ast.Name):
        field, kind = field_of(node.id)
        if kind is bool:
            return {field: not negate}
    raise QueryError(f"{ast.unparse(node)!r} is no comparison; {EXAMPLE}")


def _combined(parts: list[Filter], *, all_of: bool, negate: bool) -> Filter:
    """`and` or `or` of parts that are negated already: by De Morgan the one becomes the other."""
    operator = "$and" if all_of != negate else "$or"
    return {operator: parts}


def _chain(node: ast.Compare, *, negate: bool) -> Filter:
    """`a < b < c` means `a < b and b < c`."""
    parts = []
    left = node.left
    for kind, right in zip(node.ops, node.comparators, strict=True):
        operator = OPERATORS.get(type(kind), "")
        parts.append(_comparison(left, operator, right, negate=negate))
        left = right
    if len(parts) == 1:
        return parts[0]
    return _combined(parts, all_of=True, negate=negate)


def _comparison(left: ast.expr, operator: str, right: ast.expr, *, negate: bool) -> Filter:
    """`name operator value`, the other way round, or `value in name`, as a filter."""
    what = f"{ast.unparse(left)} ... {ast.unparse(right)}"
    if operator in IN and _named(left) is None and _named(right) is not None:
        return _membership(left, operator, str(_named(right)), negate=negate)
    if operator in TURNED and _named(right) is not None and _named(left) is None:
        left, operator, right = right, TURNED[operator], left
    name = _named(left)
    if name is None or _named(right) is not None or operator not in NEGATED:
        raise QueryError(f"{what!r} does not compare a property with a value; {EXAMPLE}")
    if name in LISTS:
        raise QueryError(f"{what!r}: {name} is a list; ask for one of them: '\"Te\" in {name}'")
    field, kind = field_of(name)
    if operator in ORDER and kind not in (int, float):
        raise QueryError(f"{what!r}: {name} has no order; use ==, != or in")
    if operator in IN:
        values, is_list = _values(right, name, kind), True
    else:
        values, is_list = _spelled(right, name, kind), False
    return _compared(field, NEGATED[operator] if negate else operator, values, is_list=is_list)


def _compared(field: str, operator: str, values: list[Any], *, is_list: bool) -> Filter:
    """The comparison of a field with a value, or with several of which one counts."""
    # MongoDB lets unknown values pass `$ne` and `$nin`, so they are excluded by name.
    if operator in ("$ne", "$nin"):
        return {field: {"$nin": [*values, None]}}
    if is_list or len(values) > 1:
        return {field: {"$in": values}}
    (value,) = values
    return {field: {operator: value}}


def _membership(value: ast.expr, operator: str, name: str, *, negate: bool) -> Filter:
    """`"Te" in elements` as a filter: a list holds a value."""
    if name not in LISTS:
        hint = f"use == or a list in brackets; lists are {', '.join(LISTS)}"
        raise QueryError(f"'{ast.unparse(value)} in {name}': {name} is no list; {hint}")
    field, kind = field_of(name)
    values = _spelled(value, name, kind)
    # For MongoDB a list equals whatever it holds.
    is_in = (operator == "$in") != negate
    return _compared(field, "$eq" if is_in else "$ne", values, is_list=False)


def _values(node: ast.expr, name: str, kind: type) -> list[Any]:
    """Several constants of the kind that a field has."""
    if not isinstance(node, ast.Tuple | ast.List):
        raise QueryError(
            f"{name} in {ast.unparse(node)!r}: give a list in brackets, such as ['SnO', 'PbO']"
        )
    values = []
    for item in node.elts:
        values += _spelled(item, name, kind)
    return values


def _spelled(node: ast.expr, name: str, kind: type) -> list[Any]:
    """A constant of the kind that a field has, in each way in which documents may spell it."""
    value = _value(node, name, kind)
    return spellings(name, value) if kind is str else [value]


def _value(node: ast.expr, name: str, kind: type) -> Any:
    """A constant of the kind that a field has."""
    is_number, sign = kind in (int, float), 1
    # Python's grammar has no negative numbers: -1 is the operator `-` before the constant 1.
    if is_number and isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    value: Any = node.value if isinstance(node, ast.Constant) else None
    if not _is_of_kind(value, kind):
        raise QueryError(f"{name} is compared with {ast.unparse(node)!r}; give {WANTED[kind]}")
    if not is_number:
        return value
    signed = sign * value
    return signed - FIRST_ROUND if name == ROUND else signed


def _is_of_kind(value: object, kind: type) -> bool:
    # In Python True is an int too; here it is no number.
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, kind)
