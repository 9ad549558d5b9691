"""A correction of the toys' distances to the hull whose figures tests know by heart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from pymatgen.core import Structure

from gen2dft.heads import stability_trees
from gen2dft.thermo.stability import Estimate

NAME = "toy-2025"
LIFT, ERROR, WIDE = 0.1, 0.05, 0.2


@dataclass(frozen=True)
class StandIn:
    """Every distance is `LIFT` eV/atom too low; fluorides are unlike all that it has seen."""

    name: str = NAME
    model_hash: str = "0123456789abcdef"

    def estimate(
        self,
        structures: Sequence[Structure],
        formation_energies: Sequence[float],
        e_above_hulls: Sequence[float],
    ) -> list[Estimate]:
        """One estimate per crystal."""
        found = []
        for structure, _, distance in zip(
            structures, formation_energies, e_above_hulls, strict=True
        ):
            unlike = "F" in structure.composition.get_el_amt_dict()
            found.append(Estimate(distance + LIFT, WIDE if unlike else ERROR, unlike))
        return found


def model_of_the_toys(engine: str, preset: str) -> StandIn | None:
    """The correction that ships for the toys, whatever the preset."""
    del preset
    return StandIn() if engine == "toy" else None


def correct_the_toys(patch: pytest.MonkeyPatch) -> None:
    """The toys' distances are corrected from now on."""
    patch.setattr(stability_trees, "stability_model", model_of_the_toys)
