"""The variant `gen2dft` as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.ftcp import losses
from gen2dft.generators.ftcp.networks import Networks, Variant
from gen2dft.generators.ftcp.scalers import MatrixScaler, ReciprocalScaler
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.generators.ftcp.staged.decoder import StagedDecoder
from gen2dft.generators.ftcp.staged.encoder import DROPOUT, build_encoder
from gen2dft.generators.ftcp.staged.layers import dense_block
from gen2dft.generators.ftcp.staged.make import make_matrices
from gen2dft.representations.canonical import canonical_cells
from gen2dft.representations.ftcp import FTCP

HEAD_WIDTH = 128
WARM_UP, FIRST_RATE, LAST_RATE = 0.05, 0.05, 0.01  # share of the steps; shares of the learning rate
WEIGHT_DECAY, LARGEST_GRADIENT = 0.01, 50.0


@dataclass(frozen=True)
class StagedNetworks(Networks):
    """See `staged.encoder` and `staged.decoder`; `decoder` gives the loss of (latent, matrix)."""

    stages: StagedDecoder

    def reconstruction(self, matrix: Any, latent: Any) -> Any:
        """Negative log-likelihood."""
        return self.decoder([latent, matrix])

    def property_error(self, predicted: Any, labels: Any, mask: Any, weight: Any) -> Any:
        """Huber loss: outlying labels, of which DFT databases have some, do not dominate."""
        return losses.huber_error(predicted, labels, mask, weight)

    def make(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Most likely matrices, stage by stage."""
        return make_matrices(self.stages, latents)


def build(rep: FTCP, spec: FTCPSettings, num_properties: int, _: MatrixScaler) -> StagedNetworks:
    """Fresh networks."""
    latent = layers.Input((spec.latent_dim,))
    matrix = layers.Input(rep.shape)
    stages = StagedDecoder(rep)
    # Weights are initialised in the order of these lines.
    encoder = build_encoder(rep, spec.latent_dim, spec.reads)
    inputs = [latent, matrix]
    decoder = keras.Model(inputs, stages(inputs))
    head = _head(spec.latent_dim, num_properties)
    return StagedNetworks(encoder, decoder, head, stages)


def _head(latent_dim: int, num_properties: int) -> Any:
    latent = layers.Input((latent_dim,))
    block = dense_block(HEAD_WIDTH)
    hidden = block(layers.Dropout(DROPOUT)(latent))
    last = layers.Dense(num_properties)
    hidden = layers.Dropout(DROPOUT)(hidden)
    return keras.Model(latent, last(hidden))


def prepare(rep: FTCP, table: CrystalTable) -> CrystalTable:
    """Canonical cells, sites in the order of the representation's element columns."""
    return canonical_cells(table, rep.element_rank)


def optimizer(spec: FTCPSettings, rate: float, steps: int) -> Any:
    """AdamW along a cosine after a short warm-up."""
    top = rate * spec.learning_rate
    first = FIRST_RATE * top
    warm_up = max(1, int(WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        first, steps, alpha=LAST_RATE, warmup_target=top, warmup_steps=warm_up
    )
    return keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY, clipnorm=LARGEST_GRADIENT)


STAGED = Variant(prepare, ReciprocalScaler, build, optimizer)
