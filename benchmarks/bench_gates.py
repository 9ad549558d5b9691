"""Precision and recall of every gate on published crystals: which of them DFT finds stable.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_gates.py TABLE [--checkpoint FILE]

TABLE has an id, a structure and `decomposition_energy`, eV/atom, as for `gen2dft data build
stability`, whose checkpoint of relaxed crystals is used and written. A crystal is good if DFT finds
it within 0.1 eV/atom of the hull. The correction judges each crystal by trees that have not seen
its chemical system. Intervals are 95 %.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.datasets.starter import load_starter
from gen2dft.heads.stability_trees import STABLE, Known, Potential, chances, out_of_fold
from gen2dft.screening.gates import gate_context, judge, load_gate
from gen2dft.shipped.stability_build import read_published, relax_all
from gen2dft.statistics import Interval, ratio, share

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
POTENTIAL = Potential("mlip", ())
THRESHOLDS = (0.0, 0.03, 0.05, 0.1, 0.2)  # eV/atom
CHANCES = (0.2, 0.3, 0.5)
HEADER = (
    "| gate | passes | good of passed (precision) | good of refused | passed : refused | weight | "
    "good that pass (recall) |\n|---|---|---|---|---|---|---|"
)


def cheap_gates(crystals: CrystalTable) -> Iterator[tuple[str, Mask]]:
    """Each gate that judges a crystal by itself, and what it lets through."""
    context = gate_context(ScreeningSpec(), load_starter())
    asked = (("geometry", {}), ("elements", {}), ("charge", {}), ("charge", {"strict": True}))
    for name, settings in asked:
        verdicts = judge(load_gate(name, settings), crystals, context)
        passed = np.array([verdict is None for verdict in verdicts])
        yield f"`{name}`{', strict' if settings else ''}", passed


def screens(known: Known, expected: Array, error: Array) -> Iterator[tuple[str, Mask]]:
    """The surrogate's gate at several limits, and what it lets through."""
    for most in THRESHOLDS:
        yield f"potential, at most {most:g}", known.e_above_hulls <= most
    for most in THRESHOLDS:
        yield f"corrected, at most {most:g}", expected <= most
    given = chances(expected, error)
    for least in CHANCES:
        yield f"`min_chance: {least:g}`", given >= least


def row(name: str, passed: Mask, good: Mask) -> str:
    """One row of the table; the weight is what a crystal is worth that a gate would refuse."""
    hits = int(good[passed].sum()), int(good[~passed].sum())
    calls = int(passed.sum()), int((~passed).sum())
    both = all(calls)
    cells = [
        name,
        f"{calls[0] / len(good):.0%}",
        percent(share(hits[0], calls[0]) if calls[0] else None),
        percent(share(hits[1], calls[1]) if calls[1] else None),
        number(ratio(hits, calls) if both else None),
        number(ratio(hits[::-1], calls[::-1]) if both else None),
        percent(share(hits[0], sum(hits))),
    ]
    return f"| {' | '.join(cells)} |"


def percent(found: Interval | None) -> str:
    """A share with its interval, in per cent."""
    if found is None:
        return "-"
    return f"{100 * found.value:.0f} ({100 * found.low:.0f} to {100 * found.high:.0f}) %"


def number(found: Interval | None) -> str:
    """A ratio with its interval."""
    return "-" if found is None else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def knows(name: str, passed: Mask, good: Mask, given: Array) -> str:
    """Whether chances of the correction hold on both sides of a gate: then it knows the gate."""
    sides = []
    for side, which in (("passed", passed), ("refused", ~passed)):
        if which.any():
            sides.append(f"{side} {given[which].mean():.3f} / {good[which].mean():.3f}")
    return f"{name}: {'; '.join(sides)}"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--checkpoint", type=Path, default=Path("stability.checkpoint.jsonl"))
    parser.add_argument("--preset", default="chgnet-screen-v1")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    crystals = read_published(asked.table)
    known = relax_all(crystals, "mlip", asked.preset, asked.checkpoint).known
    good = known.e_above_hulls_by_dft <= STABLE
    print(f"{len(known)} crystals, {percent(share(int(good.sum()), len(good)))} within {STABLE}\n")
    expected, error = out_of_fold(known, POTENTIAL, np.random.default_rng(asked.seed))
    cheap = list(cheap_gates(known.crystals))
    print(HEADER)
    for name, passed in (*cheap, *screens(known, expected, error)):
        print(row(name, passed, good))
    print("\ncorrected chance, mean given / share found:")
    for name, passed in cheap:
        print(knows(name, passed, good, chances(expected, error)))


if __name__ == "__main__":
    main()
