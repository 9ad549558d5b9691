from __future__ import annotations

import numpy as np
import pytest

from gen2dft.generators.keras_setup import load_keras
from gen2dft.generators.weights import set_weights, weights_of

keras = load_keras()


def networks(seed: int) -> dict[str, object]:
    keras.utils.set_random_seed(seed)
    number = keras.layers.Input((3,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(2)(number))
    small = keras.Model(number, hidden)
    return {"small": small, "last": keras.Model(number, keras.layers.Dense(1)(number))}


def test_weights_are_named_by_network_and_place_statistics_included():
    weights = weights_of(networks(0))
    assert list(weights) == [f"small.{place:02d}" for place in range(6)] + ["last.00", "last.01"]
    assert weights["small.00"].shape == (3, 2)


def test_set_weights_is_the_inverse():
    wanted, other = weights_of(networks(0)), networks(1)
    assert (weights_of(other)["last.00"] != wanted["last.00"]).any()
    set_weights(other, wanted)
    assert all((value == wanted[name]).all() for name, value in weights_of(other).items())


def test_missing_weights_and_other_shapes_are_refused():
    built = networks(0)
    weights = weights_of(built)
    with pytest.raises(ValueError, match="shape"):
        set_weights(built, weights | {"last.00": np.zeros((4, 1))})
    del weights["last.01"]
    with pytest.raises(KeyError, match=r"last\.01"):
        set_weights(built, weights)
