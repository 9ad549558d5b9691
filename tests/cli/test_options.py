"""Options of every verb: numbers within bounds, paths of the right kind."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from gen2dft.cli import app as cli
from gen2dft.cli.options import in_file, in_folder, in_path, number, out_file, out_folder
from gen2dft.errors import Gen2DFTError

NOT_FINITE = ("nan", "inf", "-inf", "1e999", "9" * 400)


def functions() -> Iterator[tuple[str, Any]]:
    for name, verb in cli.VERBS.items():
        target = getattr(importlib.import_module(f"gen2dft.cli.{verb.module}"), verb.attribute)
        if isinstance(target, typer.Typer):
            for command in target.registered_commands:
                yield f"{name} {command.callback.__name__}", command.callback
        else:
            yield name, target


def options() -> Iterator[tuple[str, str, Any]]:
    """Place, type and Typer's description of each option and argument."""
    for verb, function in functions():
        for name, hint in get_type_hints(function, include_extras=True).items():
            if get_origin(hint) is Annotated:
                kind, *described = get_args(hint)
                yield f"{verb} {name}", str(kind), described[0]


OPTIONS = list(options())
PATHS = (in_file, in_folder, in_path, out_file, out_folder)


def test_every_whole_number_of_every_verb_has_two_bounds():
    whole = [(place, option) for place, kind, option in OPTIONS if "int" in kind.split("'")]
    whole += [(place, option) for place, kind, option in OPTIONS if kind.startswith("int |")]
    assert len(whole) > 20
    assert [place for place, option in whole if None in (option.min, option.max)] == []


def test_no_verb_takes_a_number_that_is_not_finite():
    numbers = [option for _, kind, option in OPTIONS if "float" in kind]
    assert len(numbers) >= 4
    for option in numbers:
        for text in NOT_FINITE:
            with pytest.raises(typer.BadParameter, match="is no number from"):
                option.parser(text)


def test_every_path_goes_through_our_kinds():
    paths = [(place, option.parser) for place, kind, option in OPTIONS if "Path" in kind]
    assert len(paths) > 20
    assert [place for place, parser in paths if parser not in PATHS] == []


@pytest.mark.parametrize(
    ("kind", "path", "message"),
    [
        (in_file, "", "is a folder: choose a file"),
        (in_file, "/dev/zero", "is a device or pipe: choose a file"),
        (out_file, "", "is a folder: choose a file"),
        (out_file, "/dev/null", "is a device or pipe: choose a file"),
        (in_folder, "a.txt", "is a file: choose a folder"),
        (out_folder, "a.txt", "is a file: choose a folder"),
        (in_path, "/dev/zero", "is a device or pipe: choose a file or folder"),
        (in_file, "a\x00b", "cannot be used: embedded null byte; choose"),
        (in_file, "x" * 5000, "cannot be used: File name too long"),
    ],
)
def test_paths_of_the_wrong_kind(tmp_path: Path, kind: Any, path: str, message: str):
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(Gen2DFTError, match=message):
        kind(str(tmp_path / path))


def test_paths_of_the_right_kind_or_of_nothing_yet(tmp_path: Path):
    (tmp_path / "a.txt").write_text("a")
    for kind, name in ((in_file, "a.txt"), (out_file, "new"), (in_folder, ""), (in_path, "a.txt")):
        assert kind(str(tmp_path / name)) == tmp_path / name


def test_numbers_within_bounds():
    assert number(1, 10)("2.5") == 2.5
    with pytest.raises(typer.BadParameter, match=r"'0\.5' is no number from 1 to 10 s"):
        number(1, 10, "s")("0.5")
    assert math.isfinite(number(0, 1)("1e-3"))


def test_a_long_value_makes_no_long_message():
    result = CliRunner().invoke(cli.app, ["submit", "-c", "x", "--rounds", "9" * 100_000])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) <= 20
