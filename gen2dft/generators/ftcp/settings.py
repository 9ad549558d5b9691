"""FTCPSettings: how the FTCP generator is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from gen2dft.campaign.version1 import FirstVersionSettings

# Of Ren et al., arXiv:2005.07609, and its published code.
PUBLISHED: Mapping[str, Any] = {
    "epochs": 200,
    "epochs_warm": 50,
    "batch_size": 256,
    "learning_rate": 5e-4,
    "latent_dim": 256,
    "beta": 3e-5,
    "property_weight": 10.0,
}


class FTCPSettings(FirstVersionSettings):
    """Settings of `ftcp`."""

    name: str = "ftcp"
    fourier: Literal["modulus", "published_code"] = Field(
        "modulus",
        description="reciprocal part: abs(F(hkl)), or the term without exponential of the "
        "published code",
    )
    reads: Literal["both", "real", "reciprocal"] = Field(
        "both",
        description="parts of the matrix that the encoder sees; the others serve comparisons",
    )

    @classmethod
    def with_published(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data with the defaults of the variant `published`."""
        return {**PUBLISHED, **data}
