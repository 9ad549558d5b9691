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
DENSE_PER_LATENT = (
    4  # 1024 for the paper's 256 latent dimensions; a small latent space makes a small network
)
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
        hidden = layers.Conv1D(filters, kernel, strides=stride, padding="same")(hidden)
        hidden = layers.LeakyReLU(negative_slope=SLOPE)(
            layers.BatchNormalization(momentum=MOMENTUM)(hidden)
        )
    hidden = layers.Dense(DENSE_PER_LATENT * latent_dim, activation="sigmoid")(
        layers.Flatten()(hidden)
    )
    mean = layers.Dense(latent_dim)(hidden)
    start = keras.initializers.Constant(LOG_VARIANCE_START)
    log_variance = layers.Dense(latent_dim, kernel_initializer="zeros", bias_initializer=start)(
        hidden
    )
    return keras.Model(matrix, [mean, ops.clip(log_variance, *LOG_VARIANCE_RANGE)])


def _seen(rep: FTCP, reads: str) -> NDArray[np.float32]:
    """(1, 1, columns) 1 for columns that the encoder sees."""
    seen = np.ones((1, 1, rep.shape[1]), dtype=np.float32)
    if reads == "real":
        seen[..., rep.real_columns :] = 0.0
    if reads == "reciprocal":
        seen[..., : rep.real_columns] = 0.0
    return seen


def build_decoder(shape: tuple[int, int], latent_dim: int) -> Any:
    """(n, d) latent vectors -> (n, rows, columns) scaled matrices."""
    rows, columns = shape
    latent = layers.Input((latent_dim,))
    hidden = layers.Dense(FILTERS[2] * (rows // 4), activation="relu")(latent)
    hidden = layers.BatchNormalization(momentum=MOMENTUM)(
        layers.Reshape((rows // 4, FILTERS[2]))(hidden)
    )
    for filters, kernel, stride in (
        (FILTERS[1], KERNELS[2], STRIDES[2]),
        (FILTERS[0], KERNELS[1], STRIDES[1]),
    ):
        hidden = layers.Conv1DTranspose(filters, kernel, strides=stride, padding="same")(hidden)
        hidden = layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(hidden))
    last = layers.Conv1DTranspose(
        columns, KERNELS[0], strides=STRIDES[0], padding="same", activation="sigmoid"
    )
    return keras.Model(latent, last(hidden))


def build_head(latent_dim: int, num_properties: int) -> Any:
    """(n, d) latent vectors -> (n, p) properties on the scale (0, 1).

    R(z) = sigmoid(g(z) . h(z)), the gated regression branch.
    """
    latent = layers.Input((latent_dim,))
    hidden = layers.Dense(HEAD[0], activation="relu")(latent)
    gate = layers.Dense(HEAD[1], activation="sigmoid")(hidden)
    product = layers.Multiply()([gate, layers.Dense(HEAD[1])(hidden)])
    return keras.Model(latent, layers.Dense(num_properties, activation="sigmoid")(product))
