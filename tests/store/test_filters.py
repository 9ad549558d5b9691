"""Filters of readers: comparisons pass, whatever could cost a database minutes does not."""

from __future__ import annotations

import json
import re

import pytest

from gen2dft.errors import QueryError
from gen2dft.store.filters import MAX_LENGTH, check_filter, check_pattern, parse_filter


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"formula": "SrTiO3"}',
        '{"values.band_gap": {"$gt": 0.3, "$lt": 1.5}, "is_dft": true, "same_as": null}',
        '{"$or": [{"formula": {"$in": ["SnO", "PbO"]}}, {"round_index": {"$mod": [2, 0]}}]}',
        '{"formula": {"$regex": "^Sr.*O[0-9]+$", "$options": "i"}}',
        '{"formula": {"$not": {"$regex": "\\\\(OH\\\\)|H2O"}}}',
    ],
)
def test_comparisons_pass_as_they_are(text: str) -> None:
    assert parse_filter(text) == json.loads(text)


@pytest.mark.parametrize("operator", ["$where", "$function", "$expr", "$jsonSchema", "$text", "$x"])
@pytest.mark.parametrize(
    "form", ['{"OP": 1}', '{"a": {"OP": 1}}', '{"$and": [{"a": [{"OP": 1}]}]}']
)
def test_whatever_is_no_comparison_is_refused(operator: str, form: str) -> None:
    with pytest.raises(QueryError, match=rf"'{re.escape(operator)}' is not one of"):
        parse_filter(form.replace("OP", operator))


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a*)*b", "(a|aa)+$", ".*.*.*x", "a?" * 20 + "a" * 20, "(?=a)b", r"(a)\1",
     "(a|a)" * 6 + "b", "([a-z]+)*$", "(x+x+)+y", "(a{1,9}){1,9}"],
)  # fmt: skip
def test_a_pattern_that_may_take_minutes_is_refused(pattern: str) -> None:
    with pytest.raises(QueryError, match="may take the database minutes"):
        parse_filter(json.dumps({"formula": {"$regex": pattern}}))


@pytest.mark.parametrize(
    "pattern", ["", "Sr", "^Sr.*O3$", r"\(OH\)", "[(+*)]x", "a|b|c", r"Sr\d+", "(Ti|Zr)O3", r"\++"]
)
def test_a_simple_pattern_passes(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "'nonsense' is not JSON: .*; e.g. -q"),
        ("[1]", "must be a JSON object"),
        ("", "is not JSON"),
        ('{"a": 1, "a": 2}', "names 'a' twice"),
        ('{"a": NaN}', "NaN is no number in JSON"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1e999}', "a is compared with inf"),
        ('{"a": 9223372036854775808}', "a is compared with '9223372036854775808'"),
        ('{"a": "\\ud800"}', "is not valid Unicode"),
        ('{"a": "x\\u0000"}', "holds a character with number 0"),
        ('{"\\u0000": 1}', "holds a character with number 0"),
        ('{"a": {"$regex": 1}}', r"\$regex must be a text of at most 100 characters"),
        ('{"a": {"$regex": "(" }}', r"\$regex '\(' is no regular expression"),
        ('{"a": {"$options": "x"}}', r"\$options may only be 'i'"),
        ('{"a":' * 30 + "1" + "}" * 30, "too large: at most 2000 characters, 20 levels"),
        ('{"a":' * 390 + "1" + "}" * 390, "too large"),
        ("[" * 1990, "is not JSON"),
        ('{"a": "' + "x" * MAX_LENGTH + '"}', "too large"),
        (json.dumps({f"f{n}": n for n in range(120)}), "20 levels and 100 comparisons"),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused_in_a_sentence(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as error:
        parse_filter(text)
    assert len(str(error.value)) < 500


def test_a_long_list_of_values_is_one_comparison() -> None:
    check_filter({"formula": {"$in": [f"A{n}" for n in range(1000)]}})


@pytest.mark.parametrize("key", ["$and", "$or", "$nor", "$in", "$nin", "$all"])
@pytest.mark.parametrize("value", [-1, "x", {"a": 1}])
def test_operators_over_lists_take_lists_alone(key: str, value: object):
    wanted = {key: value} if key in ("$and", "$or", "$nor") else {"formula": {key: value}}
    with pytest.raises(QueryError, match=r"takes a list of (conditions|values)"):
        check_filter(wanted)


def test_a_list_of_conditions_holds_conditions():
    check_filter({"$or": [{"formula": "NaCl"}, {"band_gap": {"$in": [1, 2]}}]})
    with pytest.raises(QueryError, match=r"\$or takes a list of conditions"):
        check_filter({"$or": ["NaCl"]})
