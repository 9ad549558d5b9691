"""Reference phases computed by a campaign's own engine: the fit of its correction, and the phases of its own hull."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gen2dft.campaign import CampaignSpec
from gen2dft.engines import load_engine
from gen2dft.errors import CalculationFailed, DatasetError, SettingsError, ThermoError
from gen2dft.rounds.energies import uncorrected
from gen2dft.rounds.hulls import dataset_hull, presets, reference_computed
from gen2dft.settings import allows_stand_in
from gen2dft.store.documents import CalibrationDoc, ReferenceDoc
from gen2dft.thermo.corrections import Fitted, adjust, get_correction
from gen2dft.thermo.hull import reduced
from gen2dft.thermo.noh2019 import VanadiumFit, fit_vanadium
from gen2dft.thermo.vanadium_oxides import ELEMENTS, OXIDES, ReferencePhase

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.datasets.materials_project import Client
    from gen2dft.engines.base import Engine
    from gen2dft.store.store import Store

STRUCTURE_FILES = ("*.cif", "POSCAR*", "CONTCAR*", "*.vasp", "*.json")
LITERATURE = "literature"


@dataclass(frozen=True)
class Found:
    """A reference phase and the structure to start from.

    Parameters
    ----------
    name
        Id of the phase in its source.
    origin
        Where the structure is from: a file, `materials-project`, the literature, or the campaign's dataset.
    is_molecule
        Computed as it is, in a box.
    """

    formula: str
    name: str
    structure: Structure
    origin: str
    is_molecule: bool = False


def needed_phases(spec: CampaignSpec) -> tuple[ReferencePhase, ...]:
    """The phases that the campaign's correction is fitted to; none if it needs no fit.

    A surrogate brings references of the elements; DFT computes them.
    """
    if not get_correction(spec.validation.correction).is_fitted:
        return ()
    return (*OXIDES, *ELEMENTS) if load_engine(spec.validation.engine).is_dft else OXIDES


def find_structures(
    wanted: Sequence[ReferencePhase], folder: Path | None = None, client: Client | None = None
) -> tuple[list[Found], list[ReferencePhase]]:
    """Structures of reference phases: of the user's files, else of the Materials Project, else of the literature.

    Parameters
    ----------
    folder
        CIF, POSCAR or pymatgen JSON files; a file is known by the formula of its crystal.
    client
        The Materials Project; by default it is asked if a key is set.

    Returns
    -------
    What was found, and what was not.

    Raises
    ------
    DatasetError
        A folder that does not exist, a file that cannot be read, or two for one formula.
    """
    from gen2dft.datasets.materials_project import has_key, read_structures

    files = _structures_in(folder) if folder is not None else {}
    ids = [phase.material_id for phase in wanted if phase.formula not in files and not phase.is_molecule]
    online = read_structures(ids, client) if ids and (client is not None or has_key()) else {}
    found, missing = [], []
    for phase in wanted:
        if phase.formula in files:
            structure, origin = files[phase.formula]
        elif phase.material_id in online:
            structure, origin = online[phase.material_id], "materials-project"
        elif phase.literature is not None:
            structure, origin = phase.literature(), f"{LITERATURE}: {phase.citation}"
        else:
            missing.append(phase)
            continue
        found.append(Found(phase.formula, phase.material_id, structure, origin, phase.is_molecule))
    return found, missing


def _structures_in(folder: Path) -> dict[str, tuple[Structure, str]]:
    """Reduced formula to crystal and file name, for every readable file of a folder."""
    from pymatgen.core import Structure

    if not folder.is_dir():
        raise DatasetError(f"folder of structures {folder} does not exist")
    files: dict[str, tuple[Structure, str]] = {}
    for path in sorted({path for pattern in STRUCTURE_FILES for path in folder.glob(pattern)}):
        try:
            structure = Structure.from_file(path)
        except (ValueError, KeyError, TypeError, IndexError) as err:  # what pymatgen's readers raise
            raise DatasetError(f"{path} holds no crystal that can be read: {err}") from err
        formula = structure.composition.reduced_formula
        if formula in files:
            raise DatasetError(f"{path} and {files[formula][1]} both hold {formula}: leave one of them")
        files[formula] = (structure, str(path))
    return files


def refuse_missing(missing: Sequence[ReferencePhase]) -> None:
    """ThermoError that names the reference phases without a structure, and the ways to one."""
    if missing:
        named = ", ".join(f"{phase.formula} ({phase.material_id})" for phase in missing)
        raise ThermoError(
            f"no structure of {named}: set MP_API_KEY, or put CIF or POSCAR files into a folder and name it with "
            "--structures; --partial fits to the others alone"
        )


def stable_phases(spec: CampaignSpec, cache_dir: Path | None = None) -> list[Found]:
    """The phases of the campaign's data that are stable there: what the engine's own hull is made of."""
    from gen2dft.datasets import load_dataset
    from gen2dft.thermo.hull import ON_HULL

    dataset = load_dataset(spec.dataset, seed=spec.seed, cache_dir=cache_dir)
    energies = dataset.label("formation_energy")
    structures = list(dataset.crystals.structures())
    compositions = [dict(structure.composition.get_el_amt_dict()) for structure in structures]
    above = dataset_hull(spec, cache_dir).e_above_hull_many(compositions, energies)
    found = {}
    for row, structure in enumerate(structures):
        formula = structure.composition.reduced_formula
        if abs(above[row]) <= ON_HULL and formula not in found:
            found[formula] = Found(formula, dataset.ids[row], structure, f"dataset {spec.dataset.source}")
    return list(found.values())


def compute_reference(store: Store, engine: Engine, preset: str, phase: Found) -> ReferenceDoc:
    """Relax a reference phase and compute its energy, unless the store has it already.

    Raises
    ------
    ThermoError
        If the engine fails or does not converge; the message names phase and reason.
    """
    settings_hash = engine.preset(preset).settings_hash
    content = json.dumps([phase.name, phase.structure.as_dict(), engine.name, settings_hash], sort_keys=True)
    key = hashlib.sha256(content.encode()).hexdigest()[:24]
    if (known := store.find(ReferenceDoc, key)) is not None:
        return known
    structure = phase.structure
    try:
        if not phase.is_molecule:
            relaxed = engine.relax(structure, preset)
            if not relaxed.converged:
                raise CalculationFailed("not_converged", f"{relaxed.max_force:.3f} eV/Angstrom are left")
            structure = relaxed.structure
        final = engine.static(structure, preset)
        if final.is_stand_in and not allows_stand_in():
            raise CalculationFailed("stand_in", "a program that only stands in for the engine computed it")
    except CalculationFailed as failure:
        raise ThermoError(
            f"reference phase {phase.formula} ({phase.name}) failed with engine {engine.name!r}, preset {preset!r}: "
            f"{failure}; another structure of it can be given with --structures"
        ) from failure
    document = ReferenceDoc(
        id=key, formula=phase.formula, name=phase.name, origin=phase.origin, known_stable=True, engine=engine.name,
        preset=preset, settings_hash=settings_hash, structure=structure.as_dict(verbosity=0),
        energy_per_atom=final.energy, run_type=final.run_type, hubbards=dict(final.hubbards),
        warnings=list(final.warnings),
    )  # fmt: skip
    store.insert_new(document)
    return document


def calibrate(
    store: Store, spec: CampaignSpec, phases: Sequence[Found], on_phase: Callable[[str], None] = lambda _: None
) -> list[CalibrationDoc]:
    """Compute the phases with every preset of the campaign, and fit its correction if it has one to fit.

    Parameters
    ----------
    phases
        From `find_structures` and `stable_phases`.
    on_phase
        Called with what is computed next.

    Returns
    -------
    One calibration per preset, which the store now holds; none for a correction without a fit.
    """
    store.ensure_indices()
    engine, calibrations = load_engine(spec.validation.engine), []
    symbols = {element.symbol for phase in phases for element in phase.structure.composition.elements}
    for preset in presets(spec):
        for problem in engine.check(preset, symbols):
            raise SettingsError(problem)
        documents = {}
        for phase in phases:
            on_phase(f"{phase.formula} with {engine.name} {preset}")
            documents[phase.formula] = compute_reference(store, engine, preset, phase)
        if get_correction(spec.validation.correction).is_fitted:
            calibrations.append(fit_calibration(engine, preset, spec.validation.correction, documents))
            store.insert_new(calibrations[-1])
    return calibrations


def fit_calibration(
    engine: Engine, preset: str, correction: str, computed: Mapping[str, ReferenceDoc]
) -> CalibrationDoc:
    """Fit a correction to computed reference phases, by formula.

    Raises
    ------
    CorrectionRefused
        A phase was computed with settings that the correction does not hold for.
    ThermoError
        Too few phases, or an element that DFT must compute is missing.
    """
    elements = _element_energies(engine, computed)
    known = {phase.formula: phase.formation_energy for phase in OXIDES if phase.formation_energy is not None}
    energies = {}
    for formula in known.keys() & computed.keys():
        entry = reference_computed(computed[formula])
        adjust(correction, entry, Fitted(0.0, 0.0))  # refuses wrong settings before they are fitted
        per_atom = uncorrected(engine, entry.structure.composition, entry.energy_per_atom, elements)
        energies[formula] = per_atom
    fit = fit_vanadium({formula: energies[formula] for formula in known if formula in energies}, known)
    return _document(fit, engine, preset, correction, elements, computed)


def _element_energies(engine: Engine, computed: Mapping[str, ReferenceDoc]) -> dict[str, float]:
    """Symbol to computed energy, eV/atom; empty for a surrogate, whose references are its own."""
    if not engine.is_dft:
        return {}
    if missing := [phase.formula for phase in ELEMENTS if phase.formula not in computed]:
        raise ThermoError(f"the fit needs the energy of {', '.join(missing)}, computed with engine {engine.name!r}")
    found = {}
    for phase in ELEMENTS:
        ((symbol, _),) = reduced(reference_computed(computed[phase.formula]).structure.composition)
        found[symbol] = computed[phase.formula].energy_per_atom
    return found


def _document(
    fit: VanadiumFit,
    engine: Engine,
    preset: str,
    correction: str,
    elements: dict[str, float],
    computed: Mapping[str, ReferenceDoc],
) -> CalibrationDoc:
    rows = [
        {**vars(row), "name": computed[row.formula].name, "origin": computed[row.formula].origin} for row in fit.rows
    ]
    settings_hash = engine.preset(preset).settings_hash
    content = json.dumps([correction, engine.name, settings_hash, fit.de_v, elements, rows], sort_keys=True)
    return CalibrationDoc(
        id=hashlib.sha256(content.encode()).hexdigest()[:16],
        correction=correction,
        engine=engine.name,
        is_dft=engine.is_dft,
        preset=preset,
        settings_hash=settings_hash,
        de_v=fit.de_v,
        standard_error=fit.standard_error,
        confidence=fit.confidence,
        rms=fit.rms,
        elements=elements,
        rows=rows,
        complete=len(rows) == len(OXIDES),
    )
