"""YAML as people write it is a value or one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from gen2dft.errors import CampaignError, Gen2DFTError
from gen2dft.plain_yaml import MOST_CHARACTERS, read_yaml, read_yaml_file

BOMB = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else '1'}]" for i in range(12))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("\ufeffa: 1", {"a": 1}),
        ("a: 24:00:00", {"a": "24:00:00"}),
        ("a: 2026-13-45", {"a": "2026-13-45"}),
        ("a: 2026-12-01", {"a": "2026-12-01"}),
        ("[0101, 0x10, 1_000, 0]", ["0101", 16, 1000, 0]),
        ("[1.5e-3, -2., .5, 1e-3]", [1.5e-3, -2.0, 0.5, "1e-3"]),
        ("[yes, ~, null, =]", [True, None, None, "="]),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    ],
)
def test_plain_values(text: str, value: object):
    assert read_yaml(text, "x") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", r"\(line 3\): key 'a' is there twice: drop one of them"),
        ("a: {b: 1, b: 2}", "key 'b' is there twice"),
        ("!!python/object/apply:os.system [id]", "tag .* is not read here: write plain values"),
        ("a: !!binary aGk=", "tag .* is not read here"),
        ("a: !!float abc", "tag .* is not read here"),
        ("[" * 3000, "nested more than 40 levels deep"),
        ("- " * 3000, "nested more than 40 levels deep"),
        (BOMB, "more than 100,000 values, aliases written out"),
        ("&a [*a]", "more than 100,000 values"),
        ("a: .nan", r"\.nan is no finite number"),
        ("a: -.inf", "no finite number"),
        ("9" * 5000, "a number of 5,000 digits"),
        ("a: 0x_", "invalid literal"),
        ("--- 1\n--- 2", "another document"),
        ("a:\n\tb: 1", "cannot start any token"),
        ("\x00", "special characters are not allowed"),
        ("*x", "undefined alias"),
        ("? [a]\n: 1", "unhashable key"),
        ("x" * (MOST_CHARACTERS + 1), "is too long"),
    ],
)
def test_all_else_is_one_sentence(text: str, message: str):
    with pytest.raises(CampaignError, match=message) as refused:
        read_yaml(text, "my.yaml", CampaignError)
    assert str(refused.value).startswith("my.yaml is ")
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read settings .*x.yaml: No such file"),
        ("folder", "it is a folder; mend it"),
        (b"\xff\xfea", "byte 0 is not UTF-8 text; save the file as UTF-8; mend it"),
        (b"a: [", r"is not valid YAML \(line 1\).*; mend it"),
        (b"#" * 5_000_000, "5,000,000 bytes, too many"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | str | None, message: str):
    path = tmp_path / "x.yaml"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(Gen2DFTError, match=message):
        read_yaml_file(path, "settings", Gen2DFTError, "mend it")


def test_a_device_is_no_file():
    with pytest.raises(Gen2DFTError, match="it is no regular file"):
        read_yaml_file(Path("/dev/zero"), "settings", Gen2DFTError)
