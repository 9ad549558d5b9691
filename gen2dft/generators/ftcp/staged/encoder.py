"""The staged encoder: it reads composition, cell, positions as waves, and structure factors."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from gen2dft.generators.ftcp.staged.blocks import LENGTH_GAIN, Blocks, read_blocks, waves
from gen2dft.generators.ftcp.staged.layers import dense_block, feature_table, flat, joined
from gen2dft.representations.ftcp import FTCP

WIDTH = 512
ELEMENT_FEATURES, FACTOR_FEATURES = 48, 12
DROPOUT = 0.1
ANGLE_GAIN = 0.25  # angles range over more steps than other features
LOG_VARIANCE_START, LOG_VARIANCE_RANGE = -3.0, (-10.0, 3.0)


def build_encoder(rep: FTCP, latent_dim: int, parts: str = "both") -> Any:
    """Keras model from (n, rows, columns) matrices to latent mean and log variance, each (n, d).

    Parameters
    ----------
    parts
        `real`, `reciprocal` or `both`: which part of the matrix the encoder sees.
    """
    encoder = StagedEncoder(rep, latent_dim, parts)
    matrix = layers.Input(rep.shape)
    return keras.Model(matrix, encoder(matrix))


class StagedEncoder(layers.Layer):  # type: ignore[misc]  # keras is not typed
    """Two dense blocks over the features of a crystal.

    Elements and counts also reach the mean by a direct, linear path: it distinguishes combinations
    of elements that never occurred together in training.
    """

    def __init__(self, rep: FTCP, latent_dim: int, parts: str) -> None:
        super().__init__(name="staged_encoder")
        self.rep, self.parts = rep, parts
        self.features = feature_table(rep)
        self.of_element = layers.Dense(ELEMENT_FEATURES)
        self.of_factor = layers.Dense(FACTOR_FEATURES, activation="tanh")
        self.body = [layers.Dropout(DROPOUT / 2)]
        for _ in range(2):
            self.body.append(dense_block(WIDTH))
            self.body.append(layers.Dropout(DROPOUT))
        self.mean = layers.Dense(latent_dim)
        self.direct = layers.Dense(latent_dim, use_bias=False)
        start = keras.initializers.Constant(LOG_VARIANCE_START)
        self.log_variance = layers.Dense(
            latent_dim, kernel_initializer="zeros", bias_initializer=start
        )

    def call(self, matrix: Any, training: bool = False) -> list[Any]:
        """Mean and log variance."""
        blocks = read_blocks(self.rep, matrix)
        hidden = self._seen(blocks)
        for layer in self.body:
            is_dropout = isinstance(layer, layers.Dropout)
            hidden = layer(hidden, training=training) if is_dropout else layer(hidden)
        mean = self.mean(hidden)
        if self.parts != "reciprocal":
            elements, counts = flat(blocks.elements), flat(blocks.counts)
            mean = mean + self.direct(joined(elements, counts))
        log_variance = self.log_variance(hidden)
        return [mean, ops.clip(log_variance, *LOG_VARIANCE_RANGE)]

    def _seen(self, blocks: Blocks) -> Any:
        """(n, f) features of the parts that the encoder sees."""
        parts = []
        if self.parts != "reciprocal":
            parts += self.real_features(blocks)
        if self.parts != "real":
            factors = self.of_factor(blocks.factors)
            parts.append(flat(factors))
        return joined(*parts)

    def real_features(self, blocks: Blocks) -> list[Any]:
        """(n, ...) features of the real-space part."""
        is_site = blocks.is_site
        positions = waves(blocks.positions, 1)
        on_sites = positions * is_site[:, :, None]
        composition = self._composition(blocks)
        return [*composition, *_cell(blocks), flat(on_sites), is_site]

    def _composition(self, blocks: Blocks) -> list[Any]:
        elements = blocks.elements
        shares = blocks.fractions[:, :, None]
        by_share = ops.sum(elements * shares, axis=1)
        vectors = ops.matmul(elements, self.features)
        mean = ops.sum(vectors * shares, axis=1)
        from_mean = vectors - mean[:, None]
        deviation = ops.abs(from_mean)
        spread = ops.sum(deviation * shares, axis=1)
        embedded = self.of_element(vectors)
        identity = [flat(elements), by_share, flat(embedded), mean, spread]
        return [*identity, flat(blocks.counts), blocks.fractions]


def _cell(blocks: Blocks) -> list[Any]:
    volume = blocks.lengths[:, :1]
    relative = blocks.lengths[:, 1:]
    angles = _angle_steps(blocks)
    return [volume, LENGTH_GAIN * relative, ANGLE_GAIN * angles]


def _angle_steps(blocks: Blocks) -> Any:
    """(n, 3) angles in steps from the middle class."""
    classes = blocks.angle_classes.shape[-1]
    middle = (classes - 1) / 2
    steps = ops.arange(classes, dtype="float32") - middle
    steps_of_class = blocks.angle_classes * steps
    whole = ops.sum(steps_of_class, axis=-1)
    return whole + blocks.angle_rests
