from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest

from gen2dft.errors import SnapshotError
from gen2dft.generators.base import TrainingResult
from gen2dft.generators.ftcp.generator import FTCPGenerator
from gen2dft.generators.snapshot import HEADER, from_bytes, snapshot_id, to_bytes


@pytest.fixture(scope="module")
def data(trained: tuple[FTCPGenerator, TrainingResult]) -> bytes:
    return to_bytes(trained[0])


def repacked(data: bytes, **changes: object) -> bytes:
    """The same archive with keys of its header changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files[HEADER] = json.dumps(json.loads(files[HEADER]) | changes).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_equal_generators_give_equal_bytes(
    trained: tuple[FTCPGenerator, TrainingResult], data: bytes
):
    assert to_bytes(trained[0]) == data
    assert len(snapshot_id(data)) == 16


def test_the_snapshot_says_what_it_was_made_from(data: bytes, dataset):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        header = json.loads(archive.read(HEADER))
    assert header["config"]["training_set_hash"] == dataset.content_hash
    assert header["config"]["properties"] == ["formation_energy", "band_gap"]
    assert {"seed", "spec", "versions", "elements"} <= set(header["config"])


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.999])
def test_a_snapshot_cut_short_is_refused(data: bytes, kept: float):
    part = data[: int(kept * len(data)) if kept < 1 else int(kept)]
    with pytest.raises(
        SnapshotError, match=r"snapshot 12ab is damaged.*rerun the round's training"
    ):
        from_bytes(part, "snapshot 12ab")


def test_a_flipped_bit_is_refused(data: bytes):
    spoilt = bytearray(data)
    spoilt[len(data) // 2] ^= 4
    with pytest.raises(SnapshotError, match=r"is damaged"):
        from_bytes(bytes(spoilt))


def test_another_format_is_refused(data: bytes):
    with pytest.raises(
        SnapshotError, match=r"has format 99, this version of gen2dft reads 1; use the version"
    ):
        from_bytes(repacked(data, format=99))


def test_an_unknown_generator_is_refused(data: bytes):
    with pytest.raises(SnapshotError, match=r"generator 'fctp' is not one of.*Did you mean 'ftcp'"):
        from_bytes(repacked(data, generator="fctp"))


def test_a_missing_array_is_refused(data: bytes):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as copy:
            for name in archive.namelist():
                if name != "latent_std.npy":
                    copy.writestr(name, archive.read(name))
    with pytest.raises(SnapshotError, match=r"KeyError: 'latent_std'"):
        from_bytes(buffer.getvalue())


def test_weights_that_do_not_fit_are_refused(
    trained: tuple[FTCPGenerator, TrainingResult], data: bytes
):
    config, _ = trained[0].state()
    with pytest.raises(SnapshotError, match=r"is damaged or not a snapshot"):
        from_bytes(repacked(data, config=config | {"max_sites": 6}))


def test_an_untrained_generator_cannot_be_stored():
    with pytest.raises(SnapshotError, match=r"not trained: call `fit`"):
        to_bytes(FTCPGenerator())


def test_statistics_survive(trained: tuple[FTCPGenerator, TrainingResult], data: bytes):
    copy = from_bytes(data)
    assert np.array_equal(copy.latent_mean, trained[0].latent_mean)
    assert np.array_equal(copy.latent_std, trained[0].latent_std)
