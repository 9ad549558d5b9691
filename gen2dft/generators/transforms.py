"""The scale on which property heads learn: each property's transform, there and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.properties import PROPERTIES, Property, Transform

Array = NDArray[np.float64]
KEY = "transforms"


def transforms_of(names: Sequence[str], known: Mapping[str, Property]) -> tuple[Transform, ...]:
    """The transform of each property, in the order of the names."""
    return tuple(known[name].transform for name in names)


def as_header(names: Sequence[str], transforms: Sequence[Transform]) -> dict[str, Any]:
    """What must be stored with a head, to be read where its properties are not defined.

    Empty if all are built in: their snapshots are the same to the byte as ever, and so are the ids
    of candidates that are drawn from them.
    """
    own = {
        name: kind for name, kind in zip(names, transforms, strict=True) if name not in PROPERTIES
    }
    return {KEY: own} if own else {}


def from_header(names: Sequence[str], header: Mapping[str, Any]) -> tuple[Transform, ...]:
    """Inverse of `as_header`; KeyError for a property that is neither stored nor built in."""
    own: Mapping[str, Transform] = header.get(KEY, {})
    return tuple(own.get(name) or PROPERTIES[name].transform for name in names)


def forward(values: Array, transform: Transform) -> Array:
    """Values in the property's unit on the scale that is learnt."""
    return np.log1p(np.maximum(values, 0.0)) if transform == "log1p" else values


def backward(values: Array, transform: Transform) -> Array:
    """Values on the scale that is learnt in the property's unit."""
    return np.maximum(np.expm1(values), 0.0) if transform == "log1p" else values
