"""The networks of FTCP: encoder, decoder and property head, Ren et al., arXiv:2005.07609.

Encoder: Conv1D 32/64/128 along the rows, kernels 5/3/3, strides 2/2/1, batch norm, LeakyReLU 0.2;
dense 1024, sigmoid; mean and log variance of the latent vector. Decoder: dense, then transposed
convolutions 64/32/columns, the last with a sigmoid, since every row is scaled to between 0 and 1.
Head: dense 128-32.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from gen2dft.representations.ftcp import FTCP

FILTERS, KERNELS, STRIDES = (32, 64, 128), (5, 3, 3), (2, 2, 1)
# The encoder mirrored: filters, kernel and stride of the decoder's layers before the last.
UPWARDS = ((FILTERS[1], KERNELS[2], STRIDES[2]), (FILTERS[0], KERNELS[1], STRIDES[1]))
# 1024 for the paper's 256 latent dimensions; a small latent space makes a small network.
DENSE_PER_LATENT = 4
HEAD = (128, 32)
SLOPE = 0.2
MOMENTUM = 0.9  # of the batch statistics: a training may be a few hundred steps long
LOG_VARIANCE_START = -4.0  # the decoder starts to learn before the noise is as large as the signal
LOG_VARIANCE_RANGE = (-12.0, 4.0)


def build_encoder(rep: FTCP, latent_dim: int, reads: str) -> Any:
    """(n, rows, columns) scaled matrices -> latent mean and log variance, each (n, d).

    Parameters
    ----------
    reads
        `real`, `reciprocal` or `both`: which part of the matrix the encoder sees.
    """
    matrix = layers.Input(rep.shape)
    hidden = matrix * _seen(rep, reads)
    for filters, kernel, stride in zip(FILTERS, KERNELS, STRIDES, strict=True):
        convolution = layers.Conv1D(filters, kernel, strides=stride, padding="same")
        hidden = convolution(hidden)
        hidden = _normalised(hidden)
        hidden = layers.LeakyReLU(negative_slope=SLOPE)(hidden)
    dense = layers.Dense(DENSE_PER_LATENT * latent_dim, activation="sigmoid")
    hidden = dense(layers.Flatten()(hidden))
    mean = layers.Dense(latent_dim)(hidden)
    log_variance = _log_variance(hidden, latent_dim)
    return keras.Model(matrix, [mean, log_variance])


def _normalised(hidden: Any) -> Any:
    return layers.BatchNormalization(momentum=MOMENTUM)(hidden)


def _log_variance(hidden: Any, latent_dim: int) -> Any:
    """(n, d) log variance; the same for all crystals when the training starts."""
    start = keras.initializers.Constant(LOG_VARIANCE_START)
    dense = layers.Dense(latent_dim, kernel_initializer="zeros", bias_initializer=start)
    return ops.clip(dense(hidden), *LOG_VARIANCE_RANGE)


def _seen(rep: FTCP, reads: str) -> NDArray[np.float32]:
    """(1, 1, columns) 1 for columns that the encoder sees."""
    _, columns = rep.shape
    seen = np.ones((1, 1, columns), dtype=np.float32)
    if reads == "real":
        seen[..., rep.real_columns :] = 0.0
    if reads == "reciprocal":
        seen[..., : rep.real_columns] = 0.0
    return seen


def build_decoder(shape: tuple[int, int], latent_dim: int) -> Any:
    """(n, d) latent vectors -> (n, rows, columns) scaled matrices."""
    rows, columns = shape
    shortest = rows // 4  # two strides of 2 bring it back to `rows`
    latent = layers.Input((latent_dim,))
    dense = layers.Dense(FILTERS[2] * shortest, activation="relu")
    hidden = dense(latent)
    hidden = layers.Reshape((shortest, FILTERS[2]))(hidden)
    hidden = _normalised(hidden)
    for filters, kernel, stride in UPWARDS:
        convolution = layers.Conv1DTranspose(filters, kernel, strides=stride, padding="same")
        hidden = convolution(hidden)
        hidden = _normalised(hidden)
        hidden = layers.ReLU()(hidden)
    kernel, stride = KERNELS[0], STRIDES[0]
    last = layers.Conv1DTranspose(
        columns, kernel, strides=stride, padding="same", activation="sigmoid"
    )
    return keras.Model(latent, last(hidden))


def build_head(latent_dim: int, num_properties: int) -> Any:
    """(n, d) latent vectors -> (n, p) properties on the scale (0, 1).

    R(z) = sigmoid(g(z) . h(z)), the gated regression branch.
    """
    latent = layers.Input((latent_dim,))
    wide, narrow = HEAD
    hidden = layers.Dense(wide, activation="relu")(latent)
    gate = layers.Dense(narrow, activation="sigmoid")(hidden)
    value = layers.Dense(narrow)(hidden)
    product = layers.Multiply()([gate, value])
    last = layers.Dense(num_properties, activation="sigmoid")
    return keras.Model(latent, last(product))
