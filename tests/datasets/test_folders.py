"""Folders: every file is read, or named as not read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gen2dft.datasets.folders import list_folder
from gen2dft.errors import DatasetError


def folder(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).write_text("x")
    return path


def test_endings_in_any_case_and_packed_are_read(tmp_path: Path) -> None:
    found = list_folder(folder(tmp_path, "A.CIF", "b.cif", "c.mcif", "d.cif.gz", "Labels.CSV"))
    assert list(found.crystals) == ["A", "b", "c", "d"]
    assert found.labels is not None
    assert found.labels.name == "Labels.CSV"
    assert found.unread == ()


def test_all_else_is_named(tmp_path: Path) -> None:
    folder(tmp_path, "a.cif", "POSCAR", "label.csv", ".hidden")
    (tmp_path / "sub").mkdir()
    os.mkfifo(tmp_path / "p.cif")
    (tmp_path / "z.cif").symlink_to("/dev/zero")
    (tmp_path / "gone.cif").symlink_to("/nowhere")
    assert list_folder(tmp_path).unread == (
        "POSCAR",
        "gone.cif (cannot be opened: No such file or directory)",
        "label.csv",
        "p.cif (is a named pipe, not a file)",
        "sub/",
        "z.cif (is a device, not a file)",
    )


def test_names_that_are_no_text_are_named(tmp_path: Path) -> None:
    folder(tmp_path, "a.cif")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.cif")).write_text("x")
    (tmp_path / "e\x1b[31m.cif").write_text("x")
    unread = list_folder(tmp_path).unread
    assert len(unread) == 2
    assert all("its name holds other than text" in name for name in unread)
    assert all(name.isprintable() for name in unread)


def test_two_files_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.CIF and a\.cif in .* would have the same id 'a'"):
        list_folder(folder(tmp_path, "a.cif", "a.CIF"))


def test_two_tables_of_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds Labels\.csv and labels\.csv: keep one"):
        list_folder(folder(tmp_path, "a.cif", "labels.csv", "Labels.csv"))


def test_a_folder_without_crystals_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no \.cif files.*, but POSCAR, b\.xyz"):
        list_folder(folder(tmp_path, "POSCAR", "b.xyz"))
