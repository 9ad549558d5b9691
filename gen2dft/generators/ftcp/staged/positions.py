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
        size = (sites * width, sites * SITE_WIDTH)
        self.kernel = self.add_weight(shape=size, initializer="glorot_uniform", name="kernel")
        # Row: the site that is read; column: the site that reads it, which must not be earlier.
        pairs = np.ones((sites, sites))
        may_see = np.triu(pairs)
        block = np.ones((width, SITE_WIDTH))
        mask = np.kron(may_see, block)
        self.mask = mask.astype(np.float32)

    def call(self, features: Any) -> Any:
        """Features of all sites together."""
        visible = self.kernel * self.mask
        hidden = ops.matmul(flat(features), visible)
        num_sites = features.shape[1]
        return ops.reshape(hidden, (-1, num_sites, SITE_WIDTH))


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
        self.from_x = layers.Dense(SITE_WIDTH)
        self.from_y = layers.Dense(SITE_WIDTH)
        self.hidden = [layers.Dense(SITE_WIDTH, activation="gelu") for _ in range(3)]
        self.output_layers = [layers.Dense(2 * POSITION_CLASSES) for _ in range(3)]

    def call(self, inputs: list[Any]) -> Any:
        """(n, S, 3, 24, 2) scores and rests at true positions: context and features, positions,
        sites and classes.
        """
        context, site_features, positions, is_site, classes = inputs
        start, proposal = self.begin(context, site_features)
        state = self.state(start, positions, is_site)
        axes = [self.axis(axis, state, proposal, classes) for axis in range(3)]
        return ops.stack(axes, axis=2)

    def begin(self, context: Any, site_features: Any) -> tuple[Any, Any]:
        """The part that does not depend on positions: (n, S, SITE_WIDTH) start of each site's
        state, (n, S, 3, 24) proposed scores.

        Parameters
        ----------
        context
            (n, f) latent vector with the results of the earlier stages.
        site_features
            (n, S, g) of the element on each site.
        """
        body = self.body(context)
        num_sites = self.num_sites
        from_latent = self.from_latent(body)
        start = ops.reshape(from_latent, (-1, num_sites, SITE_WIDTH))
        start = start + self.from_element(site_features)
        scores = self.proposal(body)
        proposal = ops.reshape(scores, (-1, num_sites, 3, POSITION_CLASSES))
        return start, proposal

    def state(self, start: Any, positions: Any, is_site: Any) -> Any:
        """(n, S, SITE_WIDTH) states; that of a site depends only on the (n, S, 3) positions of the
        sites before it.
        """
        known = waves(positions, HARMONICS)
        known = known * is_site[:, :, None]
        # Shifted by one site: `EarlierSites` also sees the site itself.
        nothing = ops.zeros_like(known[:, :1])
        before = known[:, :-1]
        earlier = ops.concatenate([nothing, before], axis=1)
        state = start + self.from_earlier(earlier)
        return ops.gelu(self.norm(state))

    def axis(self, axis: int, state: Any, proposal: Any, classes: Any) -> Any:
        """(n, S, 24, 2) scores and rests of x, y or z.

        Of `classes`, (n, S, 3, 24) one-hot, only those of the axes before are read.
        """
        if axis > 0:
            x = classes[:, :, 0]
            state = state + self.from_x(x)
        if axis > 1:
            y = classes[:, :, 1]
            state = state + self.from_y(y)
        hidden = self.hidden[axis](state)
        output = self.output_layers[axis](hidden)
        corrections = output[..., :POSITION_CLASSES]
        rests = output[..., POSITION_CLASSES:]
        scores = corrections + proposal[:, :, axis]
        return ops.stack([scores, rests], axis=-1)
