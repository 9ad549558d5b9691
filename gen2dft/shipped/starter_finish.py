"""From the checkpoint of a build to the starter set: labels, hull, duplicates, and every count of
what was left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from gen2dft import __version__
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets.ricci import CITATION
from gen2dft.errors import DatasetError
from gen2dft.funnel import StageCount
from gen2dft.shipped.starter_build import BuildPlan
from gen2dft.transport import POWER_FACTOR

if TYPE_CHECKING:
    from pymatgen.core import Structure

MAX_E_ABOVE_HULL = 0.5
"""eV/atom; crystals further above the set's own hull teach little and are left out."""

LICENCES = (
    "AFLOW prototypes as kept by pymatgen (Mehl et al., Comput. Mater. Sci. 136, S1 (2017)); "
    "energies and cells of "
    "CHGNet 0.3.0 (BSD-3; Deng et al., Nat. Mach. Intell. 5, 1031 (2023)); formulas of " + CITATION
)


@dataclass(frozen=True, eq=False)
class _Row:
    """One converged crystal; formation energy in eV/atom."""

    name: str
    formula: str
    structure: Structure
    formation_energy: float


def finish(records: Sequence[Mapping[str, Any]], plan: BuildPlan, command: str) -> Dataset:
    """Turn the records of `build_checkpoint` into the labelled starter set.

    Parameters
    ----------
    records
        One per formula.
    plan
        What they were built with.
    command
        The command line, kept in the provenance.

    Returns
    -------
    Dataset
        Relaxed crystals in their prototype's primitive standard setting, ids
        `starter-<formula>-<rank>`, labels formation_energy and e_above_hull (CHGNet, the set's own
        hull; eV/atom); band gap and power factor all NaN.

    Raises
    ------
    DatasetError
        If nothing is left.
    """
    from gen2dft.thermo.hull import ReferenceHull

    relaxed, relaxation = _relaxed(records)
    unique, reasons = _without_duplicates(relaxed)
    compositions = [row.structure.composition for row in unique]
    hull = ReferenceHull.build(compositions, [row.formation_energy for row in unique])
    distances = hull.e_above_hull_many(compositions, [row.formation_energy for row in unique])
    kept = [i for i, distance in enumerate(distances) if distance <= MAX_E_ABOVE_HULL]
    if not kept:
        raise DatasetError("no crystal of the build is left; look at the reasons in its checkpoint")
    reasons["above_hull"] = len(unique) - len(kept)
    selection = StageCount(stage="selection", n_in=len(relaxed), n_out=len(kept), reasons=reasons)
    rows = [unique[i] for i in kept]
    labels = {
        "formation_energy": np.array([row.formation_energy for row in rows]).round(5),
        "e_above_hull": np.maximum(distances[kept], 0.0).round(5),  # below 0 is numerical noise
        # Of the polymorph on a prototype nothing is known by formula alone: see
        # gen2dft.datasets.ricci.
        "band_gap": np.full(len(rows), np.nan),
        POWER_FACTOR: np.full(len(rows), np.nan),
    }
    provenance = _provenance(plan, command, [relaxation, selection])
    return Dataset(_table(rows), tuple(row.name for row in rows), labels, provenance)


def _relaxed(records: Sequence[Mapping[str, Any]]) -> tuple[list[_Row], StageCount]:
    """Converged crystals, those of one formula in ascending order of energy, and the count of all
    that were tried.
    """
    rows: list[_Row] = []
    reasons: Counter[str] = Counter()
    tried = 0
    for record in records:
        tried += (
            record["not_among_the_best"] + sum(record["failed"].values()) + len(record["relaxed"])
        )
        reasons.update(record["failed"], not_among_the_best=record["not_among_the_best"])
        converged = sorted(
            (r for r in record["relaxed"] if r["converged"]),
            key=lambda r: (r["energy"], r["prototype"]),
        )
        reasons["not_converged"] += len(record["relaxed"]) - len(converged)
        rows += _rows(record["formula"], converged)
    lost = {reason: count for reason, count in sorted(reasons.items()) if count}
    return rows, StageCount(stage="relaxation", n_in=tried, n_out=len(rows), reasons=lost)


def _rows(formula: str, converged: Sequence[Mapping[str, Any]]) -> Iterator[_Row]:
    from pymatgen.core import Structure

    from gen2dft.thermo.references import formation_energy

    for rank, result in enumerate(converged, start=1):
        structure = Structure(result["lattice"], result["numbers"], result["frac"])
        energy = formation_energy(structure.composition, result["energy"])
        yield _Row(f"starter-{formula}-{rank}", formula, structure, energy)


def _without_duplicates(rows: Sequence[_Row]) -> tuple[list[_Row], dict[str, int]]:
    """The lowest of each group of equal crystals.

    Different prototypes may relax into one another.
    """
    from pymatgen.core.structure_matcher import StructureMatcher

    matcher = StructureMatcher()
    kept: dict[str, list[_Row]] = {}
    for row in rows:
        known = kept.setdefault(row.formula, [])
        if not any(matcher.fit(row.structure, other.structure) for other in known):
            known.append(row)
    unique = [row for group in kept.values() for row in group]
    return unique, {"duplicate": len(rows) - len(unique)}


def _table(rows: Sequence[_Row]) -> CrystalTable:
    return CrystalTable.from_structures(row.structure for row in rows)


def _provenance(plan: BuildPlan, command: str, stages: Sequence[StageCount]) -> dict[str, Any]:
    from gen2dft.thermo.references import reference_document

    packages = ("chgnet", "torch", "ase", "pymatgen", "matminer", "numpy")
    return {
        "source": "starter",
        "command": command,
        "plan": asdict(plan),
        "versions": {"gen2dft": __version__, **{package: version(package) for package in packages}},
        "references": {k: v for k, v in reference_document("mlip").items() if k != "references"},
        "counts": [stage.model_dump(mode="json") for stage in stages],
        "cells": "primitive standard setting of the prototype, relaxed",
        "labels": {
            "formation_energy": "CHGNet 0.3.0, fitted elemental references",
            "e_above_hull": "hull of this set's own CHGNet energies and the elements",
            "band_gap": "none yet",
            POWER_FACTOR: "none yet",
        },
        "licences": LICENCES,
    }
