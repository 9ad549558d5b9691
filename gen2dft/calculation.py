"""Calculation: the result of one calculation, whoever made it.

Engines return it, corrections read it, and the documents of `gen2dft.engines.base` are made of it.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pymatgen.core import Structure

from gen2dft.crystal_documents import structure_of

Vector = tuple[float, float, float]
# A program may repeat itself without end, and a document must stay far below 16 MB.
MAX_WARNINGS, MAX_WARNING = 50, 2000
GAP = "band_gap"


def _plain(value: Any) -> Any:
    """NumPy's arrays as lists: documents hold plain values."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def _crystal(value: Any) -> Any:
    """A stored crystal by the reader that lets no document choose a class, as pymatgen's would."""
    return structure_of(value) if isinstance(value, dict) else value


Crystal = Annotated[Structure, BeforeValidator(_crystal)]
Vectors = Annotated[list[Vector], BeforeValidator(_plain)]
Numbers = Annotated[list[float], BeforeValidator(_plain)]


class Calculation(BaseModel):
    """The result of one calculation.

    Array fields accept NumPy arrays. Further properties go into `values`; the property registry
    (`gen2dft.properties`) gives their units.
    """

    model_config = ConfigDict(extra="forbid")

    engine: str = Field(
        "", description="name of the engine; a direct call may leave it out, documents name it"
    )
    structure: Crystal = Field(
        description="final structure; of a static calculation, the one that was given"
    )
    energy_per_atom: float = Field(
        description="eV/atom on the engine's own scale, the engine's corrections included"
    )
    forces: Vectors | None = Field(
        None, description="(n_sites, 3) eV/Angstrom; None where they mean nothing"
    )
    stress: Vectors | None = Field(None, description="(3, 3) GPa, positive under tension")
    magmoms: Numbers | None = Field(None, description="(n_sites,) Bohr magnetons")
    values: dict[str, float] = Field(
        {}, description="property to value, in the unit of the property registry"
    )
    converged: bool = Field(
        description="forces and stress fell below the preset's threshold, and the electrons settled"
    )
    max_force: float | None = Field(
        None, description="largest (generalised) force at the end, eV/Angstrom; None as forces"
    )
    num_steps: int = Field(0, description="ionic steps")
    wall_seconds: float | None = Field(
        None, description="None: whoever asked for the calculation measures it"
    )
    cpu_seconds: float | None = Field(
        None, description="CPU time of all cores; None: whoever asked for it measures it, if it can"
    )
    cores: int = 1
    ends_as_static: bool = Field(
        False,
        description="a static calculation of the final structure would only repeat its last step",
    )
    run_type: str | None = Field(
        None, description="functional and U: GGA, GGA+U, ...; None for a surrogate"
    )
    hubbards: dict[str, float] = Field(
        {}, description="symbol to Hubbard U, eV; those that are not 0"
    )
    warnings: list[str] = Field([], description="for a reader of the result")
    is_stand_in: bool = Field(
        False, description="made by a program that only stands in for the engine, in tests"
    )

    @property
    def band_gap(self) -> float | None:
        """Band gap, eV, 0 for a metal; None if the engine computes no bands."""
        return self.values.get(GAP)

    @model_validator(mode="before")
    @classmethod
    def _gap_among_values(cls, fields: Any) -> Any:
        """Documents that an earlier version stored hold the gap in a field of its own."""
        if not isinstance(fields, dict) or GAP not in fields:
            return fields
        others = dict(fields)
        gap = others.pop(GAP)
        if gap is not None:
            others["values"] = {**others.get("values", {}), GAP: gap}
        return others

    @field_validator("warnings")
    @classmethod
    def _short(cls, warnings: list[str]) -> list[str]:
        kept = warnings[:MAX_WARNINGS]
        return [text[:MAX_WARNING] for text in kept]
