"""Which reference phases a campaign's engine must compute, and the structures to start from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gen2dft.campaign import CampaignSpec
from gen2dft.datasets import load_dataset
from gen2dft.datasets.own_structures import read_one_crystal
from gen2dft.engines import load_engine
from gen2dft.errors import DatasetError, ThermoError
from gen2dft.ground.hulls import computes_elements, dataset_hull
from gen2dft.screening.elements import allowed_elements
from gen2dft.thermo.corrections import get_correction
from gen2dft.thermo.hull import ON_HULL
from gen2dft.thermo.reference_phases import ReferencePhase, element_phase

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.dataset import Dataset
    from gen2dft.datasets.materials_project import Client

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
        Where the structure is from: a file, `materials-project`, the literature, or the campaign's
        dataset.
    is_molecule
        Computed as it is, in a box.
    """

    formula: str
    name: str
    structure: Structure
    origin: str
    is_molecule: bool = False


def wanted_phases(
    spec: CampaignSpec,
    folder: Path | None = None,
    cache_dir: Path | None = None,
    client: Client | None = None,
) -> tuple[list[Found], list[ReferencePhase]]:
    """All reference phases of a campaign: those of its correction or its elements, and those of its
    engine's hull.

    Parameters
    ----------
    folder, client
        As for `find_structures`.
    cache_dir
        Folder for parsed files and downloads of the campaign's data.

    Returns
    -------
    What was found, and what has no structure.
    """
    if spec.hull.source != "engine":
        return find_structures(needed_phases(spec), folder, client)
    dataset = load_dataset(
        spec.dataset, seed=spec.seed, cache_dir=cache_dir, properties=spec.properties
    )
    symbols = candidate_elements(spec, dataset)
    stable = stable_phases(spec, dataset, symbols, cache_dir)
    needed = needed_phases(spec, symbols)
    if computes_elements(spec):  # an element that the data hold is taken from there
        held = {phase.formula for phase in stable}
        needed = tuple(phase for phase in needed if phase.formula not in held)
    found, missing = find_structures(needed, folder, client)
    asked = {phase.formula for phase in needed}
    others = [phase for phase in stable if phase.formula not in asked]
    return found + others, missing


def candidate_elements(spec: CampaignSpec, dataset: Dataset) -> frozenset[str]:
    """Symbols of the elements that candidates may have."""
    from pymatgen.core import Element

    numbers = allowed_elements(spec.screening, dataset.crystals)
    return frozenset(Element.from_Z(number).symbol for number in numbers)


def needed_phases(spec: CampaignSpec, symbols: Collection[str] = ()) -> tuple[ReferencePhase, ...]:
    """The phases that formation energies are measured against.

    None if the engine or the campaign brings them.

    Parameters
    ----------
    symbols
        Elements that candidates may have.
    """
    calibration = get_correction(spec.validation.correction).calibration
    if calibration is not None:
        # A surrogate brings references of the elements; DFT computes them.
        return calibration.needed(is_dft=load_engine(spec.validation.engine).is_dft)
    if not computes_elements(spec):
        return ()
    return tuple(element_phase(symbol) for symbol in sorted(symbols))


def find_structures(
    wanted: Sequence[ReferencePhase], folder: Path | None = None, client: Client | None = None
) -> tuple[list[Found], list[ReferencePhase]]:
    """Structures of reference phases: of the user's files, else of the Materials Project, else of
    the literature.

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
    files = structures_in(folder) if folder is not None else {}
    online = _online([phase for phase in wanted if phase.formula not in files], client)
    found, missing = [], []
    for phase in wanted:
        given = _structure_of(phase, files, online)
        if given is None:
            missing.append(phase)
            continue
        structure, origin = given
        found.append(Found(phase.formula, phase.material_id, structure, origin, phase.is_molecule))
    return found, missing


def _online(phases: Sequence[ReferencePhase], client: Client | None) -> dict[str, Structure]:
    """Id to structure in the Materials Project, where it has one and can be asked.

    A molecule in a box is no phase of its.
    """
    from gen2dft.datasets.materials_project import has_key, read_structures

    asked = [phase for phase in phases if phase.is_online and not phase.is_molecule]
    ids = [phase.material_id for phase in asked]
    can_ask = client is not None or has_key()
    return read_structures(ids, client) if ids and can_ask else {}


def _structure_of(
    phase: ReferencePhase,
    files: Mapping[str, tuple[Structure, str]],
    online: Mapping[str, Structure],
) -> tuple[Structure, str] | None:
    """Structure to start from and where it is from; None if there is none."""
    if phase.formula in files:
        return files[phase.formula]
    if phase.material_id in online:
        return online[phase.material_id], "materials-project"
    if phase.literature is not None:
        return phase.literature(), f"{LITERATURE}: {phase.citation}"
    return None


def structures_in(folder: Path) -> dict[str, tuple[Structure, str]]:
    """Reduced formula to crystal and file name, for every readable file of a folder."""
    if not folder.is_dir():
        raise DatasetError(f"folder of structures {folder} does not exist")
    paths = {path for pattern in STRUCTURE_FILES for path in folder.glob(pattern)}
    files: dict[str, tuple[Structure, str]] = {}
    for path in sorted(paths):
        structure = read_one_crystal(path)
        formula = structure.composition.reduced_formula
        if formula in files:
            _, other = files[formula]
            raise DatasetError(f"{path} and {other} both hold {formula}: leave one of them")
        files[formula] = (structure, str(path))
    return files


def refuse_missing(missing: Sequence[ReferencePhase]) -> None:
    """ThermoError that names the reference phases without a structure, and the ways to one."""
    if not missing:
        return
    named = ", ".join(f"{phase.formula} ({phase.material_id})" for phase in missing)
    online = "set MP_API_KEY, or " if any(phase.is_online for phase in missing) else ""
    raise ThermoError(
        f"no structure of {named}: {online}put CIF or POSCAR files into a folder and name it with "
        "--structures; --partial does without them"
    )


def stable_phases(
    spec: CampaignSpec, dataset: Dataset, symbols: Collection[str], cache_dir: Path | None = None
) -> list[Found]:
    """The phases of the campaign's data that are stable there: what the engine's own hull is made
    of.

    Parameters
    ----------
    symbols
        Elements that candidates may have; phases of others bound none of their systems.
    """
    energies = dataset.label("formation_energy")
    structures = list(dataset.crystals.structures())
    compositions = [structure.composition.get_el_amt_dict() for structure in structures]
    above = dataset_hull(spec, cache_dir).e_above_hull_many(compositions, energies)
    origin = f"dataset {spec.dataset.source}"
    found: dict[str, Found] = {}
    for row in np.flatnonzero(np.abs(above) <= ON_HULL):
        structure = structures[row]
        formula = structure.composition.reduced_formula
        is_allowed = set(compositions[row]) <= set(symbols)
        if is_allowed and formula not in found:
            found[formula] = Found(formula, dataset.ids[row], structure, origin)
    return list(found.values())
