"""What the table needs of a correction of a potential's distances to the hull."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any, Protocol

HOME = "gen2dft.thermo.stability"


class Estimate(Protocol):
    """A corrected distance to the hull."""

    @property
    def e_above_hull(self) -> float:
        """eV/atom."""
        ...

    @property
    def unlike(self) -> bool:
        """Whether the composition is unlike all that the correction was fitted to."""
        ...

    def chance(self, most: float) -> float:
        """The chance that DFT puts it at most so far above the hull, eV/atom."""
        ...


class Correction(Protocol):
    """A correction of one potential."""

    def estimate(
        self,
        structures: Sequence[Any],
        formation_energies: Sequence[Any],
        e_above_hulls: Sequence[Any],
    ) -> Sequence[Estimate]:
        """An estimate for each crystal, from what the potential says of it, eV/atom."""
        ...


def correction_of(engine: str, preset: str) -> Correction | None:
    """The correction that ships for an engine's preset; None if there is none."""
    if importlib.util.find_spec(HOME) is None:
        return None
    found: Correction | None = importlib.import_module(HOME).stability_model(engine, preset)
    return found
