"""Cells: ids are text, labels are numbers as programs write them."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from gen2dft.datasets.cells import NoNumber, id_text, number, numbers
from gen2dft.errors import DatasetError
from gen2dft.input_files import shown

KEPT = [
    "0001",
    "101",
    "1e5",
    "NaN",
    "NA",
    "None",
    "null",
    "True",
    "-0",
    "1.00",
    "0x10",
    "日本",
    "2026-01",
]


@pytest.mark.parametrize("text", KEPT)
def test_ids_stay_what_they_are(text: str) -> None:
    assert id_text(text) == text
    assert id_text(f" {text}\t") == text


def test_whole_numbers_are_ids_and_empty_cells_are_none() -> None:
    assert id_text(101) == "101"
    assert id_text("") is id_text("  ") is id_text(None) is id_text(math.nan) is None


@pytest.mark.parametrize("cell", [1.5, 1.0, True, [1], {"a": 1}, b"a"])
def test_what_has_no_text_of_its_own_is_no_id(cell: object) -> None:
    with pytest.raises(ValueError, match="is no text: write ids in quotes"):
        id_text(cell)


@pytest.mark.parametrize("text", ["a\0", "a\nb", "a\x1b[31m", "\ud800"])
def test_control_characters_in_ids_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="holds a control character"):
        id_text(text)


@pytest.mark.parametrize(
    ("cell", "value"),
    [("-2.1", -2.1), (" 1e-3 ", 1e-3), ("+.5", 0.5), ("5.", 5), (3, 3), (Decimal("0.5"), 0.5)],
)
def test_numbers_as_programs_write_them(cell: object, value: float) -> None:
    assert number(cell) == value


@pytest.mark.parametrize("cell", ["", " ", "nan", "NaN", "NA", "#N/A", "null", "None", None])
def test_missing_labels_as_programs_write_them(cell: object) -> None:
    assert math.isnan(number(cell))


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e400", 10**400, math.inf])
def test_infinite_labels_are_infinite_for_the_check_behind(cell: object) -> None:
    assert math.isinf(number(cell))


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("-2,1", "a decimal comma: write a point"),
        ("1,234,567", "a decimal comma"),
        ("\N{MINUS SIGN}2.1", r"U\+2212 \(MINUS SIGN\) stands for a minus"),
        ("\N{EN DASH}2.1", r"U\+2013 \(EN DASH\)"),
        ("#DIV/0!", "an error of the spreadsheet"),
        ("-2.1 eV/atom", "'eV/atom' behind a number"),
        ("TRUE", "truth values"),
        (True, "truth values"),
    ],
)
def test_what_is_no_number_says_why(cell: object, why: str) -> None:
    with pytest.raises(NoNumber, match=why):
        number(cell)


NO_NUMBERS = ["-", "1_000", "\N{FULLWIDTH DIGIT ONE}", "(2)", "--1", "1 2", [1], {"a": 1}, "'1"]


@pytest.mark.parametrize("cell", NO_NUMBERS)
def test_what_python_or_a_person_would_read_is_no_number(cell: object) -> None:
    with pytest.raises(NoNumber):
        number(cell)


def test_a_column_names_its_broken_cells_and_the_reasons_once() -> None:
    ids = ["a", "b", "c", "d", "e"]
    with pytest.raises(DatasetError) as refused:
        numbers(["1,5", "2,5", "-", "x" * 500, "3"], ids, "t.csv: column 'gap'")
    text = str(refused.value)
    assert text.startswith("t.csv: column 'gap' is not a number for a ('1,5'), b ('2,5'), c ('-')")
    assert text.count("a decimal comma") == 1
    assert " and 1 more" in text
    assert len(text) < 300


def test_cells_in_messages_are_short_and_no_dump_of_a_dictionary() -> None:
    assert shown({"@module": "os"}) == "an object"
    assert shown([1, 2]) == "a list"
    assert len(shown("x" * 1000)) < 50
