"""Conditions on hits, such as `band_gap > 0.3 and e_above_hull < 0.05`, turned into MongoDB's
filters.

The text is parsed by Python's own grammar and only a few kinds of nodes are taken; nothing of it is
ever run. A value that is not known passes no condition, neither a comparison nor its negation.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.errors import QueryError, not_one_of
from gen2dft.properties import PROPERTIES
from gen2dft.store.connect import reason_of
from gen2dft.store.documents import EVIDENCE_FIELDS, stored_evidence
from gen2dft.store.filters import (
    MAX_DEPTH,
    MAX_LENGTH,
    Filter,
    check_filter,
    parse_filter,
    shortened,
)
from gen2dft.store.states import LABELLED_STATES

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc, HitDoc
    from gen2dft.store.store import Store

EXAMPLE = "write it like 'band_gap > 0.3 and e_above_hull < 0.05'"
# What may be asked for besides properties: name to field of a hit and the kind of its values.
FIELDS: dict[str, tuple[str, type]] = {
    "formula": ("formula", str),
    "spacegroup": ("spacegroup", str),
    "round": ("round_index", int),
    "is_dft": ("is_dft", bool),
    "evidence": ("evidence", str),
    "chance": ("stability.chance", float),
    "source": ("source", str),
}
SOURCE = "source"  # hits do not carry it, their candidates do
EVIDENCE = "evidence"  # hits of version 0.1.0 do not carry it
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
# How messages ask for a value of a kind.
WANTED: dict[type, str] = {
    float: "a number",
    int: "a whole number",
    bool: "True or False",
    str: "a text in quotes",
}


def query_hits(store: Store, query: str, campaign_id: str) -> list[HitDoc]:
    """Hits of a campaign that meet a filter of MongoDB written as JSON, in the order of their ids.

    Raises
    ------
    QueryError
        The filter is not understood, asks for more than comparisons, or takes too long.
    """
    from pymongo.errors import OperationFailure

    parsed = parse_filter(query)
    if "campaign_id" in parsed:
        raise QueryError("the filter must not name campaign_id; choose it by --campaign")
    try:
        return store.hits(campaign_id, **parsed)
    except OperationFailure as err:
        cause = reason_of(err)
        raise QueryError(f"the database refuses the filter {shortened(query)}: {cause}") from err


def find_hits(store: Store, where: str, campaign_id: str | None = None) -> list[HitDoc]:
    """Hits (of one campaign) that meet a condition, in the order of their ids.

    Parameters
    ----------
    where
        Comparisons of properties (numbers in the property's unit), `formula`, `spacegroup`, `round`
        (from 1), `is_dft`, `evidence` (`dft`, `mixed`, `surrogate`), `chance` (0 to 1, that DFT
        confirms the stability) and `source`, joined by `and`, `or`, `not` and parentheses: `0.3 <
        band_gap < 1.5 and formula in ("SnO", "PbO")`. A crystal that several sources drew is of
        each of them.

    Raises
    ------
    QueryError
        The condition is not understood, or asks for what the hits of this campaign do not carry.
    """
    campaigns = store.campaigns() if campaign_id is None else [store.campaign(campaign_id)]
    properties = set(PROPERTIES)
    for document in campaigns:
        properties.update(_carried(document.spec))
    found = parse_where(where, properties)
    if campaign_id is not None:
        _refuse_others(where, campaigns[0].spec)
    if SOURCE in names_in(where):
        drawn_by: dict[str, tuple[str, ...]] = {}
        for document in campaigns:
            drawn_by |= sources_of_hits(store, document)
        found = _by_id(found, SOURCE, drawn_by)
    if EVIDENCE in names_in(where):
        known: dict[str, tuple[str, ...]] = {}
        for document in campaigns:
            known |= evidence_of_hits(store, document.id)
        found = _by_id(found, EVIDENCE, known)
    return store.hits(campaign_id, **found)


def sources_of_hits(store: Store, campaign: CampaignDoc) -> dict[str, tuple[str, ...]]:
    """Id of each hit to the sources that drew its crystal, the candidate's own one first.

    Candidates that are labelled and no hits may be among them.
    """
    sources = stored_campaign(campaign).sources
    if len(sources) == 1:
        hits = store.hit_fields(campaign.id, ("candidate_id",))
        return {hit["_id"]: (sources[0].label,) for hit in hits}
    # A hit is written before its candidate's state becomes `hit`.
    is_labelled = {"$in": list(LABELLED_STATES)}
    drawn_by = {}
    for found in store.candidate_fields(campaign.id, (SOURCE, "also_from"), state=is_labelled):
        drawn_by[found["_id"]] = (found[SOURCE], *found["also_from"])
    return drawn_by


def evidence_of_hits(store: Store, campaign_id: str) -> dict[str, tuple[str]]:
    """Id of each hit to its evidence."""
    found = store.hit_fields(campaign_id, EVIDENCE_FIELDS)
    return {hit["_id"]: (stored_evidence(hit),) for hit in found}


def files_of_hits(store: Store, campaign: CampaignDoc) -> dict[str, str]:
    """Id of each hit to the file of its crystal; empty where a generator made them."""
    if not any(source.frozen_snapshot for source in stored_campaign(campaign).sources):
        return {}
    is_labelled = {"$in": list(LABELLED_STATES)}
    found = store.candidate_fields(campaign.id, ("origin",), state=is_labelled)
    return {candidate["_id"]: candidate.get("origin") or "" for candidate in found}


def _by_id(condition: Filter, field: str, texts: Mapping[str, Sequence[str]]) -> Filter:
    """A filter whose conditions on a field are conditions on the ids of hits.

    Parameters
    ----------
    texts
        Id of each hit to the texts of the field.
    """
    resolved: Filter = {}
    for key, value in condition.items():
        if key == field:
            resolved["_id"] = {"$in": _passing(value, texts)}
        elif key in ("$and", "$or"):
            resolved[key] = [_by_id(part, field, texts) for part in value]
        else:
            resolved[key] = value
    return resolved


def _passing(comparison: Filter, texts: Mapping[str, Sequence[str]]) -> list[str]:
    """Hits whose texts pass: with `$nin` none of them may be among the values, else one must."""
    ((operator, wanted),) = comparison.items()
    names = set(wanted) if isinstance(wanted, list) else {wanted}
    is_excluded = operator == "$nin"
    return [hit for hit, said in texts.items() if names.isdisjoint(said) == is_excluded]


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
    found = _filter(condition, negate=False)
    known = {*properties, *FIELDS}
    for name in sorted(_names(condition)):
        if name not in known:
            raise QueryError(not_one_of("property or field of a hit", name, known))
    check_filter(found)
    return found


def names_in(text: str) -> set[str]:
    """Properties and fields that a condition asks for."""
    return _names(_parse(text))


def _names(condition: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(condition) if isinstance(node, ast.Name)}


def _carried(spec: Mapping[str, Any]) -> list[str]:
    """Properties of a campaign's hits: its targets."""
    return [target["property"] for target in spec["targets"]]


def _refuse_others(where: str, spec: Mapping[str, Any]) -> None:
    """Refuse properties that the campaign's hits do not carry."""
    carried = _carried(spec)
    asked_for = names_in(where) - set(FIELDS)
    for name in sorted(asked_for):
        if name not in carried:
            raise QueryError(
                f"hits of campaign {spec['name']} carry no {name}: it is no target; they carry "
                f"{', '.join(carried)}"
            )


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
        field, kind = _field(node.id)
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
    """`name operator value`, or the other way round, as a filter."""
    what = f"{ast.unparse(left)} ... {ast.unparse(right)}"
    if operator in TURNED and isinstance(right, ast.Name) and not isinstance(left, ast.Name):
        left, operator, right = right, TURNED[operator], left
    if not isinstance(left, ast.Name) or isinstance(right, ast.Name) or operator not in NEGATED:
        raise QueryError(f"{what!r} does not compare a property with a value; {EXAMPLE}")
    field, kind = _field(left.id)
    if operator in ORDER and kind not in (int, float):
        raise QueryError(f"{what!r}: {left.id} has no order; use ==, != or in")
    if operator in ("$in", "$nin"):
        value: Any = _values(right, left.id, kind)
    else:
        value = _value(right, left.id, kind)
    if negate:
        operator = NEGATED[operator]
    # MongoDB lets unknown values pass `$ne` and `$nin`, so they are excluded by name.
    if operator == "$ne":
        return {field: {"$nin": [value, None]}}
    if operator == "$nin":
        return {field: {"$nin": [*value, None]}}
    return {field: {operator: value}}


def _field(name: str) -> tuple[str, type]:
    """Field of a hit and kind of its values."""
    return FIELDS.get(name, (f"values.{name}", float))


def _values(node: ast.expr, name: str, kind: type) -> list[Any]:
    """Several constants of the kind that a field has."""
    if not isinstance(node, ast.Tuple | ast.List):
        raise QueryError(
            f"{name} in {ast.unparse(node)!r}: give a list in brackets, such as ['SnO', 'PbO']"
        )
    return [_value(item, name, kind) for item in node.elts]


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
    return signed - FIRST_ROUND if name == "round" else signed


def _is_of_kind(value: object, kind: type) -> bool:
    # In Python True is an int too; here it is no number.
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, kind)
