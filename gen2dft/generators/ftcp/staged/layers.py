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
    dense = layers.Dense(width)
    norm = layers.LayerNormalization()
    activation = layers.Activation("gelu")
    return keras.Sequential([dense, norm, activation])


def feature_table(rep: FTCP) -> NDArray[np.float32]:
    """(K + 1, 92) property vectors of the elements, zeros for "no element"."""
    nothing = np.zeros_like(rep.features[:1])
    return np.concatenate([nothing, rep.features])


def cross_entropy(target: Any, scores: Any) -> Any:
    """Cross-entropy over the last axis, nats."""
    log_probabilities = ops.log_softmax(scores, axis=-1)
    likelihood = ops.sum(target * log_probabilities, axis=-1)
    return -likelihood


def flat(tensor: Any) -> Any:
    """(n, ...) as (n, features)."""
    size = int(np.prod(tensor.shape[1:]))
    return ops.reshape(tensor, (-1, size))


def joined(*parts: Any) -> Any:
    """(n, features) tensors side by side."""
    return ops.concatenate(parts, axis=1)


def absolute_error(found: Any, truth: Any) -> Any:
    """(n,) sum of absolute differences of (n, k) numbers."""
    error = ops.abs(found - truth)
    return ops.sum(error, axis=1)
