"""The figures of one way, and of each of its methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gen2dft.evaluation.sun.draws import Draws, Sieve
from gen2dft.evaluation.sun.relaxed import Relaxed
from gen2dft.evaluation.tables import Column, mean
from gen2dft.statistics import Interval, product, share

LIMITS = (0.0, 0.05, 0.1)
"""eV/atom above the hull: on it; within the error of DFT's differences; metastable."""
SUN_LIMITS = (0.0, 0.1)
FAR_BELOW = -0.3
"""eV/atom: deeper, the hull lacks phases rather than the crystal being so stable."""

Figures = dict[str, float | None]


def key_of(kind: str, limit: float) -> str:
    """`within_050` for 0.05 eV/atom."""
    return f"{kind}_{round(1000 * limit):03d}"


def _columns(kind: str, title: str, limits: Sequence[float]) -> list[Column]:
    """One column for each limit, with intervals."""
    columns = []
    for limit in limits:
        where = f"within {limit:g} eV/atom" if limit else "on the hull"
        columns.append(Column(key_of(kind, limit), f"{where}, {title}", ".1%", interval=True))
    return columns


COLUMNS = (
    Column("draws", "draws", ".0f"),
    Column("decoded", "gave a crystal", ".1%"),
    Column("valid_geometry", "valid: geometry", ".1%"),
    Column("valid_charge", "valid: charge", ".1%"),
    Column("valid", "valid: both", ".1%"),
    Column("unique", "valid, unique", ".1%"),
    Column("novel_structure", "valid, new structure to the source", ".1%"),
    Column("novel_source", "valid, new formula to the source", ".1%"),
    Column("novel_hull", "valid, new formula to the hull", ".1%"),
    Column("new", "new: valid, unique, new formula to both", ".1%", interval=True),
    Column("relaxed", "relaxations of new crystals", ".0f"),
    Column("failed", "failed, of these", ".1%"),
    Column("p1", "without symmetry (P1), of the others", ".1%", interval=True),
    Column("new_prototype", "new prototypes, of the others", ".1%", interval=True),
    Column("rmsd", "RMSD to the relaxed structure, \u00c5", ".3f"),
    Column("far_below", f"more than {-FAR_BELOW:g} below the hull, per relaxation", ".1%"),
    *_columns("within", "per relaxation", LIMITS),
    *_columns("draw", "per draw", LIMITS),
    *_columns("sun", "S.U.N. per draw", (0.0, 0.08, 0.1)),
    *_columns("corrected", "corrected, per relaxation", LIMITS),
    *_columns("corrected_draw", "corrected, per draw", LIMITS),
    *_columns("corrected_sun", "corrected, S.U.N. per draw", SUN_LIMITS),
    *(
        Column(
            key_of("chance", limit), f"mean chance of DFT within {limit:g}, per relaxation", ".1%"
        )
        for limit in LIMITS
    ),
    Column("chances", "sum of chances within 0.1, of all relaxations", ".1f"),
    Column("unlike", "compositions unlike all that the correction knows", ".1%"),
)


@dataclass(frozen=True, eq=False)
class Measured:
    """All that is known of the draws of one way.

    Parameters
    ----------
    draws, sieve
        What was drawn, and what is valid, unique and novel of it.
    relaxed
        Crystals that were relaxed, a random part of the new ones.
    is_corrected
        Whether there is a correction.
    """

    draws: Draws
    sieve: Sieve
    relaxed: Sequence[Relaxed]
    is_corrected: bool

    @property
    def methods(self) -> list[str]:
        """Ways of drawing within the source, in their order."""
        return list(dict.fromkeys(self.draws.methods))


@dataclass(frozen=True)
class Sample:
    """How many crystals stand for how many.

    Parameters
    ----------
    draws, new, relaxed
        Draws; new crystals among them; of these relaxed.
    """

    draws: int
    new: int
    relaxed: int

    def per_relaxation(self, count: int) -> Interval | None:
        """The share of the relaxed crystals."""
        return share(count, self.relaxed) if self.relaxed else None

    def per_draw(self, count: int) -> Interval | None:
        """The share of the draws, estimated from the part of the new crystals that was relaxed."""
        if self.relaxed == self.new:
            return share(count, self.draws)
        found = self.per_relaxation(count)
        return None if found is None else product(share(self.new, self.draws), found)


def figures_of(measured: Measured, method: str | None = None) -> Figures:
    """The figures of a way, or of one method of its draws; the method must have drawn."""
    own = measured.draws.crystals_of(method)
    found = [one for one in measured.relaxed if own[one.row]]
    number = measured.draws.number_of(method)
    sample = Sample(number, int((measured.sieve.new & own).sum()), len(found))
    figures = _draw_figures(measured, own, number)
    figures |= _relaxed_figures(found, sample)
    figures |= _stable_figures(found, sample, "", Relaxed.within)
    if measured.is_corrected:
        figures |= _stable_figures(found, sample, "corrected", Relaxed.is_corrected_within)
        figures |= _chance_figures(found)
    return figures


def _draw_figures(measured: Measured, own: np.ndarray, number: int) -> Figures:
    """Shares of the draws."""
    sieve = measured.sieve
    flags = {
        "decoded": own,
        "valid_geometry": sieve.geometry,
        "valid_charge": sieve.charge,
        "valid": sieve.valid,
        "unique": sieve.unique,
        "novel_structure": sieve.structure,
        "novel_source": sieve.source,
        "novel_hull": sieve.hull,
    }
    counts = {key: int((own & holds).sum()) for key, holds in flags.items()}
    figures: Figures = {key: count / number for key, count in counts.items()}
    new = int((own & sieve.new).sum())
    return {"draws": number, **figures, **_with_interval("new", share(new, number))}


def _relaxed_figures(found: Sequence[Relaxed], sample: Sample) -> Figures:
    """Failures and symmetry."""
    ended = [one for one in found if one.structure is not None]
    figures: Figures = {"relaxed": sample.relaxed}
    if found:
        figures["failed"] = 1 - len(ended) / len(found)
    if ended:
        labelled = [one for one in ended if one.prototype is not None]
        p1 = sum(one.is_p1 for one in ended)
        new = sum(bool(one.is_new_prototype) for one in labelled)
        figures |= _with_interval("p1", share(p1, len(ended)))
        figures |= _with_interval("new_prototype", share(new, len(labelled)) if labelled else None)
        figures["rmsd"] = mean([one.rmsd for one in ended if one.rmsd is not None])
        figures["far_below"] = sum(one.within(FAR_BELOW) for one in ended) / len(found)
    return figures


def _stable_figures(
    found: Sequence[Relaxed],
    sample: Sample,
    prefix: str,
    is_within: Callable[[Relaxed, float], bool],
) -> Figures:
    """Shares near the hull, by the potential or corrected."""
    figures: Figures = {}
    for limit in LIMITS:
        count = sum(is_within(one, limit) for one in found)
        per_relaxation = key_of(prefix or "within", limit)
        per_draw = key_of(f"{prefix}_draw" if prefix else "draw", limit)
        figures |= _with_interval(per_relaxation, sample.per_relaxation(count))
        figures |= _with_interval(per_draw, sample.per_draw(count))
    for limit in SUN_LIMITS:
        count = sum(one.is_unique and is_within(one, limit) for one in found)
        key = key_of(f"{prefix}_sun" if prefix else "sun", limit)
        figures |= _with_interval(key, sample.per_draw(count))
    return figures


def _chance_figures(found: Sequence[Relaxed]) -> Figures:
    """Chances that DFT confirms; a crystal whose relaxation failed has none."""
    if not found:
        return {}
    estimates = [one.estimate for one in found if one.estimate is not None]
    figures: Figures = {}
    for limit in LIMITS:
        total = sum(estimate.chance(limit) for estimate in estimates)
        figures[key_of("chance", limit)] = total / len(found)
    figures["chances"] = sum(estimate.chance(LIMITS[-1]) for estimate in estimates)
    figures["unlike"] = sum(estimate.unlike for estimate in estimates) / len(found)
    return figures


def _with_interval(key: str, interval: Interval | None) -> Figures:
    """A figure and the ends of its interval; nothing without one."""
    if interval is None:
        return {}
    return {key: interval.value, f"{key}_low": interval.low, f"{key}_high": interval.high}
