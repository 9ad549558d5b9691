"""Run one calculation in the present folder: atomate2's job and custodian.

Failures become reasons.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymatgen.core import Structure

from gen2dft.crystals import CrystalTable
from gen2dft.engines.base import CalculationDoc, Task
from gen2dft.engines.bounds import PAW_ENERGY, Bounds
from gen2dft.engines.guard import (
    BANDS_NOT_CONVERGED,
    NOT_FINITE,
    SCF_NOT_CONVERGED,
    other_crystal,
    problem_of,
)
from gen2dft.engines.vasp import corrections, requirements
from gen2dft.engines.vasp.document import (
    broken_eigenvalues,
    broken_energies,
    calculation_doc,
    says_relaxed,
)
from gen2dft.engines.vasp.input_sets import PresetInputSet, with_initial_moments
from gen2dft.errors import CalculationFailed, CampaignError, Gen2DFTError, SettingsError
from gen2dft.geometry import closest_contacts

if TYPE_CHECKING:
    from emmet.core.tasks import TaskDoc

# How often custodian looks at a running VASP: every 10 s whether it has ended, every 5 minutes
# whether it goes well.
POLLING: dict[str, Any] = {"polling_time_step": 10, "monitor_freq": 30}
MIN_DISTANCE_RATIO = 0.5  # of the covalent radii's sum; closer atoms cost hours and end in a crash
TAIL_LINES = 5
BOUNDS = Bounds(energy_per_atom=PAW_ENERGY)


class Stopped(CalculationFailed):
    """A calculation in the present folder that ended too early.

    Parameters
    ----------
    structure
        Where a relaxation can go on; None if nothing was gained.

    Attributes
    ----------
    seconds, cores
        What it has cost.
    log
        Custodian's log.
    """

    def __init__(self, reason: str, detail: str, structure: Structure | None = None) -> None:
        super().__init__(reason, detail, f"{socket.gethostname()}:{Path.cwd()}")
        self.structure = structure
        self.seconds = 0.0
        self.cores = 1
        self.log: list[Mapping[str, Any]] = []


def calculate(
    task: Task, preset: str, structure: Structure, prev_dir: str | None = None, scale: float = 1.0
) -> CalculationDoc:
    """Run one calculation in the present folder.

    Parameters
    ----------
    prev_dir
        Folder of the static calculation whose charge density the uniform bands are made of.
    scale
        Spacing of the k-points of uniform bands, in units of the preset's.

    Raises
    ------
    Stopped
        `disordered`, `atoms_too_close`, `unsuitable_preset`, `potcar_missing`,
        `vasp_command_not_found`, `no_charge_density`, `vasp_died`, `walltime`,
        `scf_not_converged`, `bands_not_converged`, `ionic_unconverged`, the other reasons of
        `gen2dft.engines.guard`, or `vasp_<error>` after custodian's last attempt.
    """
    start = time.perf_counter()
    try:
        _check(preset, structure)
        if prev_dir is not None:
            _check_charge_density(prev_dir)
        maker = atomate2_maker(task, preset, scale)
        with _readable_output():
            task_doc = _run(maker, task, with_initial_moments(structure), prev_dir)
            relaxed = says_relaxed(Path.cwd()) if task == "relax" else None
            doc = calculation_doc(task_doc, task, preset, reached_accuracy=relaxed)
        _refuse_other_crystal(doc, task_doc, structure)
        _refuse_unfinished(doc, task_doc)
    except Stopped as failure:
        failure.seconds, failure.cores = time.perf_counter() - start, cores_of(Path.cwd())
        failure.log = corrections.read_log(Path.cwd())
        raise
    seconds = (
        time.perf_counter() - start
    )  # all of custodian's runs; the OUTCAR tells of the last alone
    return doc.model_copy(
        update={"wall_seconds": seconds, "core_hours": seconds * doc.cores / 3600}
    )


def _check(preset: str, structure: Structure) -> None:
    """What can be known before VASP is started."""
    if not structure.is_ordered:
        raise Stopped("disordered", f"{structure.formula} has partially occupied sites")
    symbols = {element.symbol for element in structure.composition.elements}
    try:
        requirements.check_elements(preset, symbols)
        requirements.check_incar_updates(preset)
    except (CampaignError, SettingsError) as err:
        raise Stopped("unsuitable_preset", str(err)) from err
    try:
        requirements.check_potcars(preset, symbols)
    except SettingsError as err:
        raise Stopped("potcar_missing", str(err)) from err
    problem = requirements.missing_command()
    if problem is not None:
        raise Stopped("vasp_command_not_found", problem)
    contacts = closest_contacts(CrystalTable.from_structures([structure]))
    distance = float(contacts.distance[0])
    ratio = float(contacts.ratio[0])
    if ratio < MIN_DISTANCE_RATIO:
        detail = f"{structure.formula}: {distance:.2f} Angstrom, {ratio:.2f} of the covalent radii"
        raise Stopped("atoms_too_close", detail)


def _check_charge_density(prev_dir: str) -> None:
    """Stopped unless the folder of the static calculation can be read here and holds its charge
    density.
    """
    from monty.os.path import zpath

    folder = Path(prev_dir.rpartition(":")[2])
    if not Path(zpath(str(folder / "CHGCAR"))).is_file():
        detail = (
            f"there is no CHGCAR in {prev_dir}, seen from {socket.gethostname()}: was the "
            "folder removed or moved?"
        )
        raise Stopped("no_charge_density", detail)


@contextlib.contextmanager
def _readable_output() -> Iterator[None]:
    """Stopped where the parsers of VASP's output stumble, over asterisks or a file cut short.

    They do so with errors of any kind. Before VASP has written anything, an error is one of this
    machine or of the program, and no reason to give up the crystal; a full disk never is.
    """
    from monty.os.path import zpath

    try:
        yield
    except (Gen2DFTError, OSError):
        raise
    except Exception as err:
        if not Path(zpath("vasprun.xml")).is_file():
            raise
        what = f"VASP's output cannot be read ({type(err).__name__}: {err})"
        raise Stopped("unreadable_output", f"{what}; was the run cut short?") from err


def _run(maker: Any, task: Task, structure: Structure, prev_dir: str | None) -> TaskDoc:
    """Atomate2's job, as a function of the present folder."""
    from custodian.custodian import CustodianError, ReturnCodeError, ValidationError

    arguments = (structure, prev_dir) if prev_dir is not None else (structure,)
    try:
        return type(maker).make.original(maker, *arguments).output
    except (ValidationError, ReturnCodeError) as err:
        detail = (
            f"VASP ended without a complete result ({err}); its last words: "
            f"{last_words(Path.cwd())}"
        )
        going_on = _contcar(task)
        if going_on is None:
            detail += f"; to see why, call `{maker.run_vasp_kwargs['vasp_cmd']}` there by hand"
        raise Stopped("vasp_died", detail, going_on) from err
    except CustodianError as err:
        reason = _reason_of(Path.cwd(), task)
        going_on = _contcar(task) if reason == "ionic_unconverged" else None
        detail = f"custodian gave up: {err}; {_errors_in_words(Path.cwd())}"
        raise Stopped(reason, detail, going_on) from err


def atomate2_maker(task: Task, preset: str, scale: float = 1.0) -> Any:
    """Atomate2's Maker of one task, with the preset's input files and custodian's handlers."""
    from atomate2 import SETTINGS
    from atomate2.vasp.jobs.core import NonSCFMaker
    from atomate2.vasp.jobs.mp import MPGGARelaxMaker, MPGGAStaticMaker

    makers = {"relax": MPGGARelaxMaker, "static": MPGGAStaticMaker, "uniform_bands": NonSCFMaker}
    # Read now: atomate2 itself has bound its settings when it was imported.
    running = {
        "vasp_cmd": SETTINGS.VASP_CMD,
        "vasp_gamma_cmd": SETTINGS.VASP_GAMMA_CMD,
        "max_errors": SETTINGS.VASP_CUSTODIAN_MAX_ERRORS,
        "scratch_dir": SETTINGS.CUSTODIAN_SCRATCH_DIR,
        "handlers": corrections.fresh_handlers(),
        "custodian_kwargs": dict(POLLING),
    }
    # Bands and densities of states stay in the folder; the document needs neither.
    parts = ("store_additional_json", "parse_dos", "parse_bandstructure")
    return makers[task](
        name=f"{preset} {task}",
        input_set_generator=PresetInputSet(preset=preset, task=task, scale=scale),
        run_vasp_kwargs=running,
        task_document_kwargs=dict.fromkeys(parts, False),
        # A calculation that did not converge becomes a reason here, not an exception there.
        stop_children_kwargs={"handle_unsuccessful": False},
    )


def _refuse_unfinished(doc: CalculationDoc, task_doc: TaskDoc) -> None:
    """Stopped unless electrons and atoms are where they should be, and all numbers believable."""
    if not doc.converged_electronic:
        detail = f"the last of {doc.num_steps} ionic steps reached NELM"
        raise Stopped(_unconverged(doc.task), detail)
    if task_doc.analysis.errors:
        raise Stopped("atoms_too_close_after_relaxation", "; ".join(task_doc.analysis.errors))
    if doc.converged_ionic is not False:
        _refuse_implausible(doc, task_doc)
        return
    force = doc.max_force or 0
    detail = f"after {doc.num_steps} ionic steps the largest force is {force:.3f} eV/Angstrom"
    met = {corrections.handler_name(entry) for entry in _entries(Path.cwd())}
    reason = "walltime" if corrections.WALLTIME_HANDLER in met else "ionic_unconverged"
    raise Stopped(reason, detail, doc.structure)


def _refuse_implausible(doc: CalculationDoc, task_doc: TaskDoc) -> None:
    """Stopped for numbers that nobody would believe, such as asterisks in VASP's output."""
    for crystal in _crystals(task_doc):
        problem = problem_of(doc.model_copy(update={"structure": crystal}), BOUNDS)
        if problem is not None:
            raise Stopped(problem.reason, problem.detail)
    _refuse_asterisks(doc.structure.formula)


def _refuse_asterisks(formula: str) -> None:
    """Stopped for numbers that VASP could not print and that its parsers pass over."""
    energies, bands = broken_energies(Path.cwd()), broken_eigenvalues(Path.cwd())
    broken = [*energies, *[f"{bands} band energies"] * bool(bands)]
    if broken:
        detail = f"{formula}: {', '.join(broken)} came out as NaN or asterisks"
        raise Stopped(NOT_FINITE, detail)


def _refuse_other_crystal(doc: CalculationDoc, task_doc: TaskDoc, structure: Structure) -> None:
    """Stopped for files of another run."""
    for crystal in _crystals(task_doc):
        found = doc.model_copy(update={"structure": crystal})
        problem = other_crystal(found, structure)
        if problem is not None:
            raise Stopped(problem.reason, problem.detail)


def _crystals(task_doc: TaskDoc) -> tuple[Structure, ...]:
    """The crystal as its files tell it: CONTCAR, which becomes the document's, and vasprun.xml,
    which the numbers are from, at its first and last step.
    """
    calculation = task_doc.calcs_reversed[0]
    last_step = calculation.output.ionic_steps[-1]
    return task_doc.structure, calculation.input.structure, last_step.structure


def _unconverged(task: Task) -> str:
    """Reason of a calculation that reached NELM; bands are computed at a fixed charge density."""
    return BANDS_NOT_CONVERGED if task == "uniform_bands" else SCF_NOT_CONVERGED


def _entries(directory: Path) -> list[Mapping[str, Any]]:
    """Entries of custodian's log in a folder, in order."""
    return corrections.logged(corrections.read_log(directory))


def _contcar(task: Task) -> Structure | None:
    """Where a relaxation stood last, if it finished a step."""
    from custodian.vasp.utils import is_valid_poscar

    if task != "relax" or not is_valid_poscar("CONTCAR"):
        return None
    return Structure.from_file("CONTCAR")


def _reason_of(directory: Path, task: Task) -> str:
    """Reason for what custodian could not mend, by the last error that it met."""
    entries = _entries(directory)
    errors = [str(error) for error in entries[-1]["errors"]] if entries else []
    if not errors:
        return "vasp_died"
    if "Unconverged" in errors:
        from pymatgen.io.vasp import Vasprun

        run = Vasprun(
            str(directory / "vasprun.xml"),
            parse_dos=False,
            parse_eigen=False,
            parse_potcar_file=False,
        )
        return "ionic_unconverged" if run.converged_electronic else _unconverged(task)
    return "vasp_" + re.sub(r"\W+", "_", errors[0].lower()).strip("_")


def _errors_in_words(directory: Path) -> str:
    """What custodian met, in order."""
    met = []
    for entry in _entries(directory):
        errors = ", ".join(map(str, entry["errors"]))
        met.append(f"{corrections.handler_name(entry)} ({errors})")
    return f"it met {', '.join(met)}" if met else "it met no error that it knows"


def last_words(directory: Path) -> str:
    """Last lines of what VASP wrote to its outputs."""
    lines: list[str] = []
    for name in ("vasp.out", "std_err.txt"):
        path = directory / name
        if path.is_file():
            with path.open(encoding="utf-8", errors="replace") as file:
                lines += map(str.strip, deque(file, maxlen=TAIL_LINES))
    spoken = [line for line in lines if line]
    return " | ".join(spoken[-TAIL_LINES:]) or "none"


def cores_of(directory: Path) -> int:
    """Cores that VASP says it runs on, 1 if it did not come so far."""
    from monty.io import zopen
    from monty.os.path import zpath

    path = Path(zpath(str(directory / "OUTCAR")))
    if path.is_file():
        with zopen(str(path), "rt", encoding="utf-8", errors="replace") as outcar:
            for line, _ in zip(outcar, range(50), strict=False):
                if found := re.search(r"running(?: on)?\s+(\d+)", str(line)):
                    return int(found[1])
    return 1
