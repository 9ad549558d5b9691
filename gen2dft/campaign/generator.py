"""GeneratorSpec: the keys of every generator in a campaign file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from gen2dft.campaign.part import LATER, Part

LABEL = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class GeneratorSpec(Part):
    """The keys that every generator has.

    A generator's own `Settings` derive from this class and add their keys. `read_generator` finds
    the right class by the generator's name.
    """

    name: str = Field(description="name of a registered generator, which decides the other keys")
    label: str = Field(
        "",
        pattern=LABEL,
        description="what the source is called in tables and documents, to tell two generators of "
        "one name apart; its name unless given",
    )
    share: float = Field(
        1.0,
        gt=0,
        le=1,
        json_schema_extra=LATER,
        description="of the draws and of the batch, in `generators`; equal shares unless given",
    )
    properties: tuple[str, ...] = Field(
        (), description="properties to predict besides those of the targets"
    )

    @model_validator(mode="before")
    @classmethod
    def _called_by_its_name(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "label" in data:
            return data
        name = data.get("name", cls.model_fields["name"].default)
        return {**data, "label": name} if isinstance(name, str) else data

    def training_settings(self) -> dict[str, Any]:
        """Everything that the result of a training depends on, as plain values."""
        settings = self.model_dump(mode="json")
        for key in ("label", "share"):
            settings.pop(key, None)
        return settings

    @property
    def frozen_snapshot(self) -> str | None:
        """Id of the snapshot that a source was frozen as before its campaign began.

        None: the campaign trains it. A frozen source needs no labels.
        """
        return None

    def total_epochs(self, *, warm: bool) -> int:  # noqa: ARG002 - of those that have epochs
        """Epochs of a whole training, those of all networks together; 1 without epochs."""
        return 1

    def written(self, data: dict[str, Any]) -> dict[str, Any]:
        """The dumped data without a label that is the name; the first version had no labels."""
        data = super().written(data)
        if self.label == self.name:
            data.pop("label", None)
        return data
