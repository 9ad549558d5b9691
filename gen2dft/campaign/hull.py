"""HullSpec: phases that distances to the hull are measured against, and the default."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator

from gen2dft.campaign.bounds import EnergyTolerance
from gen2dft.campaign.part import LATER, Part
from gen2dft.errors import not_one_of

AUTO = "auto"
DATASET = "dataset"
WHOLE_HULL = "materials-project-2025"
MATERIALS_PROJECT = "materials-project"
"""Name of the Materials Project's scale of formation energies, and of its data as a source."""
ON_ITS_SCALE = ("starter", "prototypes", "vanadium-oxides", MATERIALS_PROJECT)
"""Sources of data whose energies are on that scale."""


THERMO_TYPES = ("GGA_GGA+U", "GGA_GGA+U_R2SCAN", "R2SCAN")


class HullSpec(Part):
    """The frozen phases that distances to the hull are measured against.

    See docs/corrections.md.
    """

    source: str = Field(
        AUTO,
        description="`dataset` (formation energies of the campaign's data source), "
        "`materials-project-2025` (the Materials Project's whole hull, which ships), "
        "`materials-project` (its stable phases of `thermo_type`, by its API), "
        "`vanadium-oxides` (the five oxides of Noh et al., which ship), `engine` (phases "
        "that the campaign's "
        "own engine has computed, see `gen2dft calibrate`), or a file: a hull as `gen2dft hull "
        "--save` or `gen2dft data build hull` writes it, or a "
        "dataset. Unless given, or `auto`: `materials-project-2025` where the data are on its "
        "scale (those that ship, the Materials Project's, files with hull.scale: "
        "materials-project), else `dataset`",
    )
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = Field(
        None,
        description="hash that the hull of a file must have, as `gen2dft data build hull` prints "
        "it; not checked unless given",
        json_schema_extra=LATER,
    )
    thermo_type: str = Field(
        "GGA_GGA+U",
        description="family of the Materials Project's energies that `source: materials-project` "
        "asks its API for, pinned; the hull that ships does not depend on it",
    )
    scale: str | None = Field(
        None,
        description="what the energies of a file are measured on, e.g. materials-project; unknown: "
        "not checked",
    )
    coverage: Literal["elements", "compounds"] = Field(
        "elements",
        description="a chemical system counts as covered if all its elements occur in the "
        "reference, or if moreover "
        "a compound of them does; beyond that no distance is given",
    )
    own_phases: bool = Field(
        False, description="labels of earlier rounds join the hull of later ones"
    )
    tolerance: EnergyTolerance = Field(
        0.01,
        description="eV/atom within which the reference's known stable phases must come back at 0",
    )

    @field_validator("thermo_type")
    @classmethod
    def _thermo_type_is_one(cls, given: str) -> str:
        if given not in THERMO_TYPES:
            raise ValueError(not_one_of("thermo type", given, THERMO_TYPES))
        return given

    def resolved(self, dataset: str) -> Self:
        """The same with the hull that `auto` stands for.

        Parameters
        ----------
        dataset
            Source of the campaign's data.
        """
        if self.source != AUTO:
            return self
        is_on_its_scale = dataset in ON_ITS_SCALE or self.scale == MATERIALS_PROJECT
        source = WHOLE_HULL if is_on_its_scale else DATASET
        return self.model_copy(update={"source": source})
