"""Engine `external`: results that people or programs outside gen2dft tell (docs/ask-and-tell.md).

It computes nothing. A campaign that names it waits for answers once it has chosen a batch. Labels
of answers that DFT computed name `external-dft`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pymatgen.core import Composition, Structure

from gen2dft.calculation import Calculation
from gen2dft.campaign.engine_defaults import EXTERNAL, EXTERNAL_DFT
from gen2dft.engines.base import Engine
from gen2dft.errors import CalculationFailed
from gen2dft.hashing import content_hash
from gen2dft.properties import ENERGIES

TOLD = "told"


@dataclass(frozen=True)
class ToldPreset:
    """The only preset: whoever tells a result says what it rests on."""

    name: str = TOLD
    description: str = "results that are told by `gen2dft tell` or the Python API"

    @property
    def settings_hash(self) -> str:
        """The same for every answer: a candidate takes one."""
        return content_hash(f"{EXTERNAL} {self.name}", digits=12)

    def contents(self) -> dict[str, Any]:
        """All that it sets: nothing."""
        return {"description": self.description, "settings_hash": self.settings_hash}


def nobody_computes(structure: Structure, preset: str) -> Calculation:
    """CalculationFailed: whoever called this wants a result that only people can tell."""
    del preset
    raise CalculationFailed(
        "not_computed_here",
        f"{structure.composition.reduced_formula}: engine {EXTERNAL!r} computes nothing; tell the "
        "result with `gen2dft tell`",
    )


def as_told(composition: Composition, energy_per_atom: float) -> float:
    """The energy itself: without `validation.references`, formation energies are told, eV/atom."""
    del composition
    return energy_per_atom


ENGINE = Engine(
    name=EXTERNAL,
    is_dft=False,
    provides=frozenset(ENERGIES),
    presets={TOLD: ToldPreset()},
    relax=nobody_computes,
    static=nobody_computes,
    formation_energy=as_told,
)
BY_DFT = replace(ENGINE, name=EXTERNAL_DFT, is_dft=True)
