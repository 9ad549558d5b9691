"""The funnel: how many crystals entered a stage, how many left it, and why the others did not."""

from __future__ import annotations

from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

BEFORE_GATES = ("sample", "invert")
AFTER_GATES = ("shortlist", "surrogate", "select", "validate", "targets", "distinct")
HITS_LEFT = ("targets", "distinct")  # stages after which hits are counted


class StageCount(BaseModel):
    """Counters of one stage; n_in = n_out + sum of reasons always holds.

    Raises
    ------
    ValueError
        (as pydantic.ValidationError) if the counters do not add up.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    n_in: NonNegativeInt
    n_out: NonNegativeInt
    reasons: dict[str, NonNegativeInt] = Field(
        {}, description="reason to number of crystals it stopped"
    )
    package: str | None = Field(
        None, description="name and version of the package of a gate that does not ship"
    )

    @model_serializer(mode="wrap")
    def _without_empty_package(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `package` where there is none: versions without plugin gates refuse the key."""
        data: dict[str, Any] = handler(self)
        if self.package is None:
            data.pop("package", None)
        return data

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        stopped = sum(self.reasons.values())
        if self.n_in != self.n_out + stopped:
            raise ValueError(
                f"stage {self.stage!r} does not add up: {self.n_in} in, {self.n_out} out, "
                f"{stopped} stopped"
            )
        return self
