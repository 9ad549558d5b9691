"""Emmet's TaskDoc of a finished VASP calculation as the CalculationDoc that every engine gives."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.calculation import GAP
from gen2dft.engines.base import CalculationDoc, Task
from gen2dft.engines.vasp import corrections
from gen2dft.engines.vasp.presets import get_preset

if TYPE_CHECKING:
    from emmet.core.tasks import TaskDoc

GPA_PER_KILOBAR = 0.1
NO_NUMBER = r"(?:\*\*|\bnan\b|\binf)"
BROKEN_NUMBER = re.compile(rf"<r>[^<]*{NO_NUMBER}", re.IGNORECASE)
# Files to the words that the final energies stand behind.
FINAL_ENERGIES = (("OUTCAR", "TOTEN"), ("OUTCAR", "energy(sigma->0)"), ("OSZICAR", "E0="))
PACKAGES = ("atomate2", "custodian", "emmet-core", "pymatgen")
# What the stand-ins of tests write as VASP's version; nothing they compute may ever become a label.
STAND_IN = "stand-in"


def calculation_doc(
    task_doc: TaskDoc, task: Task, preset: str, *, reached_accuracy: bool | None
) -> CalculationDoc:
    """The document of one calculation.

    Parameters
    ----------
    task_doc
        As atomate2 parses it from the folder.
    reached_accuracy
        Whether VASP says that the structure is relaxed. None: only the number of steps tells, which
        takes a run stopped before its time for a relaxed one.
    """
    calculation = task_doc.calcs_reversed[0]
    electronic = _converged_electronic(calculation)
    ionic = None
    if task == "relax":
        ionic = _used_fewer_steps(calculation) if reached_accuracy is None else reached_accuracy
    converged = electronic and ionic is not False
    settings_hash = get_preset(preset).settings_hash
    # Bands are computed at a fixed charge density.
    is_self_consistent = task != "uniform_bands"
    return CalculationDoc(
        task=task,
        engine="vasp",
        preset=preset,
        settings_hash=settings_hash,
        is_dft=True,
        structure=task_doc.structure,
        converged=converged,
        converged_electronic=electronic,
        converged_ionic=ionic,
        **_results(task_doc),
        **_mechanics(task_doc, is_self_consistent=is_self_consistent),
        **_statistics(task_doc),
        **_record(task_doc),
    )


def _results(task_doc: TaskDoc) -> dict[str, Any]:
    """Energies, moments and gap."""
    output = task_doc.output
    last = task_doc.calcs_reversed[0].output
    known = _has_final_energy(last)
    found: dict[str, Any] = {"energy": float(output.energy) if known else np.nan}
    found["energy_per_atom"] = float(output.energy_per_atom) if known else np.nan
    moments = task_doc.structure.site_properties.get("magmom")
    if moments is not None:
        found["magmoms"] = [float(moment) for moment in moments]
    gap = _gap(task_doc)
    if gap is not None:
        found["values"] = {GAP: gap}
    if gap:  # a metal's gap is neither direct nor indirect
        found["is_gap_direct"] = bool(last.is_gap_direct)
    return found


def _has_final_energy(last: Any) -> bool:
    """Whether VASP has printed each energy of the last step.

    Of the energies of the ionic step and of its last electronic step pymatgen takes the better
    one; where one is NaN, the comparison fails and another energy, even 0, passes for the result.
    """
    step = last.ionic_steps[-1]
    electronic = (step.electronic_steps or [])[-1:]
    energies = [
        part for each in (step, *electronic) for part in (each.e_fr_energy, each.e_0_energy)
    ]
    return all(energy is not None and np.isfinite(energy) for energy in energies)


def _gap(task_doc: TaskDoc) -> float | None:
    """Gap on the mesh, eV; 0 for a metal."""
    gap = task_doc.output.bandgap
    if gap is None:
        return None
    # A half-filled band counts as filled where occupations alone tell, which few k-points do not
    # expose.
    return 0.0 if _has_half_filled_band(task_doc) else float(gap)


def _has_half_filled_band(task_doc: TaskDoc) -> bool:
    """Whether the electrons cannot fill whole bands: an odd number, two to a band."""
    settings = task_doc.calcs_reversed[0].input.parameters
    is_spinor = settings.get("LSORBIT") or settings.get("LNONCOLLINEAR")
    if settings.get("ISPIN") == 2 or is_spinor:
        return False
    return round(settings.get("NELECT", 0)) % 2 == 1


def _remarks(task_doc: TaskDoc) -> list[str]:
    """What emmet warns of, and what a reader must know of the gap."""
    said = list(task_doc.analysis.warnings or [])
    if task_doc.output.bandgap and task_doc.calcs_reversed[0].input.nkpoints == 1:
        said.append("the gap is that of one k-point alone: a crystal's needs a mesh")
    return said


def _record(task_doc: TaskDoc) -> dict[str, Any]:
    """How it was computed: programs, functional and U, custodian's interventions, remarks."""
    calculation = task_doc.calcs_reversed[0]
    vasp = str(calculation.vasp_version)
    log = [run.model_dump() for run in task_doc.custodian or []]
    found: dict[str, Any] = {"directory": task_doc.dir_name}
    found["num_steps"] = len(calculation.output.ionic_steps)
    found["versions"] = versions(vasp)
    found["is_stand_in"] = STAND_IN in vasp
    found["run_type"] = _run_type(task_doc)
    found["hubbards"] = _hubbards(calculation)
    found["custodian"] = corrections.applied(log)
    found["settings_changed"] = corrections.changes_settings(log)
    found["warnings"] = _remarks(task_doc)
    return found


def _run_type(task_doc: TaskDoc) -> str | None:
    """Functional and U as emmet names them: `GGA`, `GGA+U`, ..."""
    if task_doc.run_type is None:
        return None
    return str(task_doc.run_type.value)


def _hubbards(calculation: Any) -> dict[str, float]:
    """Symbol to U - J, eV; those that are not 0."""
    given = calculation.input.hubbards or {}
    applied = {}
    for symbol, u in given.items():
        if u:
            applied[symbol] = float(u)
    return applied


def _mechanics(task_doc: TaskDoc, *, is_self_consistent: bool) -> dict[str, Any]:
    """Forces and stress; what VASP writes of them at a fixed charge density means nothing."""
    output = task_doc.output
    if not is_self_consistent:
        return {"forces": None, "max_force": None, "stress": None}
    forces = np.array(output.forces, dtype=float).reshape(-1, 3)
    strengths = np.linalg.norm(forces, axis=1)
    max_force = float(strengths.max())
    stress = _stress(output.stress)
    return {"forces": forces, "max_force": max_force, "stress": stress}


def _stress(kilobar: Any) -> NDArray[np.float64] | None:
    """GPa; VASP's own is positive under pressure."""
    if kilobar is None:
        return None
    pressure = np.array(kilobar, dtype=float)
    return -GPA_PER_KILOBAR * pressure


def _statistics(task_doc: TaskDoc) -> dict[str, Any]:
    """What the last run of VASP has cost, as its OUTCAR says."""
    cores, seconds = 1, 0.0
    stats = (task_doc.run_stats or {}).get("overall")
    if stats:
        cores = max(1, int(stats.cores))
        seconds = float(stats.elapsed_time)
    core_hours = seconds * cores / 3600
    return {"cores": cores, "wall_seconds": seconds, "core_hours": core_hours}


def versions(vasp: str) -> dict[str, str]:
    """VASP's version and those of the packages around it."""
    packages = {package: version(package) for package in PACKAGES}
    return {"vasp": vasp, **packages}


def says_relaxed(directory: Path) -> bool:
    """Whether the OUTCAR in a folder, zipped or not, says that the structure is relaxed.

    A relaxation that was stopped early has used fewer steps than NSW too, so their number does not
    tell.
    """
    from monty.io import zopen
    from monty.os.path import zpath

    path = zpath(str(directory / "OUTCAR"))
    with zopen(path, "rt", encoding="utf-8", errors="replace") as outcar:
        return any("reached required accuracy" in str(line) for line in outcar)


def broken_eigenvalues(directory: Path) -> int:
    """Number of band energies or occupations in a folder's vasprun.xml, zipped or not, that are no
    numbers.

    The parsers make NaN of them, which loses every comparison: a gap is found all the same.
    """
    from monty.io import zopen
    from monty.os.path import zpath

    path = zpath(str(directory / "vasprun.xml"))
    broken, inside = 0, False
    with zopen(path, "rt", encoding="utf-8", errors="replace") as vasprun:
        for text in vasprun:
            line = str(text)
            inside = inside or "<eigenvalues>" in line
            broken += inside and BROKEN_NUMBER.search(line) is not None
            inside = inside and "</eigenvalues>" not in line
    return broken


def broken_energies(directory: Path) -> list[str]:
    """Final energies in a folder's OUTCAR and OSZICAR, zipped or not, that are no numbers.

    The first electronic steps may print asterisks and recover, so that the last energy alone
    counts.
    """
    broken = []
    for name, words in FINAL_ENERGIES:
        printed = _last_after(directory / name, words)
        if re.search(NO_NUMBER, printed, re.IGNORECASE):
            broken.append(f"{words.strip('=')} in {name}")
    return broken


def _last_after(file: Path, words: str) -> str:
    """What a file says last after these words; empty without the file."""
    from monty.io import zopen
    from monty.os.path import zpath

    path, last = zpath(str(file)), ""
    if not Path(path).is_file():
        return last
    with zopen(path, "rt", encoding="utf-8", errors="replace") as text:
        for line in text:
            _, found, rest = str(line).partition(words)
            last = rest if found else last
    return last


def _converged_electronic(calculation: Any) -> bool:
    """Whether the last ionic step needed fewer electronic steps than it was allowed."""
    last = calculation.output.ionic_steps[-1]
    steps = last.electronic_steps or []
    allowed = calculation.input.parameters["NELM"]
    return len(steps) < allowed


def _used_fewer_steps(calculation: Any) -> bool:
    """Whether a relaxation ended before it used up NSW."""
    steps = calculation.output.ionic_steps
    allowed = calculation.input.parameters["NSW"]
    return len(steps) < allowed
