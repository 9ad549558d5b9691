"""The staged decoder: elements, then how many of each, then the cell, then positions.

Where a latent vector lies between two crystals, a decoder that fills all blocks at once mixes them:
the elements of one, the stoichiometry of the other. Here each stage reads the results of the stages
before it: the true ones in training, the decoded ones when a crystal is made. So a cell fits its
elements, and positions fit their number.
"""

from __future__ import annotations

from typing import Any

from keras import layers, ops

from gen2dft.generators.ftcp.staged.blocks import ANGLE_CLASSES, Blocks, read_blocks
from gen2dft.generators.ftcp.staged.layers import (
    absolute_error,
    cross_entropy,
    dense_block,
    feature_table,
    flat,
    joined,
)
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
        self.rep = rep
        self.features = feature_table(rep)
        element_scores = rep.max_elements * (len(rep.elements) + 1)
        count_scores = rep.max_elements * (rep.max_sites + 1)
        # Weights are initialised and stored in the order of these lines.
        self.element_body = dense_block(WIDTH)
        self.element_out = layers.Dense(element_scores)
        self.element_direct = layers.Dense(element_scores, use_bias=False)
        self.count_body = dense_block(COUNT_WIDTH)
        self.count_out = layers.Dense(count_scores)
        self.count_direct = layers.Dense(count_scores, use_bias=False)
        self.cell_body = dense_block(WIDTH)
        self.cell_out = layers.Dense(4 + 6 * ANGLE_CLASSES)
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
        composition = self._composition_loss(latent, truth)
        cell = self._cell_loss(blurred, truth)
        return composition + cell + self._position_loss(blurred, truth)

    def elements(self, latent: Any) -> Any:
        """(n, C, K + 1) scores of the element of each column."""
        hidden = self.element_body(latent)
        scores = self.element_out(hidden) + self.element_direct(latent)
        classes = len(self.rep.elements) + 1
        return self._by_column(scores, classes)

    def counts(self, latent: Any, elements: Any) -> Any:
        """(n, C, S + 1) scores of the number of sites of each element."""
        given = joined(latent, self._element_vectors(elements))
        hidden = self.count_body(given)
        scores = self.count_out(hidden) + self.count_direct(latent)
        classes = self.rep.max_sites + 1
        return self._by_column(scores, classes)

    def cell(self, latent: Any, elements: Any, counts: Any) -> tuple[Any, Any]:
        """(n, 4) log lengths, see `Blocks.lengths`, and (n, 3, 25, 2) scores and rests of angle
        classes.
        """
        vectors = self._element_vectors(elements)
        given = joined(latent, vectors, flat(counts))
        hidden = self.cell_body(given)
        output = self.cell_out(hidden)
        lengths = output[:, :4]
        angles = ops.reshape(output[:, 4:], (-1, 3, ANGLE_CLASSES, 2))
        return lengths, angles

    def context(
        self, latent: Any, elements: Any, counts: Any, lengths: Any, angle_classes: Any
    ) -> Any:
        """(n, f) latent vectors with all that is decided before the positions."""
        vectors = self._element_vectors(elements)
        return joined(latent, vectors, flat(counts), lengths, flat(angle_classes))

    def site_features(self, elements: Any, site_columns: Any) -> Any:
        """(n, S, C + 92) which column and element each site has."""
        vectors = ops.matmul(elements, self.features)
        of_sites = ops.matmul(site_columns, vectors)
        return ops.concatenate([site_columns, of_sites], axis=2)

    def _by_column(self, scores: Any, classes: int) -> Any:
        """(n, C, classes) of (n, C * classes) scores."""
        return ops.reshape(scores, (-1, self.rep.max_elements, classes))

    def _element_vectors(self, elements: Any) -> Any:
        vectors = ops.matmul(elements, self.features)
        return flat(self.of_element(vectors))

    def _composition_loss(self, latent: Any, truth: Blocks) -> Any:
        element_scores = self.elements(latent)
        element_error = cross_entropy(truth.elements, element_scores)
        elements = ops.sum(element_error, axis=1)
        count_scores = self.counts(latent, truth.elements)
        count_error = cross_entropy(truth.counts, count_scores)
        counts = ops.sum(count_error, axis=1)
        return ELEMENT_WEIGHT * (elements + counts)

    def _cell_loss(self, latent: Any, truth: Blocks) -> Any:
        classes = truth.angle_classes
        lengths, angles = self.cell(latent, truth.elements, truth.counts)
        scores, rests = _of_true_class(angles, classes)
        length_error = absolute_error(lengths, truth.lengths)
        class_error = cross_entropy(classes, scores)
        class_error = ops.sum(class_error, axis=1)
        rest_error = absolute_error(rests, truth.angle_rests)
        return length_error / LENGTH_SCALE + class_error + rest_error / ANGLE_SCALE

    def _position_loss(self, latent: Any, truth: Blocks) -> Any:
        elements, lengths = truth.elements, truth.lengths
        context = self.context(latent, elements, truth.counts, lengths, truth.angle_classes)
        features = self.site_features(elements, truth.site_columns)
        classes = truth.position_classes
        given = [context, features, truth.positions, truth.is_site, classes]
        output = self.positions(given)
        scores, rests = _of_true_class(output, classes)
        class_error = cross_entropy(classes, scores)
        rest_error = ops.abs(rests - truth.position_rests)
        error = class_error + rest_error / POSITION_SCALE
        is_site = truth.is_site[:, :, None]
        error_on_sites = error * is_site
        return ops.sum(error_on_sites, axis=(1, 2))


def _of_true_class(output: Any, classes: Any) -> tuple[Any, Any]:
    """Scores of all classes, and the rest of the true one, of (..., classes, 2) outputs."""
    scores = output[..., 0]
    rests = output[..., 1]
    own_rest = ops.sum(rests * classes, axis=-1)
    return scores, own_rest
