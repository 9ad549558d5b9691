"""The staged encoder: what a crystal is made of, its cell, its positions as waves, and its
structure factors.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from gen2dft.generators.ftcp.staged.blocks import LENGTH_GAIN, Blocks, read_blocks, waves
from gen2dft.generators.ftcp.staged.layers import dense_block, feature_table, flat
from gen2dft.representations.ftcp import FTCP

WIDTH = 512
ELEMENT_FEATURES, FACTOR_FEATURES = 48, 12
DROPOUT = 0.1
LOG_VARIANCE_START, LOG_VARIANCE_RANGE = -3.0, (-10.0, 3.0)


def build_encoder(rep: FTCP, latent_dim: int, parts: str = "both") -> Any:
    """Keras model from (n, rows, columns) matrices to latent mean and log variance, each (n, d).

    Parameters
    ----------
    parts
        `real`, `reciprocal` or `both`: which part of the matrix the encoder sees.
    """
    matrix = layers.Input(rep.shape)
    return keras.Model(matrix, StagedEncoder(rep, latent_dim, parts)(matrix))


class StagedEncoder(layers.Layer):  # type: ignore[misc]  # keras is not typed
    """Two dense blocks over the features of a crystal.

    Elements and counts also reach the mean directly.

    The direct path is linear, so that a combination of elements that was never seen together is
    still told apart.
    """

    def __init__(self, rep: FTCP, latent_dim: int, parts: str) -> None:
        super().__init__(name="staged_encoder")
        self.rep, self.parts, self.features = rep, parts, feature_table(rep)
        self.of_element = layers.Dense(ELEMENT_FEATURES)
        self.of_factor = layers.Dense(FACTOR_FEATURES, activation="tanh")
        self.body = [layers.Dropout(DROPOUT / 2), dense_block(WIDTH), layers.Dropout(DROPOUT)]
        self.body += [dense_block(WIDTH), layers.Dropout(DROPOUT)]
        self.mean, self.direct = layers.Dense(latent_dim), layers.Dense(latent_dim, use_bias=False)
        start = keras.initializers.Constant(LOG_VARIANCE_START)
        self.log_variance = layers.Dense(
            latent_dim, kernel_initializer="zeros", bias_initializer=start
        )

    def call(self, matrix: Any, training: bool = False) -> list[Any]:
        """Mean and log variance."""
        blocks = read_blocks(self.rep, matrix)
        parts = []
        if self.parts != "reciprocal":
            parts += self.real_features(blocks)
        if self.parts != "real":
            parts.append(flat(self.of_factor(blocks.factors)))
        hidden = ops.concatenate(parts, axis=1)
        for layer in self.body:
            hidden = (
                layer(hidden, training=training)
                if isinstance(layer, layers.Dropout)
                else layer(hidden)
            )
        mean = self.mean(hidden)
        if self.parts != "reciprocal":
            mean = mean + self.direct(
                ops.concatenate([flat(blocks.elements), flat(blocks.counts)], axis=1)
            )
        return [mean, ops.clip(self.log_variance(hidden), *LOG_VARIANCE_RANGE)]

    def real_features(self, blocks: Blocks) -> list[Any]:
        """(n, ...) features of the real-space part."""
        vectors = ops.matmul(blocks.elements, self.features)
        shares = blocks.fractions[:, :, None]
        mean = ops.sum(vectors * shares, axis=1)
        spread = ops.sum(ops.abs(vectors - mean[:, None]) * shares, axis=1)
        angles = (
            ops.sum(blocks.angle_classes * _steps(blocks.angle_classes.shape[-1]), axis=-1)
            + blocks.angle_rests
        )
        on_sites = waves(blocks.positions, 1) * blocks.is_site[:, :, None]
        return [
            flat(blocks.elements),
            ops.sum(blocks.elements * shares, axis=1),
            flat(self.of_element(vectors)),
            mean,
            spread,
            flat(blocks.counts),
            blocks.fractions,
            blocks.lengths[:, :1],
            LENGTH_GAIN * blocks.lengths[:, 1:],
            0.25 * angles,
            flat(on_sites),
            blocks.is_site,
        ]


def _steps(classes: int) -> Any:
    """Places of classes counted from the middle one."""
    return ops.arange(classes, dtype="float32") - (classes - 1) / 2
