"""The variant `published` as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.ftcp import losses
from gen2dft.generators.ftcp.networks import Networks, Variant
from gen2dft.generators.ftcp.published.network import build_decoder, build_encoder, build_head
from gen2dft.generators.ftcp.published.scaler import RangeScaler
from gen2dft.generators.ftcp.scalers import MatrixScaler
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.generators.keras_setup import as_array
from gen2dft.representations.ftcp import FTCP

# Learning rate after a quarter and after half of the training, in units of the initial one: 5e-4,
# 1e-4, 5e-5.
STEPS_AT, RATES = (0.25, 0.5), (1.0, 0.2, 0.1)
# Keras adds 1e-7 to every squared gradient. The published loss is a sum over the batch and ours a
# mean: gradients are 256 times smaller here, and most of them would drown in it.
EPSILON = 1e-7 / 256**2


@dataclass(frozen=True)
class PublishedNetworks(Networks):
    """See `published.network`; `decoder` gives matrices."""

    rep: FTCP
    scaler: RangeScaler

    def reconstruction(self, matrix: Any, latent: Any) -> Any:
        """Squared error of the whole matrix, arXiv:2005.07609, eq. (3), first term."""
        error = matrix - self.decoder(latent)
        squares = ops.square(error)
        return ops.sum(squares, axis=(1, 2))

    def property_error(self, predicted: Any, labels: Any, mask: Any, weight: Any) -> Any:
        """Squared error of the scaled properties, eqs. (3) and (4), last term."""
        return losses.squared_error(predicted, labels, mask, weight)

    def make(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Output of the decoder in physical units."""
        outputs = self.decoder(latents, training=False)
        return self.scaler.unscale(self.rep, as_array(outputs))


def build(
    rep: FTCP, spec: FTCPSettings, num_properties: int, scaler: MatrixScaler
) -> PublishedNetworks:
    """Fresh networks."""
    if not isinstance(scaler, RangeScaler):
        given = type(scaler).__name__
        raise TypeError(f"the published variant is scaled by a RangeScaler, not by {given}")
    # Weights are initialised in the order of these lines.
    encoder = build_encoder(rep, spec.latent_dim, spec.reads)
    decoder = build_decoder(rep.shape, spec.latent_dim)
    head = build_head(spec.latent_dim, num_properties)
    return PublishedNetworks(encoder, decoder, head, rep, scaler)


def prepare(_: FTCP, table: CrystalTable) -> CrystalTable:
    """Crystals as they come."""
    return table


def optimizer(spec: FTCPSettings, rate: float, steps: int) -> Any:
    """RMSprop whose rate falls in two steps."""
    first_rate = rate * spec.learning_rate
    values = [first_rate * factor for factor in RATES]
    boundaries = [max(1, int(share * steps)) for share in STEPS_AT]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)
    return keras.optimizers.RMSprop(schedule, epsilon=EPSILON)


PUBLISHED = Variant(prepare, RangeScaler, build, optimizer)
