"""Weights of several Keras networks under stable names: `encoder.00`, `encoder.01`, ..."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def weights_of(networks: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """All weights by network and place, batch statistics included."""
    weights = {}
    for name, network in networks.items():
        for place, value in enumerate(network.get_weights()):
            weights[_key(name, place)] = np.asarray(value)
    return weights


def set_weights(networks: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> None:
    """Inverse of `weights_of`; KeyError or ValueError if one is missing or has another shape."""
    for name, network in networks.items():
        places = range(len(network.weights))
        values = [weights[_key(name, place)] for place in places]
        network.set_weights(values)


def _key(name: str, place: int) -> str:
    return f"{name}.{place:02d}"
