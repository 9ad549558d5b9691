"""TransportSpec: the meaning of a campaign's power factors, and how finely they are computed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from gen2dft.campaign.bounds import Doping, Few, Gap, Scale, Temperature
from gen2dft.campaign.part import LATER, Part
from gen2dft.definitions import (
    CarrierChoice,
    Conditions,
    conditions_of,
    custom_definition,
    definition_of,
    with_gap_of,
)
from gen2dft.errors import CampaignError
from gen2dft.properties import DEFAULT_TRANSPORT, TransportDefinition


class TransportSpec(Part):
    """What a computed power factor means."""

    definition: str = Field(
        DEFAULT_TRANSPORT,
        description="label definition: carriers, temperature, doping and average; `ricci2017`, "
        "`ftcp`, or one made of the keys below, such as `n-600K-1e19`, see docs/transport.md",
    )
    carrier: CarrierChoice | None = Field(
        None,
        json_schema_extra=LATER,
        description="holes `p`, electrons `n`, or `best`: those that give the larger power factor; "
        "p if another key makes a definition",
    )
    temperature: Temperature | None = Field(
        None,
        json_schema_extra=LATER,
        description="K; 300 if another key makes a definition",
    )
    doping: Doping | Literal["optimal"] | None = Field(
        None,
        json_schema_extra=LATER,
        description="carriers per cm^3, or `optimal`: where the power factor is largest within "
        "doping_range; 1e18 if another key makes a definition",
    )
    doping_range: tuple[Doping, Doping] | None = Field(
        None,
        json_schema_extra=LATER,
        description="carriers per cm^3, the range of an optimal doping; 1e18 to 1e21 unless given",
    )
    gap: Gap | Literal["from_target"] | None = Field(
        None,
        json_schema_extra=LATER,
        description="eV: raise the conduction bands of a crystal with a narrower gap to this one "
        "(a scissor); `from_target`: to the lowest gap that the target on band_gap accepts",
    )
    tolerance: Scale = Field(
        0.05,
        description="relative error of the power factor, as estimated from the last meshes, at "
        "which the mesh of k-points is fine enough",
    )
    meshes: Few = Field(
        3,
        description="meshes computed for one crystal at most: the preset's, then finer ones as "
        "long as the tolerance asks for it; 1: the preset's alone, without an estimate of the "
        "error",
    )
    program: Literal["gen2dft", "boltztrap2"] = Field(
        "gen2dft",
        description="computes transport from bands; both give the same numbers, boltztrap2 needs "
        "`make transport`",
        json_schema_extra=LATER,
    )

    @model_validator(mode="after")
    def _definition_is_canonical(self) -> Self:
        try:
            found = self._found()
        except CampaignError as error:
            raise ValueError(str(error)) from error
        # The model is frozen for those who hold it; it is completed before anybody does.
        object.__setattr__(self, "definition", found.name)
        if self.gap is None:
            object.__setattr__(self, "gap", found.gap)
        for key, value in vars(conditions_of(found)).items():
            object.__setattr__(self, key, value)
        return self

    @property
    def meaning(self) -> TransportDefinition:
        """The definition that the campaign's power factors follow."""
        return definition_of(self.definition)

    def with_gap(self, gap: float) -> TransportSpec:
        """The same with a gap in eV."""
        name = with_gap_of(self.meaning, gap).name
        return self.model_copy(update={"definition": name, "gap": gap})

    def _found(self) -> TransportDefinition:
        """The definition that the keys make; CampaignError where they contradict each other."""
        named = definition_of(self.definition)
        conditions = Conditions(self.carrier, self.temperature, self.doping, self.doping_range)
        found = custom_definition(conditions) if conditions.are_given else with_gap_of(named, None)
        gap = self.gap if isinstance(self.gap, float) else named.gap
        stated = with_gap_of(found, gap)
        if "definition" not in self.model_fields_set:
            return stated
        if stated.name != with_gap_of(named, named.gap or gap).name:
            raise CampaignError(
                f"definition {self.definition!r} and the keys beside it, which make "
                f"{stated.name!r}, contradict each other: leave one out"
            )
        return stated
