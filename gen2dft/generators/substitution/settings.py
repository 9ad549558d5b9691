"""`SubstitutionSettings`: the keys of the generator `substitution` in a campaign file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gen2dft.campaign import GeneratorSpec
from gen2dft.campaign.bounds import Many

NAME = "substitution"


class SubstitutionSettings(GeneratorSpec):
    """Keys of the generator `substitution`."""

    name: str = NAME
    num_seeds: Many = Field(
        100,
        description="parents: the known crystals that are best by the targets, each used equally "
        "often; further ones where these have no exchange left",
    )
    min_probability: float = Field(
        1e-3,
        gt=0,
        lt=1,
        description="least probability of an ion exchange, the product over all ions",
    )
    max_steps: Annotated[int, Field(ge=0, le=10_000)] = Field(
        3,
        description="places on Mendeleev's scale that the elements of a crystal without oxidation "
        "states may move, all together; 0: such crystals are no parents",
    )
    polymorphs: bool = Field(
        False, description="also draw formulas that are known, in structures of other formulas"
    )
