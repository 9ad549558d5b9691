from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from gen2dft.errors import OutputError
from gen2dft.generators.checkpoint import Checkpoint, CheckpointFile

STORED = Checkpoint([{"epoch": 1.0, "loss": 2.5}], {"w": np.arange(5.0), "n": np.array(3)})


def test_what_is_saved_is_loaded(tmp_path: Path):
    CheckpointFile(tmp_path / "new", "abc").save(STORED)
    loaded = CheckpointFile(tmp_path / "new", "abc").load()
    assert loaded is not None
    assert loaded.history == STORED.history
    assert all((loaded.arrays[k] == v).all() for k, v in STORED.arrays.items())
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_another_training_does_not_take_it_up(tmp_path: Path):
    CheckpointFile(tmp_path, "abc").save(STORED)
    assert CheckpointFile(tmp_path, "xyz").load() is None


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_half_written_file_is_ignored_with_a_warning(
    tmp_path: Path, kept: int, caplog: pytest.LogCaptureFixture
):
    file = CheckpointFile(tmp_path, "abc")
    file.save(STORED)
    file.path.write_bytes(file.path.read_bytes()[:kept])
    with caplog.at_level(logging.WARNING):
        assert file.load() is None
    assert "is damaged" in caplog.text and "starts from the beginning" in caplog.text


def test_removing_is_idempotent(tmp_path: Path):
    file = CheckpointFile(tmp_path, "abc")
    file.save(STORED)
    file.remove()
    file.remove()
    assert file.load() is None


def test_no_folder_means_no_checkpoints():
    file = CheckpointFile(None, "abc")
    file.save(STORED)
    file.remove()
    assert file.load() is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        OutputError, match=r"cannot write checkpoint .*file.*choose a writable folder"
    ):
        CheckpointFile(tmp_path / "file" / "folder", "abc").save(STORED)
