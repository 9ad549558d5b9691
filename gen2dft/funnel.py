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

    Crystals that a gate weighed have left it with the others.

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

    weighed: dict[str, NonNegativeInt] = Field(
        {}, description="reason to number of crystals that it left in with a smaller chance"
    )

    @model_serializer(mode="wrap")
    def _without_empty_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out later keys where they say nothing: earlier versions refuse them."""
        data: dict[str, Any] = handler(self)
        for key in ("package", "weighed"):
            if not data.get(key):
                data.pop(key, None)
        return data

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        stopped = sum(self.reasons.values())
        if sum(self.weighed.values()) > self.n_out:
            raise ValueError(f"stage {self.stage!r} weighed more than it let out")
        if self.n_in != self.n_out + stopped:
            raise ValueError(
                f"stage {self.stage!r} does not add up: {self.n_in} in, {self.n_out} out, "
                f"{stopped} stopped"
            )
        return self
