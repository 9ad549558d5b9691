"""Build the starter set: real crystals of a table of the Materials Project, chosen for their labels
and for spread over chemistry.

The rule. Taken into account are binaries and ternaries of small cells near the Materials Project's
hull, without the elements in `gen2dft.chemistry.EXCLUDED_ELEMENTS`. Crystals with a published power
factor come first, then others with a band gap, then the rest. Within each of these groups the turn
goes to the element that the fewest chosen crystals hold. Of its crystals one of a new chemical
system is taken; which one, the hash of the id decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft import __version__
from gen2dft.chemistry import EXCLUDED_ELEMENTS
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets.materials_project import id_order
from gen2dft.datasets.published_factors import ELECTRONS, OF_ELECTRONS
from gen2dft.datasets.ricci import CITATION, join_ricci, published_factors
from gen2dft.errors import DatasetError
from gen2dft.funnel import StageCount
from gen2dft.hashing import content_hash
from gen2dft.properties import Properties
from gen2dft.transport import POWER_FACTOR

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("formation_energy", "e_above_hull", "band_gap")
LATTICE_DIGITS, FRAC_DIGITS, LABEL_DIGITS = 5, 6, 5
DATA_OF = (
    "Materials Project, GGA/GGA+U with MP2020 corrections (Jain et al., APL Mater. 1, 011002 "
    "(2013), CC BY 4.0)"
)


@dataclass(frozen=True)
class StarterPlan:
    """What decides which crystals of a table are chosen.

    Parameters
    ----------
    size
        Crystals wanted; fewer where the table has fewer.
    max_sites
        Largest cell.
    max_e_above_hull
        eV/atom, to the Materials Project's hull.
    """

    size: int = 2000
    max_sites: int = 10
    max_e_above_hull: float = 0.08


def build_starter(
    source: Dataset, plan: StarterPlan, command: str, table: pd.DataFrame | None = None
) -> Dataset:
    """The starter set of a table of the Materials Project.

    Parameters
    ----------
    source
        Crystals with mp-ids, formation energy, distance to the hull (eV/atom) and band gap (eV).
    plan
        Which of them are taken.
    command
        The command line, kept in the provenance.
    table
        Published power factors; by default the table that comes with matminer.

    Returns
    -------
    Dataset
        In the order of the mp-ids, power factors of holes and of electrons included. The same
        crystals in another order give the same set.

    Raises
    ------
    DatasetError
        A column is missing, no id is in the table of power factors, or no crystal is admitted.
    SettingsError
        If matminer, which brings that table, is not installed.
    """
    _must_have_labels(source)
    joined = _with_electrons(join_ricci(source, table), table)
    order = sorted(range(len(joined)), key=lambda row: id_order(joined.ids[row]))
    ordered = joined.select(order)
    reasons = _reasons(ordered, plan)
    admitted = np.flatnonzero(reasons == "")
    if not len(admitted):
        raise DatasetError(
            f"no crystal among {len(source)} is a binary or ternary with at most {plan.max_sites} "
            f"sites within {plan.max_e_above_hull} eV/atom of the hull: {Counter(reasons)}"
        )
    rows = choose(ordered, admitted, plan.size)
    chosen = ordered.select(rows)
    return replace(
        _rounded(chosen),
        provenance=_provenance(source, plan, command, _count(reasons, len(rows))),
    )


def choose(dataset: Dataset, admitted: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Rows of the chosen crystals, ascending; see the rule above."""
    has_factor = np.isfinite(dataset.label(POWER_FACTOR)[admitted])
    has_gap = dataset.label("band_gap")[admitted] > 0
    chosen = _Chosen(_systems(dataset.crystals))
    for is_in_group in (has_factor, ~has_factor & has_gap, ~has_factor & ~has_gap):
        group = admitted[is_in_group]
        in_order = sorted(group.tolist(), key=lambda row: content_hash(dataset.ids[row]))
        chosen.take(in_order, size)
    return np.array(sorted(chosen.rows), dtype=np.int64)


@dataclass
class _Chosen:
    """The crystals chosen so far, and the elements and chemical systems that they hold."""

    system_of: Sequence[frozenset[int]]
    rows: list[int] = field(default_factory=list)
    holders: Counter[int] = field(default_factory=Counter)
    systems: set[frozenset[int]] = field(default_factory=set)

    def take(self, candidates: Sequence[int], size: int) -> None:
        """Take candidates until `size` crystals are chosen or none is left."""
        left = dict.fromkeys(candidates)
        while left and len(self.rows) < size:
            row = self._next(left)
            del left[row]
            self.rows.append(row)
            self.holders.update(self.system_of[row])
            self.systems.add(self.system_of[row])

    def _next(self, left: Iterable[int]) -> int:
        """The first candidate of a new system, or else the first, that holds the rarest element."""
        present = frozenset().union(*(self.system_of[row] for row in left))
        rarest = min(present, key=lambda number: (self.holders[number], number))
        holders = [row for row in left if rarest in self.system_of[row]]
        new = [row for row in holders if self.system_of[row] not in self.systems]
        return (new or holders)[0]


def _systems(crystals: CrystalTable) -> list[frozenset[int]]:
    """Atomic numbers of each crystal."""
    numbers = [crystals.numbers[crystals.sites(row)] for row in range(len(crystals))]
    return [frozenset(found.tolist()) for found in numbers]


def _must_have_labels(source: Dataset) -> None:
    counts = source.num_labels()
    missing = [name for name in NEEDED if not counts.get(name)]
    if missing:
        raise DatasetError(
            f"the table has no {', '.join(missing)}, which the starter set ships: name the column, "
            f"--column {missing[0]}=NAME"
        )


def _with_electrons(dataset: Dataset, table: pd.DataFrame | None) -> Dataset:
    """The dataset with published power factors of electrons beside those of holes."""
    factors = published_factors("n", table)
    column = np.array([factors.get(name, np.nan) for name in dataset.ids])
    known = dataset.properties.joined_by(Properties([ELECTRONS]))
    return replace(dataset, labels={**dataset.labels, OF_ELECTRONS: column}, properties=known)


def _reasons(dataset: Dataset, plan: StarterPlan) -> NDArray[Any]:
    """(n,) why a crystal is not admitted, the first reason that applies; empty for the others."""
    crystals = dataset.crystals
    distance = dataset.label("e_above_hull")
    excluded = _numbers(EXCLUDED_ELEMENTS)
    is_excluded = np.zeros(len(dataset), dtype=bool)
    np.logical_or.at(is_excluded, crystals.owners, np.isin(crystals.numbers, excluded))
    tests = {
        "num_elements": ~np.isin(crystals.num_elements, (2, 3)),
        "max_sites": crystals.num_sites > plan.max_sites,
        "missing_label": np.isnan(dataset.label_matrix(NEEDED)).any(axis=1),
        "above_hull": distance > plan.max_e_above_hull,
        "excluded_element": is_excluded,
    }
    reasons = np.full(len(dataset), "", dtype=object)
    for reason, is_refused in tests.items():
        reasons[is_refused & (reasons == "")] = reason
    return reasons


def _numbers(symbols: Iterable[str]) -> list[int]:
    from pymatgen.core import Element

    return sorted(Element(symbol).Z for symbol in symbols)


def _count(reasons: NDArray[Any], num_chosen: int) -> StageCount:
    lost = Counter(reasons.tolist())
    num_admitted = lost.pop("")
    lost["not_chosen"] = num_admitted - num_chosen
    found = {reason: count for reason, count in sorted(lost.items()) if count}
    return StageCount(stage="choice", n_in=len(reasons), n_out=num_chosen, reasons=found)


def _rounded(dataset: Dataset) -> Dataset:
    """The same with numbers to the digits that matter, so that the file is small."""
    crystals = dataset.crystals
    lattices = crystals.lattices.round(LATTICE_DIGITS)
    frac = (crystals.frac % 1.0).round(FRAC_DIGITS) % 1.0
    table = replace(crystals, lattices=lattices, frac=frac)
    kept = (*NEEDED, POWER_FACTOR, OF_ELECTRONS)
    labels = {name: dataset.label(name).round(LABEL_DIGITS) for name in kept}
    return replace(dataset, crystals=table, labels=labels, properties=Properties([ELECTRONS]))


def _provenance(
    source: Dataset, plan: StarterPlan, command: str, count: StageCount
) -> dict[str, Any]:
    return {
        "source": "starter",
        "command": command,
        "plan": asdict(plan),
        "table": dict(_table_of(source)),
        "versions": {"gen2dft": __version__, "matminer": version("matminer")},
        "counts": [count.model_dump(mode="json")],
        "cells": "as in the table, not relaxed again",
        "labels": {
            "formation_energy": DATA_OF,
            "e_above_hull": f"{DATA_OF}; distance to its hull",
            "band_gap": f"{DATA_OF}; PBE",
            POWER_FACTOR: CITATION,
        },
        "licences": f"{DATA_OF}; {CITATION}",
    }


def _table_of(source: Dataset) -> Iterator[tuple[str, Any]]:
    """What identifies the table: name, hash and number of crystals."""
    for key in ("source", "database_version"):
        if key in source.provenance:
            yield key, source.provenance[key]
    yield "content_hash", source.content_hash
    yield "crystals", len(source)
