"""ImatgenSettings: how iMatGen is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from gen2dft.campaign.bounds import (
    BatchSize,
    Epochs,
    Fraction,
    Many,
    Rate,
    Scale,
    Sites,
    Symbols,
    Value,
    Weight,
    Width,
)
from gen2dft.campaign.part import Part
from gen2dft.campaign.version1 import FirstVersionSettings
from gen2dft.errors import not_one_of
from gen2dft.properties import PROPERTIES

# Of Noh et al., Matter 1, 1370 (2019), and its published code.
PUBLISHED_IMAGES: Mapping[str, Any] = {
    "normalised_codes": False,
    "image_loss": "mse",
    "atom_weight": 0.0,
    "least_peak": 0.02,
    "strain": 0.0,
    "shift": 0.0,
}


class ImageSettings(Part):
    """Images, their autoencoders, and the classifier."""

    elements: Symbols = Field(
        ("V", "O"),
        min_length=1,
        max_length=5,
        description="symbols; every crystal holds all of them and no other",
    )
    max_sites: Sites = Field(20, description="most atoms of a cell")
    channels: Width = Field(64, description="of the autoencoders' convolutions; the paper's are 64")
    autoencoder_epochs: Epochs = Field(
        20, description="epochs of the cell's and of the basis' autoencoder"
    )
    autoencoder_crystals: Many | None = Field(
        None,
        description="train the autoencoders on a seeded part of this size, to save time; all "
        "unless given",
    )
    cell_batch: Many = Field(32, description="cell images per step")
    basis_batch: Many = Field(24, description="basis images per step")
    cell_rate: Rate = Field(1e-4, description="largest step of the cell's autoencoder")
    basis_rate: Rate = Field(3e-4, description="largest step of the basis' autoencoder")
    precision: Literal["float32", "mixed_bfloat16"] = Field(
        "float32",
        description="arithmetic of the autoencoders; mixed_bfloat16 saves time where the processor "
        "has it",
    )
    normalised_codes: bool = Field(
        True,
        description="scale the numbers of a code to variance 1 before their tanh; published: false",
    )
    image_loss: Literal["cross_entropy", "mse"] = Field(
        "cross_entropy",
        description="of images: binary cross-entropy, or the paper's mean squared error",
    )
    atom_weight: Weight = Field(
        5.0,
        description="a voxel of intensity x counts 1 + atom_weight x times in the loss; published: "
        "0",
    )
    strain: Fraction = Field(
        0.03,
        description="standard deviation of the strain of cells whose images are learnt, drawn anew "
        "each epoch; "
        "published: 0",
    )
    shift: Annotated[float, Field(ge=0, le=100)] = Field(
        0.05,
        description="standard deviation (Angstrom) of positions of atoms whose images are learnt; "
        "published: 0",
    )
    least_peak: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.3, description="local maxima of decoded images below it are no atoms; published: 0.02"
    )
    pretrain_epochs: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        200, description="epochs on all crystals without classifier, before those on labelled ones"
    )
    delta: Scale = Field(
        1e-4, description="spread of the latent prior: z = delta (mu + sigma epsilon)"
    )
    thresholds: dict[str, Value] = Field(
        {},
        description="property to the value, in its unit, at or below which the classifier calls a "
        "crystal stable; the "
        "median of the training labels unless given",
    )

    @model_validator(mode="after")
    def _thresholds_of_properties(self) -> Self:
        for name in self.thresholds:
            if name not in PROPERTIES:
                raise ValueError(not_one_of("property", name, PROPERTIES))
        return self


class ImatgenSettings(FirstVersionSettings):
    """Settings of `imatgen`."""

    name: str = "imatgen"
    imatgen: ImageSettings = Field(ImageSettings(), description="images, and what reads them")
    latent_dim: Width = Field(500, description="dimensions of the latent space")
    epochs: Epochs = Field(
        200, description="epochs of the first round on labelled crystals, after all others"
    )
    epochs_warm: Epochs = Field(
        50, description="epochs of later rounds, which start from the last snapshot"
    )
    batch_size: BatchSize = Field(64, description="crystals per step")
    learning_rate: Rate = Field(1e-4, description="step of the optimiser")
    beta: Weight = Field(
        1e-6, description="weight of the KL term per crystal, the mean over latent dimensions"
    )
    property_weight: Weight = Field(5e-7, description="weight of the classifier's cross-entropy")

    @classmethod
    def with_published(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data with the defaults of the variant `published`."""
        own = data.get("imatgen", {})
        if not isinstance(own, Mapping):
            return data
        return {**data, "imatgen": {**PUBLISHED_IMAGES, **own}}

    def total_epochs(self, *, warm: bool) -> int:
        """Epochs of a whole training, those of all networks together."""
        if warm:
            return self.epochs_warm
        own = self.imatgen
        return 2 * own.autoencoder_epochs + own.pretrain_epochs + self.epochs
