"""ScreeningSpec: the gates between decoding and validation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from gen2dft.campaign.bounds import EnergyDifference, Many, Symbols
from gen2dft.campaign.gate_list import (
    ALREADY_RESOLVED,
    DECISIVE,
    GateEntry,
    GeometrySettings,
    default_gates,
    resolve_gates,
)
from gen2dft.campaign.part import LATER, Fraction, Part


class SurrogateSpec(Part):
    """Last gate before validation: relax with an ML potential and measure the distance to the
    hull.
    """

    engine: str = Field("mlip", description="name of a registered engine")
    preset: str = Field("chgnet-screen-v1", description="named settings of that engine")
    max_e_above_hull: EnergyDifference = Field(0.1, description="eV/atom above the dataset's hull")
    min_e_above_hull: EnergyDifference = Field(
        -0.3,
        description="eV/atom; what lies further below the hull is kept with the remark "
        "`hull_incomplete` and ranked last, since the hull lacks phases there. More than 1 below, "
        "or than this if it is deeper, is refused as `implausible_energy`",
    )
    chunk: Many = Field(16, description="crystals per firework")
    max_relaxations: Many | None = Field(
        None, description="relax only this many per round, best predicted first"
    )
    symmetrise: bool = Field(
        True,
        description="give a crystal that passes the most symmetric primitive cell that costs it "
        "less than 3 meV/atom; validation starts from it",
        json_schema_extra=LATER,
    )
    verdict: Literal["reject", "mark"] = Field(
        "reject",
        json_schema_extra=LATER,
        description="what becomes of a crystal that this gate finds a fault in: rejected, or "
        "marked with it and validated all the same",
    )

    correction: str = Field(
        "auto",
        json_schema_extra=LATER,
        description="what is expected of DFT where the potential gives a distance to the hull: "
        "`auto`, the correction that ships for this potential, where the screen's hull is on scale "
        "`materials-project` (begun campaigns carry its name); that name; or `none`",
    )
    min_chance: Fraction | None = Field(
        None,
        json_schema_extra=LATER,
        description="go by the chance that DFT confirms the target on e_above_hull (without one: "
        "max_e_above_hull) in place of the distance: refuse what has less",
    )

    @property
    def only_marks(self) -> bool:
        """Whether every crystal passes."""
        return self.verdict == "mark"


class ScreeningSpec(GeometrySettings):
    """Gates between decoding and validation, and their limits."""

    charge_balance: Literal[True, False, "strict"] = Field(
        True,
        description="refuse formulas that oxidation states met in solids cannot make neutral; "
        "compounds of metals "
        "alone pass. strict, for semiconductors: one common state per element or a closed valence "
        "shell",
    )
    allowed_elements: Symbols = Field(
        (), description="symbols; empty means all of the training set's"
    )
    excluded_elements: Symbols = Field((), description="symbols never wanted")
    novelty: Literal["formula", "structure", "none"] = Field(
        "formula",
        description="formula: the reduced formula is new, as in the FTCP paper; structure: no "
        "known match; none: known crystals are welcome",
    )
    surrogate: SurrogateSpec = SurrogateSpec()
    # Behind the keys that it takes defaults from: pydantic validates in the order of the fields.
    gates: tuple[GateEntry, ...] = Field(
        (),
        description="the cheap gates in their order, each a name or {name: settings}, see "
        "docs/gates.md; `default` stands for those that the keys above ask for",
        json_schema_extra=LATER,
    )

    @field_validator("gates", mode="before")
    @classmethod
    def _with_all_settings(cls, listed: Any, info: ValidationInfo) -> Any:
        if info.context and info.context.get(ALREADY_RESOLVED):
            return listed
        if set(DECISIVE) - set(info.data):
            return ()  # the keys above are wrong, and the message tells of them
        return resolve_gates(listed, info.data)

    @property
    def plan(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Name and settings of each cheap gate, in the order in which they run."""
        entries = self.gates or default_gates(dict(self))
        return tuple((name, settings) for entry in entries for name, settings in entry.items())
