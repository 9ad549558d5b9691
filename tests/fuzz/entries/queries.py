"""Conditions on hits: `--where` and `--query`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.fuzz import mutations
from tests.fuzz.case import Case
from tests.fuzz.values import PLAIN_VALUES

ENTRY = "queries"
Draw = Callable[[Any], Any]

CONDITIONS = (
    "band_gap > 0.3 and e_above_hull < 0.05",
    "not (power_factor >= 2 or band_gap == 1) and round == 1",
    "formula == 'SrTiO3'",
    "0.1 < band_gap < 2",
    "is_dft and evidence == 'dft'",
    "spacegroup != 'Pm-3m' or chance > 0.5",
    "formula in ['SrTiO3', 'BaTiO3'] and source == 'ftcp'",
)
TOKEN = re.compile(r"\w+(?:\.\w+)?|[<>=!]=?|'[^']*'|[()\[\],]")
WRONG_TOKENS = (
    "nan", "inf", "1e999", "-1", "10**10**10", "9" * 5000, "None", "True", "lambda: 0",
    "__import__('os').system('true')", "x.__class__", "band_gap()", "band_gap[0]", "'", '"', "(",
    ")", "[" * 300, "(" * 300, "not " * 300, "-" * 3000, "\0", "\n", "\u0661", "é", "🧪", "#", ";",
    "=", ":=", "if", "f'{x}'", "b'x'", "1j", "0x10", "1_0", "...", "*", "**", "@", "'" + "x" * 3000
    + "'", "[band_gap]", "{'a': 1}", "{1, 2}", "gap", "BAND_GAP", "band_gap.x", "$where", "is",
    "is not None", "yield", "await x", "and", "or", "\\", "`x`", "'a' 'b'", "1e-400", "[]", "()",
)  # fmt: skip

FILTERS: tuple[dict[str, Any], ...] = (
    {"values.band_gap": {"$lt": 1}},
    {"$and": [{"values.band_gap": {"$gt": 0.1}}, {"formula": {"$in": ["SrTiO3", "BaTiO3"]}}]},
    {"$or": [{"round_index": 1}, {"formula": {"$regex": "^Sr"}}]},
    {"formula": {"$not": {"$regex": "O3$"}}, "is_dft": True},
    {"values.band_gap": {"$exists": True}, "spacegroup": {"$ne": "Pm-3m"}},
)
OPERATORS = (
    "$where", "$expr", "$function", "$accumulator", "$regex", "$options", "$size", "$elemMatch",
    "$type", "$mod", "$text", "$near", "$geoWithin", "$jsonSchema", "$comment", "$rand", "$all",
    "$nor", "$not", "$in", "$gt", "$", "$nope", "_id", "", ".", "a..b", "values.", "\0", "$set",
)  # fmt: skip
QUERY_TEXTS = {
    "empty": "", "list": "[]", "number": "1", "text": '"x"', "null": "null", "nan": "NaN",
    "nothing": " ", "deep": '{"a":' * 3000, "deep and": '{"$and":[' * 200 + "{}" + "]}" * 200,
    "slow regex": '{"formula": {"$regex": "(([A-Za-z]+)+)+$"}}',
    "slow groups": '{"formula": {"$regex": "(.*)*(.*)*(.*)*9"}}',
    "bad regex": '{"formula": {"$regex": "("}}', "bad repeat": '{"formula": {"$regex": "a{9999}"}}',
    "options": '{"formula": {"$regex": "a", "$options": "zzz"}}',
    "code": '{"$where": "while (true) {}"}', "python": "{'a': 1}", "date":
    '{"created": {"$date": "2026-13-45"}}', "object id": '{"_id": {"$oid": "x"}}',
    "number long": '{"a": {"$numberLong": "x"}}', "huge": '{"round_index": ' + "9" * 400 + "}",
    "beyond double": '{"round_index": 1e999}', "key twice": '{"a": 1, "a": 2}',
    "surrogate": '{"formula": "\\ud800"}', "null byte": '{"formula\\u0000": 1}',
    "many": json.dumps({"$or": [{"round_index": number} for number in range(3000)]}),
    "long": json.dumps({"formula": "x" * 100_000}), "trailing": "{} x", "comment": "{} // x",
}  # fmt: skip


def _case(verb: str, option: str, damaged: mutations.Damaged) -> Case:
    argv = (verb, f"{option}={damaged.content}")
    return Case(ENTRY, f"{option} {damaged.kind}", damaged.place, argv)


def valid_queries() -> list[Case]:
    """Conditions and filters as they are."""
    texts = [("--where", text) for text in CONDITIONS]
    texts += [("--query", json.dumps(found)) for found in FILTERS]
    kind = mutations.NOTHING
    return [_case("hits", name, mutations.Damaged(text, kind, "")) for name, text in texts]


@st.composite
def queries(draw: Draw) -> Case:
    """A condition with damaged words, or a filter with damaged parts."""
    if draw(st.booleans()):
        damaged = draw(_conditions() | _free())
        return _case("hits", "--where", damaged)
    return _case("hits", "--query", draw(_filters())) if draw(st.booleans()) else draw(_others())


@st.composite
def _conditions(draw: Draw) -> mutations.Damaged:
    """One or two tokens replaced, deleted, doubled or swapped."""
    text = draw(st.sampled_from(CONDITIONS))
    kinds = []
    for _ in range(draw(st.sampled_from((1, 1, 2)))):
        found = list(TOKEN.finditer(text))
        if not found:
            break
        token = draw(st.sampled_from(found))
        way = draw(st.sampled_from(("replaced", "replaced", "deleted", "doubled", "in brackets")))
        word = token.group()
        new = {
            "replaced": draw(st.sampled_from(WRONG_TOKENS)),
            "deleted": "",
            "doubled": f"{word} {word}",
            "in brackets": f"({word})",
        }[way]
        kinds.append(f"token {way}" + (f" by {new:.16}" if way == "replaced" else ""))
        text = text[: token.start()] + new + text[token.end() :]
    return mutations.Damaged(text, " + ".join(kinds), "condition")


@st.composite
def _free(draw: Draw) -> mutations.Damaged:
    text = draw(st.text(st.characters(exclude_categories=("Cs",)), max_size=30))
    return mutations.Damaged(text, "free text", "condition")


@st.composite
def _filters(draw: Draw) -> mutations.Damaged:
    way = draw(st.sampled_from(("parts", "parts", "operator", "text", "bytes")))
    if way == "text":
        kind = draw(st.sampled_from(sorted(QUERY_TEXTS)))
        return mutations.Damaged(QUERY_TEXTS[kind], f"filter: {kind}", "text")
    base = draw(st.sampled_from(FILTERS))
    if way == "parts":
        damaged = draw(mutations.documents(base, PLAIN_VALUES))
        return damaged._replace(content=json.dumps(damaged.content))
    text = json.dumps(base)
    if way == "operator":
        old = draw(st.sampled_from(sorted(set(re.findall(r'"(\$\w+|[a-z_.]+)":', text)))))
        new = draw(st.sampled_from(OPERATORS))
        changed = text.replace(json.dumps(old), json.dumps(new))
        return mutations.Damaged(changed, f"operator: {new}", old)
    damaged = draw(mutations.byte_damage(text.encode()))
    return damaged._replace(content=damaged.content.decode("utf-8", "replace"))


@st.composite
def _others(draw: Draw) -> Case:
    """Names of campaigns and candidates."""
    word = draw(st.sampled_from(WRONG_TOKENS) | st.text(max_size=20))
    word = word.encode("utf-8", "replace").decode()
    way = draw(
        st.sampled_from(
            (("hits", "--campaign"), ("show",), ("status",), ("candidates", "--campaign"))
        )
    )
    argv = (way[0], f"{way[1]}={word}") if len(way) == 2 else (way[0], "--", word)
    return Case(ENTRY, f"name for {way[0]}", f"{word!r:.30}", argv)
