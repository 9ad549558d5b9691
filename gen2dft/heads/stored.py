"""Heads as bytes: a JSON header with the format, and arrays; no pickle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from gen2dft.errors import SnapshotError
from gen2dft.generators.snapshot import DAMAGED, read_archive


@contextmanager
def damage_named(origin: str) -> Iterator[None]:
    """Turn whatever damaged bytes raise into a SnapshotError that names their origin."""
    try:
        yield
    except DAMAGED as err:
        raise SnapshotError(
            f"{origin} is damaged ({type(err).__name__}: {err}): restore it from a backup"
        ) from err


def read_head(
    data: bytes, origin: str, form: str
) -> tuple[Mapping[str, Any], dict[str, NDArray[Any]]]:
    """Header and arrays of a head of the given format, inside of `damage_named`.

    Raises
    ------
    SnapshotError
        The header names another format.
    """
    header, arrays = read_archive(data)
    if header["format"] != form:
        raise SnapshotError(
            f"{origin} is of format {header['format']!r}, not {form!r}: train again"
        )
    return header, arrays
