"""Compute band gaps and power factors of a dataset's crystals with GPAW, one checkpoint line each.

Cells and positions are taken as they are in the dataset. Crystals come cheapest first. Finished
labels stay in the file, and the bands beside it: an interrupted run resumes where it stopped, and
transport can be computed anew from the same bands.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gen2dft import __version__
from gen2dft.atomic import write_atomically
from gen2dft.chemistry import is_plausible
from gen2dft.dataset import Dataset
from gen2dft.datasets.computed_labels import (
    METAL,
    ComputedLabels,
    LabelRecord,
    LabelSettings,
    complete_lines,
    crystal_hash,
    parse_labels,
    to_line,
)
from gen2dft.errors import CalculationFailed, DatasetError, OutputError
from gen2dft.properties import TRANSPORT_DEFINITIONS
from gen2dft.transport.settings import TransportSettings
from gen2dft.workers import in_processes, limited_cpu

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.engines.gpaw.presets import GPAWPreset

ENGINE = "gpaw"
# One crystal in six is one whose formula suggests a metal, so that band gaps of 0 are learnt too.
METALS = 6
DIGITS = 6


@dataclass(frozen=True)
class LabelTask:
    """One crystal to be labelled."""

    id: str
    crystal: str
    structure: Structure


def tasks(dataset: Dataset, max_sites: int, preset: GPAWPreset) -> list[LabelTask]:
    """Crystals in the order in which they are labelled: the cheapest first, every sixth one likely
    a metal.

    Left out are larger cells and, because spin costs several times as much, elements that
    calculations with this engine start magnetic.
    """
    from gen2dft.engines.gpaw.presets import starting_moments

    insulators: list[LabelTask] = []
    metals: list[LabelTask] = []
    costs: dict[str, float] = {}
    small = np.flatnonzero(dataset.crystals.num_sites <= max_sites)
    for row in small.tolist():
        structure = dataset.crystals.structure(row)
        if starting_moments(structure) is not None:
            continue
        task = LabelTask(dataset.ids[row], crystal_hash(dataset, row), structure)
        costs[task.id] = cost(structure, preset)
        queue = insulators if _is_likely_insulator(structure) else metals
        queue.append(task)
    for queue in (insulators, metals):
        queue.sort(key=lambda task: (costs[task.id], task.id))
    return _every(METALS, insulators, metals)


def _is_likely_insulator(structure: Structure) -> bool:
    amounts = structure.composition.reduced_composition.get_el_amt_dict()
    return is_plausible({symbol: int(amount) for symbol, amount in amounts.items()})


def cost(structure: Structure, preset: GPAWPreset) -> float:
    """Cost of the bands, in arbitrary units: irreducible k-points times plane waves times bands.

    Infinite for elements that the engine has no data of: they come last, and get their reason then.
    """
    from gen2dft.engines.gpaw.engine import valence_electrons
    from gen2dft.engines.gpaw.presets import number_of_bands, parameters
    from gen2dft.transport.convergence import irreducible_kpoints

    kpoints = irreducible_kpoints(structure, preset.bands_spacing)
    cutoff = parameters(structure, preset, bands=True)["mode"]["ecut"]
    plane_waves = structure.volume * cutoff**1.5
    try:
        electrons = sum(valence_electrons(site.specie.symbol, preset.xc) for site in structure)
    except CalculationFailed:
        return np.inf
    bands, _ = number_of_bands(electrons, len(structure), spin=False)
    return float(kpoints * plane_waves * bands)


def _every(period: int, many: Sequence[LabelTask], few: Sequence[LabelTask]) -> list[LabelTask]:
    """Both lists in their order, one of the second after every `period - 1` of the first, while
    both last.
    """
    # Each of the few takes the last place of its period, the many those between. Places may have
    # gaps once a list has ended: only their order counts.
    places: list[tuple[int, int, LabelTask]] = []
    for index, task in enumerate(many):
        periods_before = index // (period - 1)
        places.append((index + periods_before, 0, task))
    for index, task in enumerate(few):
        end_of_period = period * (index + 1) - 1
        places.append((end_of_period, 1, task))
    places.sort(key=lambda place: place[:2])
    return [task for *_, task in places]


def label_settings(
    source: str, preset: GPAWPreset, program: str = TransportSettings.program
) -> LabelSettings:
    """The head of a file of labels: facts that hold for all labels of one run.

    Raises
    ------
    PluginMissing
        If the program that computes transport from the bands is not installed here.
    """
    from gen2dft.engines.gpaw.presets import versions
    from gen2dft.transport.document import METHOD
    from gen2dft.transport.programs import OWN, check_program
    from gen2dft.transport.settings import DEFAULT

    used = check_program(program)
    transport = {} if used is OWN else {used.name: used.version() or "unknown"}
    packages = {name: version(name) for name in ("pymatgen", "numpy", "scipy", "spglib")}
    return LabelSettings(
        source=source,
        cells="as in the dataset, not relaxed with this engine",
        engine=ENGINE,
        preset=preset.name,
        settings_hash=preset.settings_hash,
        settings=preset.contents(),
        versions={"gen2dft": __version__, **versions(), **packages, **transport},
        program=used.name,
        method=METHOD,
        approximation="constant relaxation time",
        relaxation_time=DEFAULT.relaxation_time,
        definitions={name: given.as_plain() for name, given in TRANSPORT_DEFINITIONS.items()},
    )


def label_crystals(
    chosen: Sequence[LabelTask],
    settings: LabelSettings,
    path: Path,
    workers: int = 1,
    cpu_limit: float = 900.0,
    progress: Callable[[int, int], None] | None = None,
) -> ComputedLabels:
    """Label the crystals that the file has no record of yet, and append a record of each.

    Parameters
    ----------
    path
        File of labels, appended to. Bands are kept in a folder beside it.
    workers
        Processes.
    cpu_limit
        A crystal that takes more CPU seconds is given up.
    progress
        Called with (finished, all).

    Raises
    ------
    DatasetError
        If the file belongs to other settings.
    OutputError
        If it cannot be written.
    """
    known = {record.id for record in _begin(path, settings)}
    todo = [task for task in chosen if task.id not in known]
    done = len(chosen) - len(todo)
    if progress:
        progress(done, len(chosen))
    # GPAW in plane waves is slower by orders of magnitude on several threads; the workers inherit
    # this.
    os.environ["OMP_NUM_THREADS"] = "1"
    folder = bands_folder(path)
    work = partial(
        label_crystal, preset=settings.preset, folder=folder, cpu_limit=cpu_limit,
        program=settings.program,
    )  # fmt: skip
    for task, outcome in in_processes(work, todo, workers):
        if isinstance(outcome, CalculationFailed):
            record = _failure(task, outcome, folder)
        else:
            record = outcome
        _append(path, to_line(record))
        done += 1
        if progress:
            progress(done, len(chosen))
    return parse_labels(path.read_bytes(), str(path))


def label_crystal(
    task: LabelTask,
    preset: str,
    folder: Path,
    cpu_limit: float,
    program: str = TransportSettings.program,
) -> LabelRecord:
    """The record of one crystal, whatever happens to it."""
    start = time.process_time()
    try:
        with limited_cpu(cpu_limit):
            found = compute_label(task.structure, preset, folder / task.id, program)
        record = _record(task, **found)
    except CalculationFailed as failure:
        record = _failure(task, failure, folder)
    # whatever GPAW raises of a strange crystal: it is written down, and the next one's turn
    except Exception as err:
        crash = CalculationFailed("crashed", f"{type(err).__name__}: {err}")
        record = _failure(task, crash, folder)
    seconds = time.process_time() - start
    return record.model_copy(update={"cpu_seconds": round(seconds, 1)})


def compute_label(
    structure: Structure, preset: str, folder: Path, program: str = TransportSettings.program
) -> dict[str, Any]:
    """Band gap, and power factors by all definitions unless it is a metal.

    Bands are read from the folder if there.

    Raises
    ------
    CalculationFailed
        What keeps the bands from being computed, or transport from being computed from them.
    """
    from gen2dft.engines.gpaw.bands import UNIFORM_FILE
    from gen2dft.transport import POWER_FACTOR
    from gen2dft.transport.compute import compute_transport
    from gen2dft.transport.loaders import load_bands
    from gen2dft.transport.reductions import factors_by_definition

    try:
        if not (folder / UNIFORM_FILE).is_file():
            _compute_bands(structure, preset, folder)
        doc = compute_transport(load_bands(folder / UNIFORM_FILE), _settings(program))
    except CalculationFailed as failure:
        if failure.reason == METAL:
            return {"band_gap": 0.0, "reason": METAL, "detail": _first_sentence(failure.detail)}
        raise
    factors = factors_by_definition(doc)
    return {
        "mesh": doc.mesh,
        "spacing": _rounded(doc.spacing),
        "band_gap": _rounded(doc.band_gap),
        POWER_FACTOR: {name: _rounded(factor) for name, factor in factors.items()},
    }


def _settings(program: str) -> TransportSettings:
    """The conditions of the definitions alone: higher dopings would need more bands."""
    definitions = TRANSPORT_DEFINITIONS.values()
    temperatures = {definition.temperature for definition in definitions}
    dopings = {definition.dopings[0] for definition in definitions}
    return TransportSettings(
        temperatures=tuple(sorted(temperatures)),
        dopings=tuple(sorted(dopings)),
        hall=False,
        program=program,
    )


def bands_folder(path: Path) -> Path:
    """Where the bands behind a file of labels are kept."""
    return path.with_suffix(".bands")


def _compute_bands(structure: Structure, preset: str, folder: Path) -> None:
    """Bands in a folder that is there whole or not at all."""
    from gen2dft.engines.gpaw.engine import uniform_bands

    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    uniform_bands(structure, preset, unfinished)
    unfinished.rename(folder)


def _record(task: LabelTask, **found: Any) -> LabelRecord:
    return LabelRecord(
        id=task.id,
        crystal=task.crystal,
        formula=task.structure.composition.reduced_formula,
        **found,
    )


def _failure(task: LabelTask, failure: CalculationFailed, folder: Path) -> LabelRecord:
    """Files by their names alone: the folder is of this machine, the labels are not."""
    detail = failure.detail.replace(f"{folder}{os.sep}", "")
    return _record(task, reason=failure.reason, detail=detail)


def _first_sentence(detail: str) -> str:
    """Why a crystal is a metal, without the file before and the advice behind."""
    _, _, sentences = detail.partition(": ")
    return sentences.partition(". ")[0]


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _begin(path: Path, settings: LabelSettings) -> Sequence[LabelRecord]:
    """Records of an earlier run with the same settings.

    A line that a kill cut off is dropped from the file.
    """
    lines = complete_lines(path.read_bytes(), str(path)) if path.is_file() else []
    if not lines:
        _append(path, to_line(settings), fresh=True)
        return []
    known = parse_labels(path.read_bytes(), str(path))
    if known.settings != settings:
        ours, theirs = settings.model_dump(), known.settings.model_dump()
        differing = ", ".join(key for key in ours if ours[key] != theirs[key])
        raise DatasetError(
            f"{path} holds labels with other {differing}: name another file, or delete it"
        )
    whole_lines = "".join(f"{line}\n" for line in lines)
    _append(path, whole_lines, fresh=True)
    return known.records


def _append(path: Path, text: str, fresh: bool = False) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            write_atomically(path, text)
            return
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as err:
        raise OutputError(
            f"cannot write labels {path}: {err.strerror}; choose a writable folder"
        ) from err
