"""Fields that documents of crystals carry for those who search: composition, symmetry, round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

FIRST_ROUND = 1  # people count rounds from 1, `round_index` from 0


class SymmetryFields(BaseModel):
    """The space group of a crystal, under emmet-core's names."""

    model_config = ConfigDict(extra="allow")

    crystal_system: str = Field(description="`Cubic`, `Hexagonal`, ...")
    symbol: str = Field(description="international symbol, within 0.01 Angstrom")
    number: int = Field(description="1 to 230")


class CrystalFields(BaseModel):
    """What a crystal is made of, under emmet-core's names; None in documents of older versions.

    `gen2dft migrate` adds them. See `gen2dft.composition.crystal_fields`.
    """

    formula_pretty: str | None = Field(None, description="reduced formula, `RbZnSb`")
    elements: list[str] | None = Field(None, description="symbols in alphabetical order")
    nelements: int | None = None
    chemsys: str | None = Field(None, description="symbols in alphabetical order, `Rb-Sb-Zn`")
    nsites: int | None = Field(None, description="sites of the cell")
    symmetry: SymmetryFields | None = Field(None, description="None too where spglib finds none")
    round: int | None = Field(None, description="`round_index` + 1, as people count")

    @model_validator(mode="before")
    @classmethod
    def _round_of_the_index(cls, data: Any) -> Any:
        """Documents of older versions, and whoever makes one, give the index alone."""
        if not isinstance(data, Mapping) or data.get("round") is not None:
            return data
        index = data.get("round_index")
        if not isinstance(index, int):
            return data
        return {**data, "round": index + FIRST_ROUND}
