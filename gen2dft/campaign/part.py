"""What every part of a campaign file is made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.fields import FieldInfo

Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
# Marks a key that came after the first release: Field(..., json_schema_extra=LATER).
LATER: dict[str, Any] = {"later": True}


class Part(BaseModel):
    """Base of every part of a campaign file: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @classmethod
    def readable(cls) -> dict[str, FieldInfo]:
        """The fields of the keys that are read."""
        return dict(cls.model_fields)

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self.written(handler(self))

    def written(self, data: dict[str, Any]) -> dict[str, Any]:
        """The dumped data without each later key that has its default.

        A campaign's id is the hash of its dumped spec. A key that an earlier version did not have
        must not change the id of a campaign that does not use it, or that campaign, started under
        the earlier version, would begin anew instead of being carried on.
        """
        for name, field in type(self).model_fields.items():
            if field.json_schema_extra is not LATER:
                continue
            if getattr(self, name) == field.get_default(call_default_factory=True):
                data.pop(name, None)
                data.pop(field.alias or name, None)
        return data
