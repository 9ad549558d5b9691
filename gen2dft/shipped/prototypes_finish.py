"""From the checkpoint of a build to the set of prototypes: labels, hull, duplicates, and every
count of what was left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from gen2dft import __version__
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets.prototypes import ID_PREFIX
from gen2dft.datasets.ricci import CITATION
from gen2dft.errors import DatasetError
from gen2dft.funnel import StageCount
from gen2dft.shipped.prototypes_checkpoint import BuildPlan
from gen2dft.transport import POWER_FACTOR

if TYPE_CHECKING:
    from pymatgen.core import Structure

SKIPPED = "not_among_the_best"  # key of a record, and a reason
PACKAGES = ("chgnet", "torch", "ase", "pymatgen", "matminer", "numpy")
MAX_E_ABOVE_HULL = 0.5
"""eV/atom; crystals further above the set's own hull teach little and are left out."""

LICENCES = (
    "AFLOW prototypes as kept by pymatgen (Mehl et al., Comput. Mater. Sci. 136, S1 (2017)); "
    "energies and cells of CHGNet 0.3.0 (BSD-3; Deng et al., Nat. Mach. Intell. 5, 1031 (2023)); "
    f"formulas of {CITATION}"
)


@dataclass(frozen=True, eq=False)
class _Row:
    """One converged crystal; formation energy in eV/atom."""

    name: str
    formula: str
    structure: Structure
    formation_energy: float


def finish(records: Sequence[Mapping[str, Any]], plan: BuildPlan, command: str) -> Dataset:
    """Turn the records of `build_checkpoint` into the labelled set.

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
    unique = _without_duplicates(relaxed)
    compositions = [row.structure.composition for row in unique]
    energies = np.array([row.formation_energy for row in unique])
    hull = ReferenceHull.build(compositions, energies)
    distances = hull.e_above_hull_many(compositions, energies)
    kept = np.flatnonzero(distances <= MAX_E_ABOVE_HULL)
    if not len(kept):
        raise DatasetError("no crystal of the build is left; look at the reasons in its checkpoint")
    reasons = {"duplicate": len(relaxed) - len(unique), "above_hull": len(unique) - len(kept)}
    selection = StageCount(stage="selection", n_in=len(relaxed), n_out=len(kept), reasons=reasons)
    rows = [unique[index] for index in kept]
    crystals = CrystalTable.from_structures(row.structure for row in rows)
    ids = tuple(row.name for row in rows)
    not_negative = np.maximum(distances[kept], 0.0)  # below 0 is numerical noise
    # The formula alone says nothing about the polymorph on a prototype: see gen2dft.datasets.ricci.
    unknown = np.full(len(rows), np.nan)
    labels = {
        "formation_energy": energies[kept].round(5),
        "e_above_hull": not_negative.round(5),
        "band_gap": unknown,
        POWER_FACTOR: unknown.copy(),
    }
    provenance = _provenance(plan, command, [relaxation, selection])
    return Dataset(crystals, ids, labels, provenance)


def _relaxed(records: Sequence[Mapping[str, Any]]) -> tuple[list[_Row], StageCount]:
    """Converged crystals, those of one formula in ascending order of energy, and the count of all
    that were tried.
    """
    rows: list[_Row] = []
    reasons: Counter[str] = Counter()
    tried = 0
    for record in records:
        relaxed, failed = record["relaxed"], record["failed"]
        tried += len(relaxed) + record[SKIPPED] + sum(failed.values())
        converged = [result for result in relaxed if result["converged"]]
        converged.sort(key=lambda result: (result["energy"], result["prototype"]))
        rows += _rows(record["formula"], converged)
        reasons.update(failed)
        reasons[SKIPPED] += record[SKIPPED]
        reasons["not_converged"] += len(relaxed) - len(converged)
    lost = {reason: count for reason, count in sorted(reasons.items()) if count}
    return rows, StageCount(stage="relaxation", n_in=tried, n_out=len(rows), reasons=lost)


def _rows(formula: str, converged: Sequence[Mapping[str, Any]]) -> Iterator[_Row]:
    from pymatgen.core import Structure

    from gen2dft.thermo.references import formation_energy

    for rank, result in enumerate(converged, start=1):
        structure = Structure(result["lattice"], result["numbers"], result["frac"])
        energy = formation_energy(structure.composition, result["energy"])
        yield _Row(f"{ID_PREFIX}{formula}-{rank}", formula, structure, energy)


def _without_duplicates(rows: Sequence[_Row]) -> list[_Row]:
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
    return list(chain.from_iterable(kept.values()))


def _provenance(plan: BuildPlan, command: str, stages: Sequence[StageCount]) -> dict[str, Any]:
    from gen2dft.thermo.references import reference_document

    versions = {"gen2dft": __version__}
    for package in PACKAGES:
        versions[package] = version(package)
    references = dict(reference_document("mlip"))
    del references["references"]  # their provenance alone
    return {
        "source": "prototypes",
        "command": command,
        "plan": asdict(plan),
        "versions": versions,
        "references": references,
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
