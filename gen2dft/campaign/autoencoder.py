"""AutoencoderSettings: the keys that generators with a latent space share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from gen2dft.campaign.generator import GeneratorSpec
from gen2dft.campaign.part import NonNegative


class AutoencoderSettings(GeneratorSpec):
    """How an autoencoder with property heads is trained."""

    latent_dim: PositiveInt = Field(192, description="dimensions of the latent space")
    epochs: PositiveInt = Field(80, description="epochs of the first round")
    epochs_warm: PositiveInt = Field(
        20, description="epochs of later rounds, which start from the last snapshot"
    )
    batch_size: Annotated[int, Field(ge=2)] = Field(128, description="crystals per step")
    learning_rate: PositiveFloat = Field(1e-3, description="largest step of the optimiser")
    beta: NonNegative = Field(
        1e-2, description="weight of the KL term per crystal, summed over latent dimensions"
    )
    property_weight: NonNegative = Field(
        100.0, description="weight (lambda) of the masked property loss"
    )
    holdout: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="share of crystals kept from training"
    )

    def total_epochs(self, *, warm: bool) -> int:
        """Epochs of a whole training, those of all networks together."""
        return self.epochs_warm if warm else self.epochs
