"""What every head must do, as a function that its tests call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.heads.base import Head, Prediction


def validate_head(head: Head, table: CrystalTable) -> None:
    """Check shapes, independence of order and company, and that stored heads stay the same.

    Parameters
    ----------
    head
        A fitted head.
    table
        At least three crystals that it can predict.

    Raises
    ------
    ValueError
        Names the first promise that is broken.
    """
    _require_shapes(head, table)
    whole = _flat(head.predict(table))
    _require_independence(head, table, whole)
    nothing = np.arange(0)
    _require_shapes(head, table.select(nothing))
    data = head.to_bytes()
    copy = type(head).from_bytes(data, "a copy of the head")
    _require(copy.to_bytes() == data, "a stored and reloaded head has other bytes")
    reloaded = _flat(copy.predict(table))
    for name, found in reloaded.items():
        same = np.array_equal(found, whole[name])
        _require(same, f"a reloaded head gives other {name}")


def _require_independence(
    head: Head, table: CrystalTable, whole: dict[str, NDArray[np.float64]]
) -> None:
    """Some crystals, in another order, must get the values that they have in the whole table."""
    some = np.arange(len(table))[::-2]
    of_some = _flat(head.predict(table.select(some)))
    for name, found in of_some.items():
        wanted = whole[name][..., some]
        # Matrix products of another size may round otherwise, by a few units in the last place.
        same = np.allclose(found, wanted, rtol=1e-6, atol=1e-9)
        _require(same, f"{name} depend on order or company")


def _require_shapes(head: Head, table: CrystalTable) -> None:
    prediction = head.predict(table)
    values, members = prediction.values, prediction.members
    wanted = set(head.properties)
    _require(set(values) == wanted, "it does not predict its properties")
    _require(set(members) <= wanted, "members of other properties")
    numbers = {len(found) for found in members.values()}
    _require(len(numbers) < 2, "properties have different numbers of members")
    size = len(table)
    for name, found in values.items():
        _require_array(found, (size,), name)
    for name, found in members.items():
        shape = (len(found), size)
        _require_array(found, shape, f"members of {name}")


def _require_array(found: NDArray[np.float64], shape: tuple[int, ...], name: str) -> None:
    _require(found.shape == shape, f"{name}: shape {found.shape}, not {shape}")
    finite = np.isfinite(found)
    _require(bool(finite.all()), f"{name} is not finite")


def _flat(prediction: Prediction) -> dict[str, NDArray[np.float64]]:
    """All arrays, crystals along the last axis."""
    arrays = dict(prediction.values)
    for name, found in prediction.members.items():
        arrays[f"members of {name}"] = found
    return arrays


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(f"not a valid head: {problem}")
