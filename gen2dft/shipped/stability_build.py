"""The correction of a potential's distances to the hull, fitted to published crystals.

The table has an id, a structure and `decomposition_energy` (or `e_above_hull`), eV/atom against the
hull of the Materials Project, by DFT. The potential relaxes each crystal, one checkpoint line each;
an interrupted build resumes where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gen2dft.crystal_documents import structure_of
from gen2dft.crystals import CrystalTable
from gen2dft.datasets.cells import NoNumber, id_text, number
from gen2dft.datasets.columns import Wanted, require_column
from gen2dft.datasets.structure_text import parse_structure
from gen2dft.datasets.tables import read_table
from gen2dft.engines import load_engine
from gen2dft.errors import CalculationFailed, DatasetError
from gen2dft.heads.stability_trees import Known, Potential, StabilityTrees
from gen2dft.input_files import brief
from gen2dft.shipped.checkpoint import append_record, read_records
from gen2dft.thermo.materials_project import whole_hull

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.engines.base import Engine
    from gen2dft.thermo.hull import ReferenceHull

ENERGY_COLUMNS = ("decomposition_energy", "e_above_hull")
LARGEST = 7.0  # eV/atom: beyond it the numbers are total energies, or of another unit
NOT_COVERED = "hull_does_not_cover"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Published:
    """A crystal with its distance to the hull by DFT, eV/atom."""

    id: str
    structure: Structure
    e_above_hull: float


@dataclass(frozen=True)
class Relaxed:
    """The same by a potential; `reason` says why there is nothing.

    Parameters
    ----------
    formation_energy
        eV/atom.
    """

    structure: Structure | None = None
    formation_energy: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class RelaxedSet:
    """Crystals with both distances, and how many are left out for which reason."""

    known: Known
    left_out: Counter[str]


def read_published(path: Path) -> list[Published]:
    """The crystals of a table.

    Raises
    ------
    DatasetError
        A column is missing, a structure cannot be read, an energy is no distance to the hull in
        eV/atom, or an id stands there twice; the message names file and row.
    """
    table = read_table(path)
    columns = [name for name in ENERGY_COLUMNS if name in table.names]
    if not columns:
        wanted = " or ".join(ENERGY_COLUMNS)
        raise DatasetError(f"{path} has no column {wanted}; it has {', '.join(table.names)}")
    ids = table.column(require_column(table, "id", Wanted()))
    structures = table.column(require_column(table, "structure", Wanted()))
    found: dict[str, Published] = {}
    for key, text, energy in zip(ids, structures, table.column(columns[0]), strict=True):
        crystal = _published(id_text(key) or "", text, energy, path)
        if crystal.id in found:
            raise DatasetError(f"{path}: id {crystal.id} stands there twice: leave one")
        found[crystal.id] = crystal
    return list(found.values())


def _published(key: str, text: Any, energy: Any, path: Path) -> Published:
    try:
        structure = parse_structure(text)
    except ValueError as err:
        raise DatasetError(f"{path}, crystal {key}: {err}") from err
    try:
        value = number(energy)
    except NoNumber:
        value = np.nan
    if not abs(value) <= LARGEST:
        raise DatasetError(
            f"{path}, crystal {key}: {_in_words(energy)} is no distance to the hull in eV/atom; "
            "leave such rows out"
        )
    return Published(key, structure, value)


def _in_words(cell: Any) -> str:
    return brief(str(cell)) or "an empty cell"


def relax_all(
    crystals: list[Published],
    engine: str,
    preset: str,
    checkpoint: Path,
    progress: Progress | None = None,
) -> RelaxedSet:
    """Relax crystals with a potential and measure them against the whole hull.

    Parameters
    ----------
    checkpoint
        JSON lines of what is finished.
    progress
        Called with the number finished and the number wanted.

    Raises
    ------
    DatasetError
        The checkpoint belongs to another engine or preset.
    OutputError
        The checkpoint cannot be written.
    """
    relaxes = load_engine(engine)
    plan = {"engine": engine, "settings_hash": relaxes.preset(preset).settings_hash}
    finished = dict(_read(checkpoint, plan))
    for done, crystal in enumerate(crystals, start=1):
        if crystal.id not in finished:
            relaxed = _relax(crystal.structure, relaxes, preset)
            append_record(checkpoint, plan, _record(crystal.id, relaxed))
            finished[crystal.id] = relaxed
        if progress is not None:
            progress(done, len(crystals))
    return _measured(crystals, finished, whole_hull())


def _relax(structure: Structure, engine: Engine, preset: str) -> Relaxed:
    try:
        found = engine.relax(structure, preset)
        energy = engine.formation_energy(found.structure.composition, found.energy_per_atom)
    except CalculationFailed as failure:
        return Relaxed(reason=failure.reason)
    except DatasetError:
        return Relaxed(reason="no_reference_energy")
    return Relaxed(found.structure, energy)


def _measured(
    crystals: list[Published], finished: dict[str, Relaxed], hull: ReferenceHull
) -> RelaxedSet:
    """The crystals that the potential relaxed and the hull covers."""
    structures, energies, by_dft = [], [], []
    left_out: Counter[str] = Counter()
    for crystal in crystals:
        relaxed = finished[crystal.id]
        if relaxed.structure is None or relaxed.formation_energy is None:
            left_out[relaxed.reason or "unknown"] += 1
        elif hull.gap(element.symbol for element in relaxed.structure.composition.elements):
            left_out[NOT_COVERED] += 1
        else:
            structures.append(relaxed.structure)
            energies.append(relaxed.formation_energy)
            by_dft.append(crystal.e_above_hull)
    compositions = [structure.composition for structure in structures]
    distances = hull.e_above_hull_many(compositions, energies)
    table = CrystalTable.from_structures(structures)
    known = Known(table, np.array(energies), np.array(distances), np.array(by_dft))
    return RelaxedSet(known, left_out)


def _read(path: Path, plan: dict[str, str]) -> Iterator[tuple[str, Relaxed]]:
    """What a checkpoint holds."""
    for record in read_records(path, plan):
        content = record["structure"]
        structure = None if content is None else structure_of(content)
        yield record["id"], Relaxed(structure, record["formation_energy"], record["reason"])


def _record(key: str, relaxed: Relaxed) -> dict[str, Any]:
    structure = relaxed.structure
    return {
        "id": key,
        "formation_energy": relaxed.formation_energy,
        "reason": relaxed.reason,
        "structure": None if structure is None else structure.as_dict(verbosity=0),
    }


def fit(known: Known, engine: str, name: str, origin: str, seed: int = 0) -> StabilityTrees:
    """The correction of an engine's potential, for all its presets.

    Parameters
    ----------
    name
        What documents call it.
    origin
        Where the crystals are from, with licence.
    """
    presets = tuple(sorted(load_engine(engine).presets))
    potential = Potential(engine, presets)
    return StabilityTrees.fit(known, name, potential, origin, np.random.default_rng(seed))
