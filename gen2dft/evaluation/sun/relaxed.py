"""What the potential makes of new crystals, each in the journal, and which of them are left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.errors import Gen2DFTError
from gen2dft.evaluation.journal import Relax
from gen2dft.evaluation.matching import displacement_rmsd
from gen2dft.evaluation.sun.known import Prototypes
from gen2dft.hashing import content_hash
from gen2dft.screening.duplicates import duplicate_gate
from gen2dft.screening.surrogate import ABOVE_HULL
from gen2dft.symmetry import prototype
from gen2dft.thermo.stability import Estimate, StabilityModel

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.screening.surrogate import SurrogateVerdict

CRASHED = "crashed"


@dataclass(frozen=True)
class Relaxed:
    """What became of one crystal.

    Parameters
    ----------
    row
        Among the crystals of its way.
    failure
        Why its energy is not believed; None if it is.
    structure
        As relaxed, in its most symmetric cell where the screen looked for one.
    formation_energy, e_above_hull
        eV/atom, by the potential.
    rmsd
        Displacement of the atoms, Angstrom.
    prototype
        See `gen2dft.symmetry.prototype`.
    is_new_prototype
        Whether no training crystal has this prototype; None if it is not known.
    is_unique
        Whether no other crystal of the way has relaxed to the same structure before.
    estimate
        The corrected distance; None without a correction.
    """

    row: int
    failure: str | None = None
    structure: Structure | None = None
    formation_energy: float | None = None
    e_above_hull: float | None = None
    rmsd: float | None = None
    prototype: str | None = None
    is_new_prototype: bool | None = None
    is_unique: bool = False
    estimate: Estimate | None = None

    @property
    def is_p1(self) -> bool:
        """Whether spglib finds no symmetry within 0.1 Angstrom."""
        return self.prototype is not None and self.prototype.split("_")[2] == "1"

    def within(self, most: float) -> bool:
        """Whether it lies at most so far above the hull by the potential, eV/atom."""
        return self.e_above_hull is not None and self.e_above_hull <= most

    def is_corrected_within(self, most: float) -> bool:
        """Whether it lies at most so far above the hull as corrected, eV/atom."""
        return self.estimate is not None and self.estimate.e_above_hull <= most


def chosen(crystals: CrystalTable, rows: Sequence[int], number: int, seed: int) -> list[int]:
    """At most `number` of the rows, ascending: the first in an order by hashes.

    The order depends on crystal and seed alone. So fewer are a part of more, and ways that draw
    the same crystal choose it together.
    """

    def key(row: int) -> str:
        return content_hash(str(seed), crystals.select([row]).content_hash(), digits=16)

    in_order = sorted(rows, key=key)
    return sorted(in_order[:number])


def relax_all(
    crystals: CrystalTable,
    rows: Sequence[int],
    relax: Relax,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> list[Relaxed]:
    """Relax crystals; what goes wrong with one is its `failure`."""
    found = []
    for done, row in enumerate(rows):
        progress(done, len(rows))
        found.append(relaxed(row, crystals.structure(row), relax))
    progress(len(rows), len(rows))
    return found


def relaxed(row: int, before: Structure, relax: Relax) -> Relaxed:
    """Relax one crystal."""
    try:
        return _read(row, before, relax(before))
    except Gen2DFTError:  # nothing that another crystal would be spared
        raise
    except Exception as err:
        return Relaxed(row, f"{CRASHED}: {type(err).__name__}")


def _read(row: int, before: Structure, verdict: SurrogateVerdict) -> Relaxed:
    """What a verdict says of a crystal."""
    after = verdict.as_relaxed
    if verdict.reason not in (None, ABOVE_HULL) or verdict.structure is None or after is None:
        return Relaxed(row, verdict.reason or CRASHED)
    return Relaxed(
        row,
        structure=verdict.structure,
        formation_energy=verdict.formation_energy,
        e_above_hull=verdict.e_above_hull,
        rmsd=displacement_rmsd(before, after),
        prototype=prototype(verdict.structure),
    )


def judged(
    found: Sequence[Relaxed], prototypes: Prototypes, correction: StabilityModel | None
) -> list[Relaxed]:
    """The same with what only all of them together, or other crystals, tell."""
    ended = [one for one in found if one.structure is not None]
    unique = _unique(ended)
    estimates = _estimates(ended, correction)
    told: dict[int, Relaxed] = {}
    for one, is_unique, estimate in zip(ended, unique, estimates, strict=True):
        is_new = _is_new(one, prototypes)
        told[one.row] = replace(
            one, is_unique=bool(is_unique), estimate=estimate, is_new_prototype=is_new
        )
    return [told.get(one.row, one) for one in found]


def _unique(ended: Sequence[Relaxed]) -> NDArray[np.bool_]:
    """(n,) which relaxed crystals are the first of their structure."""
    table = CrystalTable.from_structures(one.structure for one in ended if one.structure)
    return np.array([reason is None for reason in duplicate_gate(table, [])], dtype=bool)


def _is_new(one: Relaxed, prototypes: Prototypes) -> bool | None:
    if one.prototype is None or one.structure is None:
        return None
    return not prototypes.holds(one.structure, one.prototype)


def _estimates(
    ended: Sequence[Relaxed], correction: StabilityModel | None
) -> Sequence[Estimate | None]:
    """The corrected distance of each crystal."""
    if correction is None:
        return [None] * len(ended)
    return [_estimate(one, correction) for one in ended]


def _estimate(one: Relaxed, correction: StabilityModel) -> Estimate | None:
    """None for a crystal that the hull does not cover."""
    if one.structure is None or one.formation_energy is None or one.e_above_hull is None:
        return None
    (estimate,) = correction.estimate([one.structure], [one.formation_energy], [one.e_above_hull])
    return estimate
