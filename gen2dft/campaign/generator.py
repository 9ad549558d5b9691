"""GeneratorSpec: which generator a campaign names, and how it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from gen2dft.campaign.part import NonNegative, Part
from gen2dft.errors import not_one_of
from gen2dft.properties import PROPERTIES


class ImatgenSpec(Part):
    """What only the generator `imatgen` has: its images, their autoencoders, and its classifier."""

    elements: tuple[str, ...] = Field(
        ("V", "O"),
        min_length=1,
        max_length=5,
        description="symbols; every crystal holds all of them and no other",
    )
    max_sites: PositiveInt = Field(20, description="most atoms of a cell")
    channels: PositiveInt = Field(
        64, description="of the autoencoders' convolutions; the paper's are 64"
    )
    autoencoder_epochs: PositiveInt = Field(
        20, description="epochs of the cell's and of the basis' autoencoder"
    )
    autoencoder_crystals: PositiveInt | None = Field(
        None,
        description="train the autoencoders on a seeded part of this size, to save time; all "
        "unless given",
    )
    cell_batch: PositiveInt = Field(32, description="cell images per step")
    basis_batch: PositiveInt = Field(24, description="basis images per step")
    cell_rate: PositiveFloat = Field(1e-4, description="largest step of the cell's autoencoder")
    basis_rate: PositiveFloat = Field(3e-4, description="largest step of the basis' autoencoder")
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
    atom_weight: NonNegative = Field(
        5.0,
        description="a voxel of intensity x counts 1 + atom_weight x times in the loss; published: "
        "0",
    )
    strain: NonNegative = Field(
        0.03,
        description="standard deviation of the strain of cells whose images are learnt, drawn anew "
        "each epoch; "
        "published: 0",
    )
    shift: NonNegative = Field(
        0.05,
        description="standard deviation (Angstrom) of positions of atoms whose images are learnt; "
        "published: 0",
    )
    least_peak: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.3, description="local maxima of decoded images below it are no atoms; published: 0.02"
    )
    pretrain_epochs: Annotated[int, Field(ge=0)] = Field(
        200, description="epochs on all crystals without classifier, before those on labelled ones"
    )
    delta: PositiveFloat = Field(
        1e-4, description="spread of the latent prior: z = delta (mu + sigma epsilon)"
    )
    thresholds: dict[str, float] = Field(
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


# What a generator is trained with unless the campaign says otherwise, and what its variant
# `published` changes: for `ftcp` the settings of Ren et al., arXiv:2005.07609, for `imatgen` those
# of Noh et al., Matter 1, 1370 (2019), each with its published code.
GENERATOR_DEFAULTS: dict[str, dict[str, Any]] = {
    "imatgen": {
        "epochs": 200,
        "epochs_warm": 50,
        "batch_size": 64,
        "learning_rate": 1e-4,
        "latent_dim": 500,
    }
    | {"beta": 1e-6, "property_weight": 5e-7},
}
PUBLISHED_DEFAULTS: dict[str, dict[str, Any]] = {
    "ftcp": {
        "epochs": 200,
        "epochs_warm": 50,
        "batch_size": 256,
        "learning_rate": 5e-4,
        "latent_dim": 256,
    }
    | {"beta": 3e-5, "property_weight": 10.0},
}
PUBLISHED_IMATGEN = {
    "normalised_codes": False,
    "image_loss": "mse",
    "atom_weight": 0.0,
    "least_peak": 0.02,
} | {
    "strain": 0.0,
    "shift": 0.0,
}


class GeneratorSpec(Part):
    """Which generator, and how it is trained."""

    name: str = Field(
        "ftcp", description="name of a registered generator; changes the defaults below"
    )
    variant: Literal["gen2dft", "published"] = Field(
        "gen2dft",
        description="`published`: networks, loss and training as in the paper; changes the "
        "defaults below",
    )
    fourier: Literal["modulus", "published_code"] = Field(
        "modulus",
        description="reciprocal part: abs(F(hkl)), or the term without exponential of the "
        "published code",
    )
    reads: Literal["both", "real", "reciprocal"] = Field(
        "both",
        description="parts of the matrix that the encoder sees; the others serve comparisons",
    )
    imatgen: ImatgenSpec = Field(ImatgenSpec(), description="settings of `imatgen` alone")
    properties: tuple[str, ...] = Field(
        (), description="property heads besides those of the targets"
    )
    latent_dim: PositiveInt = Field(192, description="dimensions of the latent space")
    epochs: PositiveInt = Field(80, description="epochs of the first round")
    epochs_warm: PositiveInt = Field(
        20, description="epochs of later rounds, which start from the last snapshot"
    )
    batch_size: Annotated[int, Field(ge=2)] = Field(128, description="crystals per step")
    learning_rate: PositiveFloat = Field(1e-3, description="largest step of the optimiser")
    beta: NonNegative = Field(
        1e-2,
        description="weight of the KL term per crystal, summed over latent dimensions (imatgen: "
        "their mean)",
    )
    property_weight: NonNegative = Field(
        100.0,
        description="weight (lambda) of the masked property loss (imatgen: of the classifier's "
        "cross-entropy)",
    )
    holdout: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="share of crystals kept from training"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_generator_and_variant(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        name, defaults = data.get("name", "ftcp"), GENERATOR_DEFAULTS.get(data.get("name", ""), {})
        if data.get("variant") != "published":
            return {**defaults, **data}
        own = data.get("imatgen", {})
        if name == "imatgen" and isinstance(own, Mapping):
            data = {**data, "imatgen": {**PUBLISHED_IMATGEN, **own}}
        return {**defaults, **PUBLISHED_DEFAULTS.get(name, {}), **data}

    @property
    def label(self) -> str:
        return self.name

    share = property(lambda self: 1.0)

    def training_settings(self) -> dict[str, Any]:
        """All that a training depends on, as plain values: what only another generator has is left
        out.
        """
        return self.model_dump(
            mode="json", exclude=set() if self.name == "imatgen" else {"imatgen"}
        )

    def total_epochs(self, *, warm: bool) -> int:
        """Epochs of a whole training, those of all networks together."""
        if warm:
            return self.epochs_warm
        if self.name != "imatgen":
            return self.epochs
        return 2 * self.imatgen.autoencoder_epochs + self.imatgen.pretrain_epochs + self.epochs
