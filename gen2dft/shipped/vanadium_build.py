"""Build the vanadium-oxide set of Noh et al., Matter 1, 1370 (2019), from any set of binary
crystals.

Each binary A_x B_y becomes two vanadium oxides, A being V in one and O in the other. Cells are
scaled to the bonds of vanadium oxides, duplicates are removed, and an engine labels the others.
Each label is written to a journal at once, so that an interrupted build resumes where it stopped.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from gen2dft import __version__
from gen2dft.calculation import Calculation
from gen2dft.crystal_documents import structure_of
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.engines import load_engine
from gen2dft.engines.base import Engine
from gen2dft.errors import CalculationFailed, DatasetError
from gen2dft.funnel import StageCount
from gen2dft.geometry import distances_in_cell
from gen2dft.hashing import content_hash
from gen2dft.representations.images import CrystalImages
from gen2dft.screening.gates import stage_count
from gen2dft.screening.novelty import StructureIndex
from gen2dft.screening.vanadium import OXYGEN, VANADIUM, vanadium_state
from gen2dft.thermo.vanadium_oxides import known_hull

# Shortest distances, Angstrom, to which cells are scaled: those of vanadium oxides, and of the
# metal.
BONDS = {(VANADIUM, OXYGEN): 1.9, (OXYGEN, OXYGEN): 2.4, (VANADIUM, VANADIUM): 2.6}
VOLUME_PER_ATOM = (8.0, 16.0)  # Angstrom^3; scaled cells lie between
BULK_MODULUS = 150.0  # GPa, of vanadium oxides, for one step to the volume without pressure
LARGEST_STEP = 0.25  # relative change of the volume

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class OxidePlan:
    """How the set is built.

    Parameters
    ----------
    engine, preset
        Engine that labels the crystals, and its settings.
    relax
        Whether positions and cell are relaxed (for a DFT engine), or only the volume, by one step
        along the computed pressure (cheap, for the surrogate).
    max_sites
        Most atoms of a crystal.
    """

    engine: str = "mlip"
    preset: str = "chgnet-screen-v1"
    relax: bool = False
    max_sites: int = 20

    def key(self) -> str:
        """Everything that a stored label depends on besides its crystal."""
        settings = load_engine(self.engine).preset(self.preset).settings_hash
        how = "relax" if self.relax else "volume"
        return f"{self.engine} {settings} {how}"


def unlabelled_oxides(
    source: Dataset, plan: OxidePlan, progress: Progress | None = None
) -> tuple[Dataset, list[StageCount]]:
    """The distinct vanadium oxides that a source's binaries make, without labels, and what was left
    out and why.

    Raises
    ------
    DatasetError
        If the source holds no binary.
    """
    binary = np.flatnonzero(source.crystals.num_elements == 2)
    if not len(binary):
        raise DatasetError(
            f"none of the {len(source)} crystals has two elements: vanadium oxides are made of "
            "binaries"
        )
    sizes = source.crystals.num_sites[binary]
    small = binary[sizes <= plan.max_sites]
    reasons = {}
    if len(binary) < len(source):
        reasons["not_binary"] = len(source) - len(binary)
    if len(small) < len(binary):
        reasons["too_many_sites"] = len(binary) - len(small)
    binaries = StageCount(stage="binaries", n_in=len(source), n_out=len(small), reasons=reasons)
    crystals, ids = exchanged(source.select(small))
    images = CrystalImages(max_sites=plan.max_sites)
    misfits = images.misfits(crystals)
    crystals, ids = _kept(crystals, ids, misfits)
    doubles = duplicates(crystals, progress)
    crystals, ids = _kept(crystals, ids, doubles)
    counts = [binaries, stage_count("images", misfits), stage_count("distinct", doubles)]
    return Dataset(crystals, ids, {}), counts


def exchanged(source: Dataset) -> tuple[CrystalTable, tuple[str, ...]]:
    """Every binary crystal with its elements made V and O, both ways, in scaled cells, and an id
    for each.
    """
    lattices, species, positions, ids = [], [], [], []
    for row, name in enumerate(source.ids):
        crystal = source.crystals.select([row])
        lattice, frac = crystal.lattices[0], crystal.frac
        elements = np.unique(crystal.numbers)
        for letter, metal in zip("ab", elements, strict=True):
            is_metal = crystal.numbers == metal
            numbers = np.where(is_metal, VANADIUM, OXYGEN).astype(np.uint8)
            factor = scale_to_bonds(lattice, frac, numbers)
            lattices.append(lattice * factor)
            species.append(numbers)
            positions.append(frac)
            ids.append(f"{name}-{letter}")
    return CrystalTable.from_arrays(lattices, species, positions), tuple(ids)


def scale_to_bonds(
    lattice: NDArray[np.float64], frac: NDArray[np.float64], numbers: NDArray[np.uint8]
) -> float:
    """Factor on all lengths that brings the pair that is too close by most to its bond, within
    bounds of the volume.
    """
    apart = distances_in_cell(lattice, frac)
    factor = 0.0
    for (first, second), bond in BONDS.items():
        between = apart[numbers == first][:, numbers == second]
        shortest = between.min(initial=np.inf)
        # Atoms on one place cannot be brought apart by any factor.
        if shortest > 0:
            factor = max(factor, bond / shortest)
    volume = abs(np.linalg.det(lattice))
    volume_per_atom = volume / len(frac)
    low, high = (np.cbrt(bound / volume_per_atom) for bound in VOLUME_PER_ATOM)
    return float(np.clip(factor, low, high))


def duplicates(table: CrystalTable, progress: Progress | None = None) -> list[str | None]:
    """`duplicate` for each crystal that StructureMatcher matches with an earlier one.

    Only crystals of one formula and one size of the primitive cell are compared, the others cannot
    match.
    """
    known = StructureIndex()
    reasons: list[str | None] = []
    for row, formula in enumerate(table.formulas()):
        is_known = known.matches_row(table, row, formula)
        reasons.append("duplicate" if is_known else None)
        if not is_known:
            known.add(table, row, formula)
        if progress is not None:
            progress(row + 1, len(table))
    return reasons


def labelled(
    oxides: Dataset, plan: OxidePlan, journal: Path | None = None, progress: Progress | None = None
) -> tuple[Dataset, StageCount]:
    """The oxides as the engine left them, with formation energy, distance to the known hull and
    oxidation state.

    Parameters
    ----------
    journal
        JSON lines of what is labelled already; a crystal found there is not computed again.
    """
    engine, hull = load_engine(plan.engine), known_hull()
    names, structures, energies, distances, reasons = [], [], [], [], []
    records = _records(oxides, plan, journal)
    for number, (name, record) in enumerate(records, start=1):
        reason = record.get("reason")
        reasons.append(reason)
        if reason is None:
            structure = structure_of(record["structure"])
            composition = structure.composition
            energy = engine.formation_energy(composition, record["energy"])
            names.append(name)
            structures.append(structure)
            energies.append(energy)
            distances.append(hull.e_above_hull(composition, energy))
        if progress is not None:
            progress(number, len(oxides))
    if not names:
        counts = dict(Counter(reasons))
        raise DatasetError(
            f"engine {plan.engine!r} labelled none of {len(oxides)} crystals: {counts}"
        )
    crystals = CrystalTable.from_structures(structures)
    labels = {
        "formation_energy": np.array(energies),
        "e_above_hull": np.array(distances),
        "vanadium_state": vanadium_state(crystals),
    }
    return Dataset(crystals, tuple(names), labels), stage_count("label", reasons)


def _records(
    oxides: Dataset, plan: OxidePlan, journal: Path | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and record of each crystal, from the journal or computed and written there."""
    engine, key = load_engine(plan.engine), plan.key()
    done = _read_journal(journal)
    for row, name in enumerate(oxides.ids):
        crystal = oxides.crystals.select([row])
        place = content_hash(f"{key} {crystal.content_hash()}", digits=16)
        if place not in done:
            record = _computed(engine, plan, crystal.structure(0))
            done[place] = record
            _write_journal(journal, place, record)
        yield name, done[place]


def build_oxides(
    oxides: Dataset,
    counts: Sequence[StageCount],
    plan: OxidePlan,
    source: Dataset,
    journal: Path | None,
    progress: Progress | None = None,
) -> Dataset:
    """The labelled set; its provenance tells source, plan, versions and all counts."""
    dataset, last = labelled(oxides, plan, journal, progress)
    stages = [*counts, last]
    provenance = {
        "source": {"content_hash": source.content_hash, "crystals": len(source)},
        "plan": asdict(plan),
        "gen2dft": __version__,
        "counts": [count.model_dump(mode="json") for count in stages],
    }
    return replace(dataset, provenance=provenance)


def _computed(engine: Engine, plan: OxidePlan, structure: Structure) -> dict[str, Any]:
    """Structure and energy, eV/atom, or why there are none."""
    try:
        if plan.relax:
            result = engine.relax(structure, plan.preset)
        else:
            result = _volume_step(engine, plan, structure)
    except CalculationFailed as failure:
        return {"reason": failure.reason}
    if not result.converged:
        return {"reason": "not_converged"}
    return {"structure": result.structure.as_dict(verbosity=0), "energy": result.energy_per_atom}


def _volume_step(engine: Engine, plan: OxidePlan, structure: Structure) -> Calculation:
    """The better of two static calculations: as it is, and at the volume where the pressure would
    be 0.
    """
    first = engine.static(structure, plan.preset)
    if first.stress is None:
        return first
    pressure = -np.trace(first.stress) / 3
    change = float(np.clip(pressure / BULK_MODULUS, -LARGEST_STEP, LARGEST_STEP))
    moved = structure.copy()
    moved.scale_lattice(structure.volume * (1 + change))
    try:
        second = engine.static(moved, plan.preset)
    except CalculationFailed:
        return first
    return min(first, second, key=lambda result: result.energy_per_atom)


def _kept(
    crystals: CrystalTable, ids: Sequence[str], reasons: Sequence[str | None]
) -> tuple[CrystalTable, tuple[str, ...]]:
    rows = [row for row, reason in enumerate(reasons) if reason is None]
    kept_ids = tuple(ids[row] for row in rows)
    return crystals.select(rows), kept_ids


def _read_journal(path: Path | None) -> dict[str, dict[str, Any]]:
    if path is None or not path.is_file():
        return {}
    return {record.pop("key"): record for record in _lines(path)}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a journal; a line that a kill cut short is left out."""
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line)


def _write_journal(path: Path | None, key: str, record: dict[str, Any]) -> None:
    if path is None:
        return
    line = json.dumps({"key": key, **record})
    with path.open("a", encoding="utf-8") as stream:
        # The line's end comes first: a line that a kill cut short must not swallow the next one.
        stream.write(f"\n{line}")
