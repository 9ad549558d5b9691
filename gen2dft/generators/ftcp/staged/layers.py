"""Small parts that the staged networks share."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from gen2dft.representations.ftcp import FTCP


def dense_block(width: int) -> Any:
    """Dense, layer norm, GELU.

    No batch statistics, so that a crystal's result does not depend on its company.
    """
    return keras.Sequential(
        [layers.Dense(width), layers.LayerNormalization(), layers.Activation("gelu")]
    )


def feature_table(rep: FTCP) -> NDArray[np.float32]:
    """(K + 1, 92) property vectors of the elements, zeros for "no element"."""
    return np.concatenate([np.zeros((1, rep.features.shape[1]), np.float32), rep.features])


def cross_entropy(target: Any, scores: Any) -> Any:
    """Cross-entropy over the last axis, nats."""
    return -ops.sum(target * ops.log_softmax(scores, axis=-1), axis=-1)


def flat(tensor: Any) -> Any:
    """(n, ...) as (n, features)."""
    return ops.reshape(tensor, (-1, int(np.prod(tensor.shape[1:]))))
