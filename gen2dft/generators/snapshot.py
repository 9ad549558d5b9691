"""Snapshots: a trained generator as bytes, addressed by their hash.

A snapshot is a zip archive of `snapshot.json` (format, generator, configuration) and one .npy file
per array. There is no time stamp and no pickle in it: the same generator gives the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from gen2dft.errors import CampaignError, SnapshotError
from gen2dft.generators import load_generator_class
from gen2dft.generators.base import AnyGenerator
from gen2dft.hashing import content_hash
from gen2dft.stored_arrays import BROKEN, DamagedArrays, read_npy, unzipped

FORMAT_VERSION = 1
HEADER = "snapshot.json"
# What a flipped bit or a missing end can make the readers of archives and generators raise.
DAMAGED = (*BROKEN, AttributeError, IndexError, ValidationError, CampaignError)


def to_bytes(generator: AnyGenerator) -> bytes:
    """A trained generator as bytes; equal generators give equal bytes."""
    config, arrays = generator.state()
    return write_archive(
        {"format": FORMAT_VERSION, "generator": generator.name, "config": config}, arrays
    )


def write_archive(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A JSON-able header and named arrays as bytes; equal content gives equal bytes."""
    buffer = io.BytesIO()
    # Stored, not deflated: float weights hardly shrink.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, HEADER, json.dumps(dict(header), sort_keys=True).encode())
        for name in sorted(arrays):
            content = io.BytesIO()
            np.lib.format.write_array(
                content, np.ascontiguousarray(arrays[name]), version=(1, 0), allow_pickle=False
            )
            _add(archive, f"{name}.npy", content.getvalue())
    return buffer.getvalue()


def from_bytes(data: bytes, origin: str = "snapshot") -> AnyGenerator:
    """Inverse of `to_bytes`.

    Gives the same latents, predictions and crystals, bit for bit, on one machine.

    Raises
    ------
    SnapshotError
        The data are damaged or of another format; `origin` is named.
    """
    try:
        header, arrays = read_archive(data)
        if header["format"] != FORMAT_VERSION:
            raise SnapshotError(
                f"{origin} has format {header['format']}, this version of gen2dft reads "
                f"{FORMAT_VERSION}; use the "
                "version that wrote it, or train again"
            )
        return load_generator_class(header["generator"]).from_state(header["config"], arrays)
    except DAMAGED as err:
        raise SnapshotError(
            f"{origin} is damaged or not a snapshot ({type(err).__name__}: {err}); restore it from "
            "a backup of the "
            "store, or rerun the round's training"
        ) from err


def snapshot_id(data: bytes) -> str:
    """Content hash of a snapshot's bytes; 16 hexadecimal digits."""
    return content_hash(data, digits=16)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(
        zipfile.ZipInfo(name), content
    )  # a ZipInfo without date means 1980-01-01, always


def read_archive(data: bytes) -> tuple[Mapping[str, Any], dict[str, NDArray[Any]]]:
    """Inverse of `write_archive`; one of `DAMAGED` if the bytes are no such archive."""
    files = unzipped(data)
    header = json.loads(files.pop(HEADER))
    if not isinstance(header, dict):
        raise DamagedArrays("its header is no JSON object")
    arrays = {}
    for name, content in files.items():
        if name.endswith(".npy"):
            arrays[name.removesuffix(".npy")] = read_npy(content)
    return header, arrays
