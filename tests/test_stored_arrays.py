"""Arrays come back as they were written, and bytes that are none cost neither memory nor time."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from forged_archives import promise_of_terabytes

from gen2dft.stored_arrays import DamagedArrays, read_npy, read_npz, unzipped

ARRAYS = {
    "numbers": np.arange(12.0).reshape(3, 4),
    "by_columns": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "text": np.array("a header"),
    "names": np.array(["a", "bcd"]),
    "none": np.zeros((0, 3)),
    "truth": np.array(True),
}


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def npy(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def test_arrays_come_back_as_they_were_and_may_be_changed() -> None:
    found = read_npz(npz(**ARRAYS))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
    found["numbers"][0, 0] = 7.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(np.array([{}], dtype=object)), "Python objects, which are never read"),
        (promise_of_terabytes(), "says that it has 8,000,000,000,000 bytes and has 0"),
        (npy(np.zeros(3))[:-8], "says that it has 24 bytes and has 16"),
        (npy(np.zeros(3)) + b"more", "says that it has 24 bytes and has 28"),
        (b"", "is damaged"),
        (b"\x93NUMPY\x09\x00" + bytes(100), "is damaged"),
        (b"\x93NUMPY\x01\x00\xff\xff{{{{", "is damaged"),
    ],
)
def test_bytes_that_are_no_array(content: bytes, message: str) -> None:
    with pytest.raises(DamagedArrays, match=message):
        read_npy(content)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = npz(zeros=np.zeros(10**6))
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(DamagedArrays, match="would unpack to 8,000,128 bytes, more than 1,000"):
        unzipped(data, 1000)


def test_every_flipped_byte_gives_arrays_or_one_error() -> None:
    data = npz(a=np.arange(6.0))
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        try:
            read_npz(bytes(damaged))
        except DamagedArrays:
            continue
