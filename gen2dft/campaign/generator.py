"""GeneratorSpec: the keys of every generator in a campaign file."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gen2dft.campaign.part import Part


class GeneratorSpec(Part):
    """The keys that every generator has.

    A generator's own `Settings` derive from this class and add their keys. `read_generator` finds
    the right class by the generator's name.
    """

    name: str = Field(description="name of a registered generator, which decides the other keys")
    properties: tuple[str, ...] = Field(
        (), description="properties to predict besides those of the targets"
    )

    def training_settings(self) -> dict[str, Any]:
        """Everything that the result of a training depends on, as plain values."""
        return self.model_dump(mode="json")

    def total_epochs(self, *, warm: bool) -> int:  # noqa: ARG002 - of those that have epochs
        """Epochs of a whole training, those of all networks together; 1 without epochs."""
        return 1
