"""The staged decoder: elements, then how many of each, then the cell, then positions.

Each stage knows those before it.

Where a latent vector lies between two crystals, a decoder that fills all blocks at once mixes them:
the elements of one, the stoichiometry of the other. Here the later stages are told what the earlier
ones decided: in training the truth, when a crystal is made the decision. So a cell fits its
elements, and positions fit their number.
"""

from __future__ import annotations

from typing import Any

from keras import layers, ops

from gen2dft.generators.ftcp.staged.blocks import ANGLE_CLASSES, Blocks, read_blocks
from gen2dft.generators.ftcp.staged.layers import cross_entropy, dense_block, feature_table, flat
from gen2dft.generators.ftcp.staged.positions import Positions
from gen2dft.representations.ftcp import FTCP

WIDTH, COUNT_WIDTH, ELEMENT_FEATURES = 512, 256, 32
# Elements are few numbers among many, and decide about everything after them.
ELEMENT_WEIGHT = 5.0
# Noise on the latent vector that cell and positions are read from, beside the encoder's own:
# between crystals they then stay those of one structure type, while elements change.

BLUR = 0.15
# Scales of Laplace distributions: 3 % of a length, a tenth of 5 degree, a seventh of 1/48 of a
# cell.
LENGTH_SCALE, ANGLE_SCALE, POSITION_SCALE = 0.03, 0.1, 0.15


class StagedDecoder(layers.Layer):  # type: ignore[misc]  # keras is not typed
    """Negative log-likelihood of a matrix at a latent vector, and the stages one by one for making
    crystals.
    """

    def __init__(self, rep: FTCP) -> None:
        super().__init__(name="staged_decoder")
        self.rep, self.features = rep, feature_table(rep)
        columns, classes = rep.max_elements, len(rep.elements) + 1
        self.element_body, self.element_out = dense_block(WIDTH), layers.Dense(columns * classes)
        self.element_direct = layers.Dense(columns * classes, use_bias=False)
        self.count_body, self.count_out = (
            dense_block(COUNT_WIDTH),
            layers.Dense(columns * (rep.max_sites + 1)),
        )
        self.count_direct = layers.Dense(columns * (rep.max_sites + 1), use_bias=False)
        self.cell_body, self.cell_out = dense_block(WIDTH), layers.Dense(4 + 6 * ANGLE_CLASSES)
        self.of_element = layers.Dense(ELEMENT_FEATURES)
        self.positions = Positions(rep.max_sites)
        self.blur = layers.GaussianNoise(BLUR)

    def call(self, inputs: list[Any], training: bool = False) -> Any:
        """(n,) negative log-likelihood, in nats up to a constant, of (n, d) latents and (n, rows,
        columns) matrices.
        """
        latent, matrix = inputs
        blurred = self.blur(latent, training=training)
        truth = read_blocks(self.rep, matrix)
        elements = ops.sum(cross_entropy(truth.elements, self.elements(latent)), axis=1)
        counts = ops.sum(cross_entropy(truth.counts, self.counts(latent, truth.elements)), axis=1)
        return (
            ELEMENT_WEIGHT * (elements + counts)
            + self._cell_loss(blurred, truth)
            + self._position_loss(blurred, truth)
        )

    def elements(self, latent: Any) -> Any:
        """(n, C, K + 1) scores of the element of each column."""
        scores = self.element_out(self.element_body(latent)) + self.element_direct(latent)
        return ops.reshape(scores, (-1, self.rep.max_elements, len(self.rep.elements) + 1))

    def counts(self, latent: Any, elements: Any) -> Any:
        """(n, C, S + 1) scores of the number of sites of each element."""
        given = ops.concatenate([latent, self._element_vectors(elements)], axis=1)
        scores = self.count_out(self.count_body(given)) + self.count_direct(latent)
        return ops.reshape(scores, (-1, self.rep.max_elements, self.rep.max_sites + 1))

    def cell(self, latent: Any, elements: Any, counts: Any) -> tuple[Any, Any]:
        """(n, 4) log lengths, see `Blocks.lengths`, and (n, 3, 25, 2) scores and rests of angle
        classes.
        """
        given = ops.concatenate([latent, self._element_vectors(elements), flat(counts)], axis=1)
        output = self.cell_out(self.cell_body(given))
        return output[:, :4], ops.reshape(output[:, 4:], (-1, 3, ANGLE_CLASSES, 2))

    def context(
        self, latent: Any, elements: Any, counts: Any, lengths: Any, angle_classes: Any
    ) -> Any:
        """(n, f) latent vectors with all that is decided before the positions."""
        decided = [self._element_vectors(elements), flat(counts), lengths, flat(angle_classes)]
        return ops.concatenate([latent, *decided], axis=1)

    def site_features(self, elements: Any, site_columns: Any) -> Any:
        """(n, S, C + 92) which column and element each site has."""
        vectors = ops.matmul(elements, self.features)
        return ops.concatenate([site_columns, ops.matmul(site_columns, vectors)], axis=2)

    def _element_vectors(self, elements: Any) -> Any:
        return flat(self.of_element(ops.matmul(elements, self.features)))

    def _cell_loss(self, latent: Any, truth: Blocks) -> Any:
        lengths, angles = self.cell(latent, truth.elements, truth.counts)
        rests = ops.sum(angles[..., 1] * truth.angle_classes, axis=-1)
        return (
            ops.sum(ops.abs(lengths - truth.lengths), axis=1) / LENGTH_SCALE
            + ops.sum(cross_entropy(truth.angle_classes, angles[..., 0]), axis=1)
            + ops.sum(ops.abs(rests - truth.angle_rests), axis=1) / ANGLE_SCALE
        )

    def _position_loss(self, latent: Any, truth: Blocks) -> Any:
        context = self.context(
            latent, truth.elements, truth.counts, truth.lengths, truth.angle_classes
        )
        features = self.site_features(truth.elements, truth.site_columns)
        classes = truth.position_classes
        output = self.positions([context, features, truth.positions, truth.is_site, classes])
        rests = ops.sum(output[..., 1] * classes, axis=-1)
        each = (
            cross_entropy(classes, output[..., 0])
            + ops.abs(rests - truth.position_rests) / POSITION_SCALE
        )
        return ops.sum(each * truth.is_site[:, :, None], axis=(1, 2))
