"""Positions of the sites, one after another: each knows those before it, so that atoms keep clear
of each other.

A dense network proposes all sites at once; a masked layer (MADE, Germain et al., arXiv:1502.03509)
corrects each site by where the earlier ones are, and within a site y follows x and z follows both.
In training all true positions are given at once; when a crystal is made, the sites are filled in
turn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers, ops

from gen2dft.generators.ftcp.staged.blocks import POSITION_CLASSES, waves
from gen2dft.generators.ftcp.staged.layers import dense_block, flat

WIDTH, SITE_WIDTH = 512, 64
HARMONICS = 3


class EarlierSites(layers.Layer):  # type: ignore[misc]  # keras is not typed
    """Dense layer from (n, S, p) to (n, S, SITE_WIDTH) in which a site sees itself and those before
    it.
    """

    def build(self, shape: Any) -> None:
        """Weights for a shape; called by Keras."""
        _, sites, width = shape
        self.kernel = self.add_weight(
            shape=(sites * width, sites * SITE_WIDTH), initializer="glorot_uniform", name="kernel"
        )
        self.mask = np.kron(np.triu(np.ones((sites, sites))), np.ones((width, SITE_WIDTH))).astype(
            np.float32
        )

    def call(self, features: Any) -> Any:
        """Features of all sites together."""
        hidden = ops.matmul(flat(features), self.kernel * self.mask)
        return ops.reshape(hidden, (-1, features.shape[1], SITE_WIDTH))


class Positions(layers.Layer):  # type: ignore[misc]
    """Scores of position classes, and the remainder in each class.

    Parameters
    ----------
    num_sites
        S, sites of a matrix.
    """

    def __init__(self, num_sites: int) -> None:
        super().__init__(name="positions")
        self.num_sites = num_sites
        self.body = dense_block(WIDTH)
        self.proposal = layers.Dense(num_sites * 3 * POSITION_CLASSES)
        self.from_latent = layers.Dense(num_sites * SITE_WIDTH)
        self.from_earlier = EarlierSites()
        self.from_element = layers.Dense(SITE_WIDTH)
        self.norm = layers.LayerNormalization()
        self.from_x, self.from_y = layers.Dense(SITE_WIDTH), layers.Dense(SITE_WIDTH)
        self.hidden = [layers.Dense(SITE_WIDTH, activation="gelu") for _ in range(3)]
        self.output_layers = [layers.Dense(2 * POSITION_CLASSES) for _ in range(3)]

    def call(self, inputs: list[Any]) -> Any:
        """(n, S, 3, 24, 2) scores and rests at true positions: context and features, positions,
        sites and classes.
        """
        context, site_features, positions, is_site, classes = inputs
        start, proposal = self.begin(context, site_features)
        state = self.state(start, positions, is_site)
        return ops.stack([self.axis(axis, state, proposal, classes) for axis in range(3)], axis=2)

    def begin(self, context: Any, site_features: Any) -> tuple[Any, Any]:
        """What does not depend on positions: (n, S, SITE_WIDTH) of each site, (n, S, 3, 24)
        proposed scores.

        Parameters
        ----------
        context
            (n, f) latent vector with all that was decided before.
        site_features
            (n, S, g) of the element on each site.
        """
        body = self.body(context)
        start = ops.reshape(
            self.from_latent(body), (-1, self.num_sites, SITE_WIDTH)
        ) + self.from_element(site_features)
        return start, ops.reshape(self.proposal(body), (-1, self.num_sites, 3, POSITION_CLASSES))

    def state(self, start: Any, positions: Any, is_site: Any) -> Any:
        """(n, S, SITE_WIDTH) states.

        that of a site depends on (n, S, 3) positions of those before it only.
        """
        known = waves(positions, HARMONICS) * is_site[:, :, None]
        earlier = ops.concatenate([ops.zeros_like(known[:, :1]), known[:, :-1]], axis=1)
        return ops.gelu(self.norm(start + self.from_earlier(earlier)))

    def axis(self, axis: int, state: Any, proposal: Any, classes: Any) -> Any:
        """(n, S, 24, 2) scores and rests of x, y or z.

        `classes` (n, S, 3, 24) one-hot count for the axes before.
        """
        if axis > 0:
            state = state + self.from_x(classes[:, :, 0])
        if axis > 1:
            state = state + self.from_y(classes[:, :, 1])
        output = self.output_layers[axis](self.hidden[axis](state))
        scores = output[..., :POSITION_CLASSES] + proposal[:, :, axis]
        return ops.stack([scores, output[..., POSITION_CLASSES:]], axis=-1)
