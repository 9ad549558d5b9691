"""AutoencoderSettings: the keys that generators with a latent space share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gen2dft.campaign.bounds import BatchSize, Epochs, Rate, Weight, Width
from gen2dft.campaign.generator import GeneratorSpec


class AutoencoderSettings(GeneratorSpec):
    """How an autoencoder with property heads is trained."""

    latent_dim: Width = Field(192, description="dimensions of the latent space")
    epochs: Epochs = Field(80, description="epochs of the first round")
    epochs_warm: Epochs = Field(
        20, description="epochs of later rounds, which start from the last snapshot"
    )
    batch_size: BatchSize = Field(128, description="crystals per step")
    learning_rate: Rate = Field(1e-3, description="largest step of the optimiser")
    beta: Weight = Field(
        1e-2, description="weight of the KL term per crystal, summed over latent dimensions"
    )
    property_weight: Weight = Field(
        100.0, description="weight (lambda) of the masked property loss"
    )
    holdout: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="share of crystals kept from training"
    )

    def total_epochs(self, *, warm: bool) -> int:
        """Epochs of a whole training, those of all networks together."""
        return self.epochs_warm if warm else self.epochs
