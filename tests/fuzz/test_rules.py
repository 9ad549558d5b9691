"""The rules find what they are for, and the watch hears what leaves a folder."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fuzz.case import Case, Facts, Outcome, lay_out
from tests.fuzz.driver import run_here
from tests.fuzz.rules import broken_rules, verdict
from tests.fuzz.values import CANARY
from tests.fuzz.watch import watched

CASE = Case("data files", "a kind", "a place", ("data", "info", "mine.csv", "--json"))
SUMMARY = {"crystals": 2, "provenance": {"skipped": {"c": "unreadable: no"}}, "labels": {}}
GOOD = Outcome(CASE.argv, 0, json.dumps(SUMMARY), "")
REFUSED = Outcome(CASE.argv, 1, "", "error: mine.csv: no crystals; name another file")
FACTS = Facts(3, frozenset("abc"), {"a": -1.0})


def rules(outcome: Outcome, case: Case = CASE) -> list[str]:
    return [rule for rule, _ in broken_rules(case, [outcome])]


def test_values_and_messages_are_fine():
    assert rules(GOOD) == rules(REFUSED) == []
    assert verdict([GOOD], []) == "accepted"
    assert verdict([REFUSED], []) == "refused"
    assert verdict([replace(GOOD, stderr="1 crystal left out")], []) == "accepted with a remark"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"crash": "Traceback ...", "exit_code": 1}, "traceback"),
        ({"stderr": "Traceback (most recent call last)\n", "exit_code": 1}, "traceback"),
        ({"exit_code": None}, "hang"),
        ({"exit_code": -11}, "exit code"),
        ({"stderr": ""}, "no message"),
        ({"stderr": "a line\n" * 21}, "long message"),
        ({"stderr": "x" * 5000}, "long message"),
        ({"stderr": "error: {'min': 1} is no query"}, "raw repr"),
        ({"stderr": "error: <class 'float'> is wanted"}, "raw repr"),
        ({"stderr": "error: given datetime.date(2026, 2, 28)"}, "raw repr"),
        ({"strays": ("write /etc/passwd",)}, "left its folder"),
    ],
)
def test_what_no_command_may_do(changes: dict[str, object], rule: str):
    assert rule in rules(replace(REFUSED, **changes))


def test_a_message_may_quote_the_input():
    quoting = replace(REFUSED, stderr="error: --set a={'b': 1} is unknown")
    case = replace(CASE, argv=("submit", "--set", "a={'b': 1}"))
    assert rules(quoting, case) == []


def test_crystals_are_kept_or_named():
    known = replace(CASE, facts=FACTS)
    kept = {"a": -1.0, "b": -2.0}
    assert rules(replace(GOOD, kept=kept), known) == []
    assert rules(GOOD, replace(CASE, facts=Facts(4))) == ["read is not kept + named"]
    assert rules(replace(GOOD, kept={"a": -1.0, "nan": 0.0}), known) == ["changed ids"]
    assert rules(replace(GOOD, kept={"a": -9.0, "b": 0.0}), known) == ["changed labels"]


def test_a_crystal_without_an_id_is_named_by_its_line():
    summary = {**SUMMARY, "provenance": {"skipped": {"line 9": "no_id: its cell is empty"}}}
    found = replace(GOOD, stdout=json.dumps(summary), kept=None)
    assert rules(found, replace(CASE, facts=Facts(3, frozenset(["a", "b", "  "])))) == []
    assert rules(found, replace(CASE, facts=FACTS)) == ["changed ids"]


def test_the_second_answer_is_the_first_one():
    other = replace(GOOD, stdout=json.dumps({**SUMMARY, "crystals": 1}))
    assert [rule for rule, _ in broken_rules(CASE, [GOOD, GOOD])] == []
    found = [rule for rule, _ in broken_rules(CASE, [GOOD, other])]
    assert found == ["another answer the second time"]


def test_a_later_command_that_fails_is_found():
    found = [rule for rule, _ in broken_rules(CASE, [GOOD, replace(REFUSED, argv=("status",))])]
    assert found == ["broke another command"]


@pytest.mark.parametrize(
    ("act", "heard"),
    [
        (lambda top: (top.parent / "elsewhere").write_text("x"), "write"),
        (lambda top: (top.parent / "folder").mkdir(), "os.mkdir"),
        (lambda top: (top / "outside" / "secret.txt").read_text(), "read"),
        (lambda top: importlib.util.find_spec(CANARY), "import"),
        (lambda top: socket.socket().connect_ex(("127.0.0.1", 9)), "socket.connect"),
        (lambda top: subprocess.run(["uname", "-p"], capture_output=True), ""),
        (lambda top: subprocess.run(["uname", "-a"], capture_output=True), "subprocess.Popen"),
        (lambda top: (top / "case" / "mine").write_text("x"), ""),
    ],
)
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_what_leaves_the_folder_is_heard(tmp_path: Path, act: Callable[[Path], object], heard: str):
    top = tmp_path / "top"
    lay_out(CASE, top)
    (top / "outside").mkdir()
    (top / "outside" / "secret.txt").write_text("x")
    with watched(top) as watch:
        act(top)
    assert bool(watch.strays) is bool(heard)
    assert all(stray.startswith(heard) for stray in watch.strays)


def test_a_case_runs_in_a_folder_of_its_own(tmp_path: Path):
    case = replace(CASE, files={"mine.csv": b"id,structure\n"}, specials={"link": "dangling"})
    (outcome,) = run_here(case, tmp_path / "top", store=None)
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("error: dataset mine.csv holds no usable crystal")
    assert not outcome.strays
    assert (tmp_path / "top" / "case" / "link").is_symlink()
