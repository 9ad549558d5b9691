"""Conditions on hits, such as `band_gap > 0.3 and e_above_hull < 0.05`, turned into MongoDB's
filters.

The text is parsed by Python's own grammar and only a few kinds of nodes are taken; nothing of it is
ever run. A value that is not known passes no condition, neither a comparison nor its negation.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from gen2dft.errors import QueryError, not_one_of
from gen2dft.properties import PROPERTIES

if TYPE_CHECKING:
    from gen2dft.store.documents import HitDoc
    from gen2dft.store.store import Store

MAX_LENGTH = 2000
EXAMPLE = "write it like 'band_gap > 0.3 and e_above_hull < 0.05'"
# What may be asked for besides properties: name to field of a hit and the kind of its values.
FIELDS: dict[str, tuple[str, type]] = {
    "formula": ("formula", str),
    "spacegroup": ("spacegroup", str),
    "round": ("round_index", int),
    "is_dft": ("is_dft", bool),
}
FIRST_ROUND = 1  # readers count rounds from 1, the database from 0
OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Lt: "$lt", ast.LtE: "$lte", ast.Gt: "$gt", ast.GtE: "$gte", ast.Eq: "$eq", ast.NotEq: "$ne",
    ast.In: "$in", ast.NotIn: "$nin",
}  # fmt: skip
TURNED = {"$lt": "$gt", "$lte": "$gte", "$gt": "$lt", "$gte": "$lte", "$eq": "$eq", "$ne": "$ne"}
NEGATED = {
    "$lt": "$gte", "$gte": "$lt", "$gt": "$lte", "$lte": "$gt", "$eq": "$ne", "$ne": "$eq",
    "$in": "$nin", "$nin": "$in",
}  # fmt: skip
ORDER = ("$lt", "$lte", "$gt", "$gte")

Filter = dict[str, Any]


def find_hits(store: Store, where: str, campaign_id: str | None = None) -> list[HitDoc]:
    """Hits (of one campaign) that meet a condition, in the order of their ids.

    Parameters
    ----------
    where
        Comparisons of properties (numbers in the property's unit), `formula`, `spacegroup`, `round`
        (from 1) and `is_dft`, joined by `and`, `or`, `not` and parentheses: `0.3 < band_gap < 1.5
        and formula in ("SnO", "PbO")`.

    Raises
    ------
    QueryError
        The condition is not understood, or asks for what the hits of this campaign do not carry.
    """
    campaigns = store.campaigns() if campaign_id is None else [store.campaign(campaign_id)]
    wanted = {target["property"] for document in campaigns for target in document.spec["targets"]}
    found = parse_where(where, {*PROPERTIES, *wanted})
    if campaign_id is not None:
        _carried(where, campaigns[0].spec)
    return store.hits(campaign_id, **found)


def parse_where(text: str, properties: Collection[str] = PROPERTIES) -> Filter:
    """The filter that a condition means, for `database.hits.find`.

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
    found = _filter(condition, negate=False)
    for name in sorted(_names(condition) - set(FIELDS) - set(properties)):
        raise QueryError(not_one_of("property or field of a hit", name, [*properties, *FIELDS]))
    return found


def names_in(text: str) -> set[str]:
    """Properties and fields that a condition asks for."""
    return _names(_parse(text))


def _names(condition: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(condition) if isinstance(node, ast.Name)}


def _carried(where: str, spec: Mapping[str, Any]) -> None:
    """Refuse properties that are no targets: hits carry the values of their campaign's targets."""
    carried = [target["property"] for target in spec["targets"]]
    for name in sorted(names_in(where) - set(FIELDS)):
        if name not in carried:
            raise QueryError(
                f"hits of campaign {spec['name']} carry no {name}: it is no target; they carry "
                f"{', '.join(carried)}"
            )


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise QueryError(f"a condition has at most {MAX_LENGTH} characters, this one {len(text)}")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as err:
        raise QueryError(f"condition {text!r} is not understood: {err}; {EXAMPLE}") from err


def _filter(node: ast.expr, *, negate: bool) -> Filter:
    """The filter of a node.

    Negations are pushed down to the comparisons, so that unknown values never pass.
    """
    if isinstance(node, ast.BoolOp):
        parts = [_filter(value, negate=negate) for value in node.values]
        return {"$and" if isinstance(node.op, ast.And) != negate else "$or": parts}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _filter(node.operand, negate=not negate)
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        links = [
            _comparison(left, OPERATORS.get(type(operator), ""), right, negate=negate)
            for left, operator, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
        return links[0] if len(links) == 1 else {"$or" if negate else "$and": links}
    if isinstance(node, ast.Name) and FIELDS.get(node.id, ("", str))[1] is bool:
        return {FIELDS[node.id][0]: not negate}
    raise QueryError(f"{ast.unparse(node)!r} is no comparison; {EXAMPLE}")


def _comparison(left: ast.expr, operator: str, right: ast.expr, *, negate: bool) -> Filter:
    """`name operator value`, or the other way round, as a filter."""
    what = f"{ast.unparse(left)} ... {ast.unparse(right)}"
    if isinstance(right, ast.Name) and not isinstance(left, ast.Name) and operator in TURNED:
        left, operator, right = right, TURNED[operator], left
    if not isinstance(left, ast.Name) or isinstance(right, ast.Name) or operator not in NEGATED:
        raise QueryError(f"{what!r} does not compare a property with a value; {EXAMPLE}")
    field, kind = _field(left.id)
    if operator in ORDER and kind not in (int, float):
        raise QueryError(f"{what!r}: {left.id} has no order; use ==, != or in")
    value = _value(right, left.id, kind, several=operator in ("$in", "$nin"))
    operator = NEGATED[operator] if negate else operator
    if operator in ("$ne", "$nin"):  # MongoDB lets unknown values pass these
        return {field: {"$nin": [*(value if isinstance(value, list) else [value]), None]}}
    return {field: {operator: value}}


def _field(name: str) -> tuple[str, type]:
    """Field of a hit and kind of its values."""
    return FIELDS.get(name, (f"values.{name}", float))


def _value(node: ast.expr, name: str, kind: type, *, several: bool) -> Any:
    """A constant, or several, of the kind that a field has."""
    if several:
        if not isinstance(node, ast.Tuple | ast.List):
            raise QueryError(
                f"{name} in {ast.unparse(node)!r}: give a list in brackets, such as ['SnO', 'PbO']"
            )
        return [_value(item, name, kind, several=False) for item in node.elts]
    is_number, sign = kind in (int, float), 1
    if is_number and isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    value: Any = node.value if isinstance(node, ast.Constant) else None
    is_of_kind = isinstance(value, (int, float) if kind is float else kind)
    if isinstance(value, bool) != (kind is bool) or not is_of_kind:
        wanted = {
            float: "a number",
            int: "a whole number",
            bool: "True or False",
            str: "a text in quotes",
        }[kind]
        raise QueryError(f"{name} is compared with {ast.unparse(node)!r}; give {wanted}")
    if not is_number:
        return value
    return sign * value - (FIRST_ROUND if name == "round" else 0)
